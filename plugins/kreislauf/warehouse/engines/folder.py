"""A warehouse that is a folder of Parquet files: builds, the pointer to the published one, take-over.

    <folder>/published.json                        the build that readers get: the one switch
    <folder>/blocked.json                          why the last build was not published
    <folder>/builds/<build_id>/build.json          as_of, begun at, published at
                              /<layer>/<table>.json    rows, marks, parts: the table's commit
                              /<layer>/<table>/<part>/*.parquet
                              /raw/<table>.json    which files of the landing zone, and which of their rows

A file is written beside its place, brought to the disk, and renamed. What no JSON names is not there.
What is unchanged is linked from the published build, so each build is whole and can be removed alone.

How SQL is run is a matter of the engines below: `parquet` (DuckDB) and `spark`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from abc import abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.raw import cut, raw_columns

if TYPE_CHECKING:
    from kreislauf.landing.manifest import Manifest


class FolderEngine(Engine):
    """A folder of builds. Below it are needed: `version`, `_write`, `_digest`, and how to read."""

    version: str
    """What a result depends on besides its SQL and its inputs, such as `duckdb 2.0.0`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def _write(self, build_id: str, select: str, folder: Path) -> int:
        """Write the rows of a compiled SELECT as Parquet files into a new folder; their number.

        Raises the engine's own error, whose text is given without values by `_reason`.
        """

    @abstractmethod
    def _digest(self, files: list[Path]) -> str:
        """Of the rows in Parquet files, whatever their order: equal for equal rows."""

    @abstractmethod
    def _reason(self, error: Exception) -> str:
        """What an error of the engine says, without values of rows. Raises what is none of its errors."""

    def _published(self, build: BuildInfo) -> None:
        """What else there is to do once a build is published."""

    # ------------------------------------------------------------------------------- builds

    def published(self) -> BuildInfo | None:
        found = read_json(self.folder / "published.json")
        return found and BuildInfo(found["build_id"], datetime.fromisoformat(found["as_of"]), found["tables"])

    def build(self, build_id: str) -> BuildInfo:
        folder = self._build_folder(build_id)
        found = read_json(folder / "build.json")
        if found is None:
            raise WarehouseError(
                f"there is no build {build_id} in {self.folder}; it was removed, or never begun"
            )
        tables = {
            f"{path.parent.name}.{path.stem}": read_json(path)["rows"]
            for path in sorted(folder.glob("*/*.json"))
        }
        return BuildInfo(build_id, datetime.fromisoformat(found["as_of"]), tables)

    def begin_build(self, as_of: datetime) -> BuildInfo:
        build = BuildInfo(base.new_build_id(as_of), as_of.astimezone(UTC))
        folder = self._build_folder(build.build_id)
        folder.mkdir(parents=True)
        write_json(
            folder / "build.json",
            {"as_of": build.as_of.isoformat(), "begun_at": _now(), "published_at": None},
        )
        return build

    def publish(self, build: BuildInfo) -> None:
        folder, build = self._build_folder(build.build_id), self.build(build.build_id)
        write_json(folder / "build.json", read_json(folder / "build.json") | {"published_at": _now()})
        write_json(
            self.folder / "published.json",
            {"build_id": build.build_id, "as_of": build.as_of.isoformat(), "tables": build.tables},
        )
        (self.folder / "blocked.json").unlink(missing_ok=True)
        self._published(build)

    def block(self, build: BuildInfo, reason: str) -> None:
        write_json(self.folder / "blocked.json", {"build_id": build.build_id, "reason": reason})

    def blocked(self) -> str | None:
        found = read_json(self.folder / "blocked.json")
        return found and f"build {found['build_id']}: {found['reason']}"

    def drop_old(self, keep: int = 3) -> list[str]:
        builds = []
        for path in sorted((self.folder / "builds").glob("*/build.json")):
            found = read_json(path)
            at = found["published_at"]
            begun_at, published_at = datetime.fromisoformat(found["begun_at"]), at
            builds.append((path.parent.name, begun_at, published_at and datetime.fromisoformat(at)))
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
        folder, listed = self._build_folder(build.build_id) / "raw", list(manifests)
        folder.mkdir(exist_ok=True)
        loaded = {}
        for name in raw_columns():
            if name == "manifests":
                table = _write_manifests(folder / "manifests.parquet", listed)
            else:
                table = _raw_table(name, listed, build.as_of)
            write_json(folder / f"{name}.json", table)
            loaded[name] = table["rows"]
        return loaded

    def create_table(self, build: BuildInfo, table: str, select: str) -> int:
        place = _place(self._build_folder(build.build_id), table)
        place.mkdir(parents=True, exist_ok=True)
        inputs = {
            name: found["content"]
            for name in base.references(select)
            if name != table and (found := self._table(build.build_id, name))
        }
        mark = base.fingerprint(f"{self.version}\n{select}", inputs)
        published = self.published()
        before = self._table(published.build_id, table) if published else None
        if published is None or before is None:
            written = self._compute(build, table, select, mark)
        elif before["fingerprint"] == mark:
            written = self._take_over(published.build_id, table, place, before)
        else:
            written = self._compute(build, table, select, mark)
            if written["rows"] == before["rows"]:
                written = self._keep_if_same(build.build_id, published.build_id, table, written, before)
        write_json(place.with_suffix(".json"), written)
        for part in place.iterdir():
            if part.name not in written["parts"]:
                shutil.rmtree(part)
        return written["rows"]

    def _compute(self, build: BuildInfo, table: str, select: str, mark: str) -> dict[str, Any]:
        part = secrets.token_hex(4)
        folder = _place(self._build_folder(build.build_id), table) / part
        try:
            rows = self._write(build.build_id, select, folder)
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise WarehouseError(
                f"{table} of build {build.build_id} could not be written: {self._reason(error)}"
            ) from None
        return {"rows": rows, "fingerprint": mark, "content": mark, "parts": [part]}

    def _take_over(self, build_id: str, table: str, place: Path, found: dict[str, Any]) -> dict[str, Any]:
        """Link the parts of another build's table here."""
        source = _place(self._build_folder(build_id), table)
        for part in found["parts"]:
            _link_folder(source / part, place / part)
        return found

    def _keep_if_same(
        self, build_id: str, published_id: str, table: str, written: dict[str, Any], before: dict[str, Any]
    ) -> dict[str, Any]:
        """The published table under its own mark if it has these very rows: what reads it need not change."""
        if self._digest(self._files(build_id, table, written)) != self._digest(
            self._files(published_id, table, before)
        ):
            return written
        place = _place(self._build_folder(build_id), table)
        kept = self._take_over(published_id, table, place, before)
        return kept | {"fingerprint": written["fingerprint"]}

    # ------------------------------------------------------------------------------- reading

    def _table(self, build_id: str, table: str) -> dict[str, Any] | None:
        """What is noted of a table of a build; None when the build has no such table (yet)."""
        return read_json(_place(self._build_folder(build_id), table).with_suffix(".json"))

    def _files(self, build_id: str, table: str, found: dict[str, Any] | None = None) -> list[Path] | None:
        """The Parquet files of a table of a build; None when the build has no such table (yet)."""
        found = found or self._table(build_id, table)
        if found is None:
            return None
        if "files" in found:
            return [Path(file) for file in found["files"]]
        place = _place(self._build_folder(build_id), table)
        return [file for part in found["parts"] for file in sorted((place / part).glob("*.parquet"))]

    def _build_folder(self, build_id: str) -> Path:
        if not re.fullmatch(r"[0-9A-Za-z-]+", build_id):
            raise WarehouseError(f"{build_id!r} is no build id")
        return self.folder / "builds" / build_id


def _raw_table(name: str, manifests: list[Manifest], as_of: datetime) -> dict[str, Any]:
    parts = [m for m in manifests if name in m.tables]
    where = cut(name, parts, as_of)
    mark = base.parts_fingerprint([m.tables[name]["sha256"] for m in parts], where)
    return {
        "rows": sum(m.tables[name]["rows"] for m in parts),
        "fingerprint": mark,
        "content": mark,
        "where": where,
        "files": [m.table_path(name) for m in parts],
    }


def _write_manifests(path: Path, manifests: list[Manifest]) -> dict[str, Any]:
    """raw.manifests as a part file of its own."""
    import pyarrow
    from pyarrow import parquet

    moment = pyarrow.timestamp("us")
    types = {"VARCHAR": pyarrow.string(), "TIMESTAMP": moment, "BIGINT": pyarrow.int64()}
    schema = pyarrow.schema([(name, types[type]) for name, type in raw_columns()["manifests"].items()])
    rows = [
        (
            *(m.run, m.source, m.stream),
            *(_naive(at) for at in (m.window.since, m.window.until, m.as_of)),
            sum(part["rows"] for part in m.tables.values()),
        )
        for m in manifests
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(schema)
    draft = _draft(path)
    parquet.write_table(
        pyarrow.Table.from_arrays(
            [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
            schema=schema,
        ),
        draft,
    )
    sync(draft)
    draft.replace(path)
    mark = base.parts_fingerprint([repr(row) for row in rows], None)
    return {"rows": len(rows), "fingerprint": mark, "content": mark, "where": None, "files": [str(path)]}


def _place(folder: Path, table: str) -> Path:
    layer, _, name = table.partition(".")
    return folder / layer / name


def _link_folder(source: Path, target: Path) -> None:
    """The files of a folder in another one, which appears whole."""
    draft = _draft(target)
    draft.mkdir()
    for file in source.glob("*.parquet"):
        try:
            os.link(file, draft / file.name)
        except OSError:
            shutil.copyfile(file, draft / file.name)
    if target.exists():
        shutil.rmtree(target)
    draft.replace(target)


def _naive(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(tzinfo=None)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sync(path: Path) -> None:
    """Bring a file to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_json(path: Path) -> Any:
    """The content of a JSON file; None when there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Put a JSON file in its place, at once and for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path)
    try:
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
