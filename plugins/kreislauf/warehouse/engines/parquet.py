"""The embedded warehouse: DuckDB over the Parquet files of a folder. No server and no lock.

`<folder>/warehouse.duckdb` holds views on the published build, for people.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours; values are bound

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import BuildInfo, WarehouseError
from kreislauf.warehouse.engines.folder import FolderEngine, sync
from kreislauf.warehouse.raw import Columns, raw_columns

if TYPE_CHECKING:
    import pyarrow

READABLE_SINCE = "v1.5.0"
"""warehouse.duckdb is written so that DuckDB from this version on opens it."""

_BATCH_ROWS = 50_000


class ParquetEngine(FolderEngine):
    """A folder of builds. `memory_limit` and `threads` are DuckDB's, for each call.

    With 700 MB the process stays below 1 GiB at a million contacts; what does not fit goes to the disk.
    """

    dialect = "duckdb"
    version = f"duckdb {duckdb.__version__}"

    def __init__(self, folder: Path, *, memory_limit: str = "700MB", threads: int | None = None) -> None:
        super().__init__(folder)
        self._settings = {
            "memory_limit": memory_limit,
            "threads": threads or os.cpu_count() or 1,
            "autoinstall_known_extensions": False,
        }

    # ------------------------------------------------------------------------------- writing

    def _write(self, build_id: str, select: str, folder: Path) -> int:
        folder.mkdir()
        file = folder / "0.parquet"
        with self._connect() as connection:
            self._open_tables(connection, build_id, base.references(select))
            connection.execute(f"copy ({select}) to {_literal(file)} (format parquet, compression zstd)")
            rows = connection.fetchone()[0]
        sync(file)
        return rows

    def _digest(self, files: list[Path]) -> str:
        # Two sums: equal rows do not cancel each other out, and 128 bits do not collide by chance.
        relation = _read_parquet(files)
        with self._connect() as connection:
            columns = connection.execute(f"describe from {relation}").fetchall()
            listed = ", ".join(f'"{column[0]}"' for column in columns)
            sums = connection.execute(
                f"select sum(cast(hash({listed}) as hugeint)), sum(cast(hash({listed}, 1) as hugeint))"
                f" from {relation}"
            ).fetchone()
        return repr(([column[:2] for column in columns], sums))

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, duckdb.Error):
            raise error
        return _without_values(error)

    def _published(self, build: BuildInfo) -> None:
        path = self.folder / "warehouse.duckdb"
        draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            with self._connect() as connection:
                connection.execute(
                    f"attach {_literal(draft)} as warehouse (storage_version '{READABLE_SINCE}');"
                    " use warehouse"
                )
                self._open_tables(connection, build.build_id, build.tables)
                connection.execute("use memory; detach warehouse")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    # ------------------------------------------------------------------------------- reading

    def arrow(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> pyarrow.Table:
        with self._run(sql, params, build_id) as result:
            return result.to_arrow_table()

    def batches(
        self, sql: str, params: Mapping[str, Any] | None = None, build_id: str | None = None
    ) -> Iterator[pyarrow.RecordBatch]:
        with self._run(sql, params, build_id) as result:
            yield from result.to_arrow_reader(_BATCH_ROWS)

    @contextlib.contextmanager
    def _run(
        self, sql: str, params: Mapping[str, Any] | None, build_id: str | None
    ) -> Generator[duckdb.DuckDBPyRelation]:
        build_id = self._resolve(build_id)
        compiled, values = base.bind(sql, params, self.dialect)
        with self._connect() as connection:
            self._open_tables(connection, build_id, base.references(compiled))
            try:
                yield connection.sql(compiled, params=values or None)
            except duckdb.Error as error:
                raise WarehouseError(f"query on build {build_id}: {_without_values(error)}") from None

    @contextlib.contextmanager
    def _connect(self) -> Generator[duckdb.DuckDBPyConnection]:
        # A folder of its own to spill to: two processes would overwrite each other's files in one.
        spill = self.folder / f"spill-{os.getpid()}-{secrets.token_hex(4)}"
        connection = duckdb.connect(config={**self._settings, "temp_directory": str(spill)})
        try:
            # The bar would be written into the task's log; a name in SQL is no variable of this process.
            # DuckDB 1.5 knows time zones only once it is connected.
            connection.execute("set enable_progress_bar = false; set python_enable_replacements = false")
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()
            shutil.rmtree(spill, ignore_errors=True)

    def _open_tables(
        self, connection: duckdb.DuckDBPyConnection, build_id: str, tables: Iterable[str]
    ) -> None:
        """Views on those of the tables that the build has."""
        if not (self._build_folder(build_id) / "build.json").exists():
            self.build(build_id)
        declared = raw_columns()
        for table in tables:
            layer, _, name = table.partition(".")
            found = self._table(build_id, table)
            if found is None:
                continue
            files = self._files(build_id, table, found)
            if layer == "raw":
                relation = raw_relation(declared[name], files, found["where"])
            else:
                relation = f"select * from {_read_parquet(files)}"
            connection.execute(f"create schema if not exists {layer}; create view {table} as {relation}")


def raw_relation(columns: Columns, files: Iterable[str | Path], where: str | None = None) -> str:
    """A SELECT over the part files of a raw table: exactly the declared columns, in their types.

    A column declared after a part was written is NULL there, until the landing zone is replayed.
    """
    typed = ", ".join(f'cast(null as {type}) as "{name}"' for name, type in columns.items())
    empty = f"select {typed} where false"
    if not files:
        return empty
    names = ", ".join(f'"{name}"' for name in columns)
    parts = f"select * from {_read_parquet(files, union_by_name=True)}"
    rows = f"select {names} from ({empty} union all by name {parts})"
    return f"{rows} where {where}" if where else rows


def _read_parquet(files: Iterable[str | Path], *, union_by_name: bool = False) -> str:
    options = ", union_by_name = true" if union_by_name else ""
    return f"read_parquet([{', '.join(_literal(file) for file in files)}]{options})"


def _literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _without_values(error: duckdb.Error) -> str:
    """DuckDB's message; errors about a value repeat it, and it may be somebody's."""
    text = str(error).split("\n\nLINE")[0]
    if isinstance(
        error, duckdb.ConversionException | duckdb.InvalidInputException | duckdb.OutOfRangeException
    ):
        text = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", text)
    return text
