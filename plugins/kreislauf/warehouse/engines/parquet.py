"""The embedded warehouse: DuckDB over the Parquet files of a folder. No server and no lock.

`<folder>/warehouse.duckdb` holds views on the published build, for people.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import BuildInfo, WarehouseError
from kreislauf.warehouse.engines.changes import Change, Update, part_change, raw_change, whole_change
from kreislauf.warehouse.engines.folder import FolderEngine, Writing, sync
from kreislauf.warehouse.engines.relations import DATA, literal, raw_relation, rows_of
from kreislauf.warehouse.raw import raw_columns

if TYPE_CHECKING:
    import pyarrow

READABLE_SINCE = "v1.5.0"
"""warehouse.duckdb is written so that DuckDB from this version on opens it."""

_BATCH_ROWS = 5_000
_log = logging.getLogger(__name__)

MOST_PARTS = 24
"""A table of more parts is written whole, as is one of whose rows more than WORN have been removed."""

WORN = 0.2


class ParquetEngine(FolderEngine):
    """A folder of builds. `memory_limit` and `threads` are DuckDB's, for each call.

    With 680 MB a process stays below 1 GiB at a million contacts; what does not fit goes to the disk. A table
    that can not go there (ten million groups of text) gets twice the limit, once.
    """

    in_part_from = 100_000
    """What reads fewer rows is computed whole sooner than in part."""

    replaced_below = 20_000
    """Of a table of fewer rows whose changes are not known all are taken to have changed."""

    dialect = "duckdb"
    version = f"duckdb {duckdb.__version__}"

    def __init__(self, folder: Path, *, memory_limit: str = "680MB", threads: int | None = None) -> None:
        super().__init__(folder)
        self._settings = {
            "memory_limit": memory_limit,
            "threads": threads or os.cpu_count() or 1,
            "autoinstall_known_extensions": False,
            # No table has an order, and keeping one costs memory.
            "preserve_insertion_order": False,
        }
        self._starting = threading.Lock()
        self._started: tuple[int, duckdb.DuckDBPyConnection] | None = None

    # ------------------------------------------------------------------------------- writing

    def _derive(self, writing: Writing) -> dict[str, Any]:
        try:
            return self._write(writing)
        except duckdb.OutOfMemoryException:
            limit = self._settings["memory_limit"]
            _log.warning("%s does not fit into %s of memory; trying with twice as much", writing.table, limit)
        with self._twice_the_memory():
            return self._write(writing)

    @contextlib.contextmanager
    def _twice_the_memory(self) -> Generator[None]:
        database, usual = self._database(), self._settings["memory_limit"]
        [(limit,)] = database.execute("select current_setting('memory_limit')").fetchall()
        number, unit = limit.split()
        database.execute(f"set global memory_limit = '{2 * float(number)} {unit}'")
        try:
            yield
        finally:
            database.execute(f"set global memory_limit = {literal(usual)}")

    def _write(self, writing: Writing) -> dict[str, Any]:
        noted = {"fingerprint": writing.mark, "content": writing.mark, "statement": self._statement(writing)}
        with self._connect() as connection:
            self._open_tables(connection, writing.build_id, base.references(writing.select))
            update = self._update(connection, writing)
            by = update and self._compute_in_part(writing, update)
            whole = None
            if by is None:
                whole = writing.new_part()
                noted["rows"] = _copy(connection, writing.select, whole)
                if update is None:
                    return noted | {"parts": [whole.name]}
                if self._differed(writing) or not update.compare(whole / DATA, noted["rows"]):
                    return noted | {"parts": [whole.name], "differs": True}
            if not update.added and not update.removed:
                return self._take_over(writing) | {"statement": noted["statement"]}
            before, changes = writing.before, writing.new_part()
            update.write(changes)
            noted["rows"] = before["rows"] + update.added - update.removed
            noted |= {"by": by, "changes": {"from": before["content"], "part": changes.name}}
            removed = before.get("removed", 0) + update.removed
            if len(before["parts"]) == MOST_PARTS or removed > WORN * noted["rows"]:
                if whole is None:
                    whole = writing.new_part()
                    _copy(connection, update.rows_now(changes), whole)
                return noted | {"parts": [whole.name]}
            self._link(writing)
            return noted | {"parts": [*before["parts"], changes.name], "removed": removed}

    def _statement(self, writing: Writing) -> str:
        return base.fingerprint(f"{self.version}\n{writing.select}", {})

    def _update(self, connection: duckdb.DuckDBPyConnection, writing: Writing) -> Update | None:
        if writing.before is None:
            return None
        files = self._files(writing.published_id, writing.table, writing.before)
        try:
            return Update(connection, rows_of(files, with_position=True), writing.before["rows"])
        except duckdb.IOException:
            return None  # the build was published over and removed meanwhile

    def _differed(self, writing: Writing) -> bool:
        """Whether the last time too many rows differed: a table as large is not compared again."""
        before = writing.before
        return (
            before.get("differs", False)
            and before["statement"] == self._statement(writing)
            and before["rows"] >= self.in_part_from
        )

    def _compute_in_part(self, writing: Writing, update: Update) -> str | None:
        """The column by whose values the changed rows were computed, or `changes` if they were enough.

        None if the table has to be computed whole.
        """
        if writing.before.get("statement") != self._statement(writing):
            return None
        names = [name for name in base.references(writing.select) if name != writing.table]
        read = {name: now for name in names if (now := self._table(writing.build_id, name))}
        if sum(now["rows"] for now in read.values()) < self.in_part_from:
            return None
        changes: dict[str, Change] = {}
        for name, now in read.items():
            was = self._table(writing.published_id, name)
            if was is None or now["content"] != was["content"]:
                change = self._change(writing, name, now, was)
                if change is None:
                    return None
                changes[name] = change
        try:
            return update.compute(writing.select, changes)
        except duckdb.Error as error:
            # What is to spare work must not cost the build.
            _log.warning("%s is computed whole: %s", writing.table, _without_values(error))
            return None

    def _change(
        self, writing: Writing, table: str, now: dict[str, Any], was: dict[str, Any] | None
    ) -> Change | None:
        """What changed in a table since the published build, if that is known."""
        layer, _, name = table.partition(".")
        if was is None:
            return None
        if layer == "raw":
            return raw_change(raw_columns()[name], now, was)
        changes = now.get("changes")
        if changes is not None and changes["from"] == was["content"]:
            folder = self._build_folder(writing.build_id) / layer / name
            return part_change(folder / changes["part"], now["rows"])
        if max(now["rows"], was["rows"]) < self.replaced_below:
            before, after = (
                self._files(build_id, table, noted)
                for build_id, noted in ((writing.published_id, was), (writing.build_id, now))
            )
            return whole_change(before, after, now["rows"])
        return None

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, duckdb.Error):
            raise error
        return _without_values(error)

    def _published(self, build: BuildInfo) -> None:
        path = self.folder / "warehouse.duckdb"
        draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            with self._connect() as connection:
                name = f"warehouse_{secrets.token_hex(4)}"
                connection.execute(
                    f"attach {literal(draft)} as {name} (storage_version '{READABLE_SINCE}'); use {name}"
                )
                self._open_tables(connection, build.build_id, build.tables)
                connection.execute(f"use memory; detach {name}")
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
        """A connection with a catalogue of its own."""
        connection, catalogue = self._database().cursor(), f"views_{secrets.token_hex(4)}"
        # The bar would be written into the task's log.
        connection.execute(
            f"attach ':memory:' as {catalogue}; use {catalogue}; set enable_progress_bar = false"
        )
        try:
            yield connection
        finally:
            connection.execute(f"use memory; detach {catalogue}")
            connection.close()

    def _database(self) -> duckdb.DuckDBPyConnection:
        """DuckDB, started once a process: that takes longer than reading a small table."""
        with self._starting:
            if self._started is None or self._started[0] != os.getpid():
                # A folder of its own to spill to: two processes would overwrite each other's files in one.
                spill = self.folder / f"spill-{os.getpid()}-{secrets.token_hex(4)}"
                database = duckdb.connect(config={**self._settings, "temp_directory": str(spill)})
                # A name in SQL is no variable of this process. DuckDB 1.5 knows time zones only once it is
                # connected. Each view, statement and comparison of a table asks for what its files contain.
                database.execute(
                    "set global python_enable_replacements = false; set global TimeZone = 'UTC';"
                    " load parquet; set global parquet_metadata_cache = true"
                )
                weakref.finalize(self, _end, os.getpid(), database, spill)
                self._started = os.getpid(), database
            return self._started[1]

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
                relation = rows_of(files)
            connection.execute(f"create schema if not exists {layer}; create view {table} as {relation}")


def _end(process: int, database: duckdb.DuckDBPyConnection, spill: Path) -> None:
    if process == os.getpid():  # not in a fork of it
        database.close()
        shutil.rmtree(spill, ignore_errors=True)


def _copy(connection: duckdb.DuckDBPyConnection, select: str, part: Path) -> int:
    """Write the rows of a SELECT as the data of a new part; their number."""
    part.mkdir()
    file = part / DATA
    connection.execute(f"copy ({select}) to {literal(file)} (format parquet, compression zstd)")
    rows = connection.fetchone()[0]
    sync(file)
    return rows


def _without_values(error: duckdb.Error) -> str:
    """DuckDB's message; errors about a value repeat it, and it may be somebody's."""
    text = str(error).split("\n\nLINE")[0]
    if isinstance(error, duckdb.OutOfMemoryException):
        # Its own advice is about settings that nobody can make here.
        said = text.partition("\n")[0]
        return f"{said}; group or join less in it, or raise memory_limit in the connection's extra"
    if isinstance(
        error, duckdb.ConversionException | duckdb.InvalidInputException | duckdb.OutOfRangeException
    ):
        text = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", text)
    return text
