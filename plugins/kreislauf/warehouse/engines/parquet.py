"""The embedded warehouse: DuckDB over Parquet files. No server and no lock.

    <folder>/builds/<build_id>/build.json              as_of, begun at, published at
                              /raw.json                which part files each raw table consists of
                              /<layer>/<table>.parquet and .json beside it: rows, fingerprint
    <folder>/published.json    the build that readers get: the one switch
    <folder>/blocked.json      why the last build was not published
    <folder>/warehouse.duckdb  views on the published build, for people

Every file is written beside its place, brought to the disk, and renamed.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours; values are bound

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.raw import Columns, raw_columns
from kreislauf.warehouse.schema import create_table

if TYPE_CHECKING:
    import pyarrow

    from kreislauf.landing.manifest import Manifest

READABLE_SINCE = "v1.5.0"
"""warehouse.duckdb is written so that DuckDB from this version on opens it."""

_BATCH_ROWS = 50_000


class ParquetEngine(Engine):
    """A folder of builds. `memory_limit` and `threads` are DuckDB's, for each call."""

    dialect = "duckdb"

    def __init__(self, folder: Path, *, memory_limit: str = "2GB", threads: int | None = None) -> None:
        self.folder = folder
        self._settings = {
            "memory_limit": memory_limit,
            "threads": threads or os.cpu_count() or 1,
            "TimeZone": "UTC",
            "autoinstall_known_extensions": False,
        }

    # ------------------------------------------------------------------------------- builds

    def published(self) -> BuildInfo | None:
        found = _read(self.folder / "published.json")
        return found and BuildInfo(found["build_id"], datetime.fromisoformat(found["as_of"]), found["tables"])

    def build(self, build_id: str) -> BuildInfo:
        folder = self._build_folder(build_id)
        found = _read(folder / "build.json")
        if found is None:
            raise WarehouseError(
                f"there is no build {build_id} in {self.folder}; it was removed, or never begun"
            )
        raw = {f"raw.{name}": table["rows"] for name, table in (_read(folder / "raw.json") or {}).items()}
        tables = {
            f"{path.parent.name}.{path.stem}": _read(path)["rows"] for path in sorted(folder.glob("*/*.json"))
        }
        return BuildInfo(build_id, datetime.fromisoformat(found["as_of"]), raw | tables)

    def begin_build(self, as_of: datetime) -> BuildInfo:
        build = BuildInfo(base.new_build_id(as_of), as_of.astimezone(UTC))
        folder = self._build_folder(build.build_id)
        folder.mkdir(parents=True)
        _write(
            folder / "build.json",
            {"as_of": build.as_of.isoformat(), "begun_at": _now(), "published_at": None},
        )
        return build

    def publish(self, build: BuildInfo) -> None:
        folder, build = self._build_folder(build.build_id), self.build(build.build_id)
        _write(folder / "build.json", _read(folder / "build.json") | {"published_at": _now()})
        _write(
            self.folder / "published.json",
            {"build_id": build.build_id, "as_of": build.as_of.isoformat(), "tables": build.tables},
        )
        (self.folder / "blocked.json").unlink(missing_ok=True)
        self._write_views(build)

    def block(self, build: BuildInfo, reason: str) -> None:
        _write(self.folder / "blocked.json", {"build_id": build.build_id, "reason": reason})

    def blocked(self) -> str | None:
        found = _read(self.folder / "blocked.json")
        return found and f"build {found['build_id']}: {found['reason']}"

    def drop_old(self, keep: int = 3) -> list[str]:
        builds = []
        for path in sorted((self.folder / "builds").glob("*/build.json")):
            found = _read(path)
            at = found["published_at"]
            builds.append(
                (
                    path.parent.name,
                    datetime.fromisoformat(found["begun_at"]),
                    at and datetime.fromisoformat(at),
                )
            )
        published = self.published()
        dropped = base.removable(builds, published and published.build_id, keep, datetime.now(UTC))
        for build_id in dropped:
            folder = self._build_folder(build_id)
            # Without build.json it is no build any more, should the removal be cut short.
            (folder / "build.json").unlink()
            shutil.rmtree(folder)
        return dropped

    # ------------------------------------------------------------------------------- writing

    def load_raw(self, build: BuildInfo, manifests: Iterable[Manifest]) -> dict[str, int]:
        folder = self._build_folder(build.build_id)
        tables: dict[str, dict[str, Any]] = {
            name: {"files": [], "rows": 0, "parts": []} for name in raw_columns() if name != "manifests"
        }
        extractions = []
        for manifest in manifests:
            extractions.append(manifest)
            for name, part in manifest.tables.items():
                if name in tables:
                    tables[name]["files"].append(manifest.table_path(name))
                    tables[name]["rows"] += part["rows"]
                    tables[name]["parts"].append(part["sha256"])
        tables["manifests"] = self._write_manifests(folder, extractions)
        for table in tables.values():
            table["fingerprint"] = base.parts_fingerprint(table.pop("parts"))
        _write(folder / "raw.json", tables)
        return {name: table["rows"] for name, table in tables.items()}

    def _write_manifests(self, folder: Path, manifests: list[Manifest]) -> dict[str, Any]:
        """raw.manifests as a part file of its own."""
        rows = [
            (
                *(m.run, m.source, m.stream),
                *(_naive(moment) for moment in (m.window.since, m.window.until, m.as_of)),
                sum(part["rows"] for part in m.tables.values()),
            )
            for m in manifests
        ]
        path = folder / "raw" / "manifests.parquet"
        path.parent.mkdir(exist_ok=True)
        with self._connect() as connection:
            create_table(connection, "raw.manifests", raw_columns()["manifests"])
            if rows:
                # Column by column: a row at a time costs a millisecond each.
                columns = [list(column) for column in zip(*rows, strict=True)]
                listed = ", ".join(["unnest(?)"] * len(columns))
                connection.execute(f"insert into raw.manifests select {listed}", columns)
            self._copy(connection, "select * from raw.manifests", path)
        return {"files": [str(path)], "rows": len(rows), "parts": [repr(row) for row in rows]}

    def create_table(self, build: BuildInfo, table: str, select: str) -> int:
        folder = self._build_folder(build.build_id)
        prints = self._fingerprints(build.build_id)
        inputs = {name: prints[name] for name in base.references(select) if name in prints and name != table}
        mark = base.fingerprint(f"duckdb {duckdb.__version__}\n{select}", inputs)
        path = _table_path(folder, table)
        path.parent.mkdir(exist_ok=True)
        rows = self._take_over(table, mark, path)
        if rows is None:
            with self._connect() as connection:
                self._open_tables(connection, build.build_id, base.references(select))
                try:
                    rows = self._copy(connection, select, path)
                except duckdb.Error as error:
                    raise WarehouseError(
                        f"{table} of build {build.build_id} could not be written: {_without_values(error)}"
                    ) from None
        _write(path.with_suffix(".json"), {"rows": rows, "fingerprint": mark})
        return rows

    def _take_over(self, table: str, mark: str, path: Path) -> int | None:
        """Link the published build's table here if it has the fingerprint; its rows."""
        published = self.published()
        if published is None:
            return None
        source = _table_path(self._build_folder(published.build_id), table)
        known = _read(source.with_suffix(".json"))
        if known is None or known["fingerprint"] != mark:
            return None
        draft = _draft(path)
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
        draft.replace(path)
        return known["rows"]

    def _copy(self, connection: duckdb.DuckDBPyConnection, select: str, path: Path) -> int:
        draft = _draft(path)
        try:
            target = _literal(str(draft))
            connection.execute(f"copy ({select}) to {target} (format parquet, compression zstd)")
            rows = connection.fetchone()[0]
            _sync(draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return rows

    def _write_views(self, build: BuildInfo) -> None:
        path = self.folder / "warehouse.duckdb"
        draft = _draft(path)
        try:
            with self._connect() as connection:
                connection.execute(
                    f"attach {_literal(str(draft))} as warehouse (storage_version '{READABLE_SINCE}');"
                    " use warehouse"
                )
                self._open_tables(connection, build.build_id, list(build.tables))
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
            connection.execute("set enable_progress_bar = false; set python_enable_replacements = false")
            yield connection
        finally:
            connection.close()
            shutil.rmtree(spill, ignore_errors=True)

    def _open_tables(self, connection: duckdb.DuckDBPyConnection, build_id: str, tables: list[str]) -> None:
        """Views on those of the tables that the build has."""
        folder = self._build_folder(build_id)
        if not (folder / "build.json").exists():
            self.build(build_id)
        raw = (_read(folder / "raw.json") or {}) if any(t.startswith("raw.") for t in tables) else {}
        declared = raw_columns()
        for table in tables:
            layer, _, name = table.partition(".")
            if layer != "raw" and _table_path(folder, table).exists():
                relation = f"select * from read_parquet({_literal(str(_table_path(folder, table)))})"
            elif layer == "raw" and name in raw:
                relation = raw_relation(declared[name], raw[name]["files"])
            else:
                continue
            connection.execute(f"create schema if not exists {layer}; create view {table} as {relation}")

    def _fingerprints(self, build_id: str) -> dict[str, str]:
        folder = self._build_folder(build_id)
        found = {
            f"raw.{name}": raw["fingerprint"] for name, raw in (_read(folder / "raw.json") or {}).items()
        }
        for path in folder.glob("*/*.json"):
            found[f"{path.parent.name}.{path.stem}"] = _read(path)["fingerprint"]
        return found

    def _build_folder(self, build_id: str) -> Path:
        if not re.fullmatch(r"[0-9A-Za-z-]+", build_id):
            raise WarehouseError(f"{build_id!r} is no build id")
        return self.folder / "builds" / build_id


def raw_relation(columns: Columns, files: list[str]) -> str:
    """A SELECT over the part files of a raw table: exactly the declared columns, in their types.

    A column declared after a part was written is NULL there, until the landing zone is replayed.
    """
    typed = ", ".join(f'cast(null as {type}) as "{name}"' for name, type in columns.items())
    empty = f"select {typed} where false"
    if not files:
        return empty
    names = ", ".join(f'"{name}"' for name in columns)
    listed = ", ".join(_literal(file) for file in files)
    parts = f"select * from read_parquet([{listed}], union_by_name = true)"
    return f"select {names} from ({empty} union all by name {parts})"


def _table_path(folder: Path, table: str) -> Path:
    layer, _, name = table.partition(".")
    return folder / layer / f"{name}.parquet"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _naive(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(tzinfo=None)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _without_values(error: duckdb.Error) -> str:
    """DuckDB's message; errors about a value repeat it, and it may be somebody's."""
    text = str(error).split("\n\nLINE")[0]
    if isinstance(
        error, duckdb.ConversionException | duckdb.InvalidInputException | duckdb.OutOfRangeException
    ):
        text = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", text)
    return text


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _read(path: Path) -> Any:
    """The content of a JSON file; None when there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        _sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
