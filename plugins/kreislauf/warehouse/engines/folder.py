"""A warehouse that is a folder of Parquet files: builds, the pointer to the published one, take-over.

    <folder>/published.json                        the build that readers get: the one switch
    <folder>/blocked.json                          why the last build was not published
    <folder>/builds/<build_id>/build.json          as_of, begun at, published at
                              /<layer>/<table>.json    rows, marks, parts: the table's commit
                              /<layer>/<table>/<part>/*.parquet, and what else the engine keeps of it
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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.raw import cut, raw_columns

if TYPE_CHECKING:
    from kreislauf.landing.manifest import Manifest


@dataclass
class Writing:
    """One table being written: its statement, its mark, its folder; the published one, if there is any."""

    build_id: str
    table: str
    select: str
    mark: str
    place: Path
    published_id: str | None
    before: dict[str, Any] | None
    new_parts: list[Path] = field(default_factory=list)

    def new_part(self) -> Path:
        """The folder of a part to be written; gone again should the table fail."""
        self.new_parts.append(self.place / secrets.token_hex(4))
        return self.new_parts[-1]


class FolderEngine(Engine):
    """A folder of builds. Below it are needed: `version`, `_derive`, and how to read."""

    version: str
    """What a result depends on besides its SQL and its inputs, such as `duckdb 2.0.0`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def _derive(self, writing: Writing) -> dict[str, Any]:
        """Write a table whose SQL or inputs are not those of the published one; what to note of it.

        `rows`, `fingerprint`, `content` and `parts`: new ones, or those of the published table if it has
        the same rows. Raises the engine's own error, whose text is given without values by `_reason`.
        """

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
        published = self.published()
        writing = Writing(
            build_id=build.build_id,
            table=table,
            select=select,
            mark=base.fingerprint(f"{self.version}\n{select}", inputs),
            place=place,
            published_id=published and published.build_id,
            before=self._table(published.build_id, table) if published else None,
        )
        if writing.before and writing.before["fingerprint"] == writing.mark:
            written = self._take_over(writing)
        else:
            try:
                written = self._derive(writing)
            except Exception as error:
                for part in writing.new_parts:
                    shutil.rmtree(part, ignore_errors=True)
                raise WarehouseError(
                    f"{table} of build {build.build_id} could not be written: {self._reason(error)}"
                ) from None
        write_json(place.with_suffix(".json"), written)
        kept = {*written["parts"], written.get("changes", {}).get("part")}
        for part in place.iterdir():
            if part.name not in kept:
                shutil.rmtree(part)
        return written["rows"]

    def _take_over(self, writing: Writing) -> dict[str, Any]:
        """The published table, linked here under its own mark: what reads it need not change."""
        self._link(writing)
        found = {name: value for name, value in writing.before.items() if name not in ("changes", "by")}
        return found | {"fingerprint": writing.mark}

    def _link(self, writing: Writing) -> None:
        source = _place(self._build_folder(writing.published_id), writing.table)
        for part in writing.before["parts"]:
            _link_folder(source / part, writing.place / part)

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
        "files": list(dict.fromkeys(m.table_path(name) for m in parts)),
        "runs": {m.run: [m.tables[name]["sha256"], m.table_path(name)] for m in parts},
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
    for file in source.iterdir():
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
