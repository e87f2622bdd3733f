"""The build: every SQL file over the raw parts, as `build_warehouse` runs them, in one process."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.warehouse.build import write_table
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.memberships import record_memberships
from kreislauf.warehouse.models import load_models
from scripts.bench import raw
from scripts.bench.measure import AS_OF, Stopwatch

SQL = Path(__file__).resolve().parents[2] / "include" / "sql"
LATER = AS_OF + timedelta(hours=1)


def generate(folder: Path, size: int) -> dict[str, Any]:
    """Raw parts and their manifests."""
    with Stopwatch() as watch:
        rows = raw.write(_zone(folder), size, AS_OF)
    return watch.result(rows)


def full(folder: Path, size: int) -> dict[str, Any]:
    """The first build: every table is computed."""
    return _build(folder, AS_OF)


def again(folder: Path, size: int) -> dict[str, Any]:
    """A second build as of the same moment over the same parts: every table is taken over."""
    return _build(folder, AS_OF)


def recorded(folder: Path, size: int) -> dict[str, Any]:
    """Land who is in which segment, as publishing does, and build once more as of the same moment.

    The first record is of everybody; from then on it is of those who enter and leave. `recording`: the
    CPU seconds of landing it.
    """
    engine = published_engine(folder)
    with Stopwatch() as watch:
        record_memberships(_zone(folder), engine, engine.published())
    return _build(folder, AS_OF) | {"recording": watch.cpu_seconds}


def later(folder: Path, size: int) -> dict[str, Any]:
    """A build an hour later, after one hundredth more events.

    `in_part`: of how many tables only what changed was computed.
    """
    raw.write_new_events(_zone(folder), size, AS_OF, LATER)
    return _build(folder, LATER)


def floor(folder: Path, size: int) -> dict[str, Any]:
    """Read every raw column once, write every result once.

    `tables`: for each table the seconds to read it whole and, for a model's, to write it.
    """
    engine = published_engine(folder)
    build = engine.published()
    if build is None:
        raise RuntimeError("there is no build whose results could be written again")
    results = folder / "warehouse" / "builds" / build.build_id
    files = raw_files(folder)
    models = load_models(SQL)
    for name in models:
        parts = (results / name.replace(".", "/")).glob("*/*.parquet")
        files[name] = [str(part) for part in sorted(parts)]
    total, tables, rows = Stopwatch(), {}, 0
    draft = folder / "floor.parquet"
    with duckdb.connect(config={"threads": os.cpu_count() or 1}) as database:
        for name, parts in files.items():
            relation = f"read_parquet([{', '.join(literal(part) for part in parts)}])"
            with Stopwatch() as reading:
                counted = f"select count(*), bit_xor(hash(columns)) from {relation} as columns"
                [(read, _)] = database.execute(counted).fetchall()
            tables[name] = {"rows": read, "read": reading.seconds}
            if name not in models:
                rows += read
                _add(total, reading)
                continue
            database.execute(f"create table result as from {relation}")
            with Stopwatch() as writing:
                database.execute(f"copy result to {literal(draft)} (format parquet, compression zstd)")
                with draft.open("rb") as file:
                    os.fsync(file.fileno())
            database.execute("drop table result")
            tables[name]["write"] = writing.seconds
            _add(total, writing)
    return total.result(rows, tables=tables)


def _build(folder: Path, as_of: Any) -> dict[str, Any]:
    engine, models = published_engine(folder), load_models(SQL)
    before = engine.published()
    total, figures = Stopwatch(), []
    with total:
        build = engine.begin_build(as_of)
        rows = engine.load_raw(build, _zone(folder).manifests())
    for number, (name, model) in enumerate(models.items(), start=1):
        _show(f"{number} of {len(models)} {name}")
        with Stopwatch() as watch:
            written = write_table(engine, build, model)
        _add(total, watch)
        figures.append({"model": name, "reads": model.depends_on, **watch.result(written)})
    with total:
        engine.publish(build)
    _show("")
    now = {name: _noted(folder, build.build_id, name) for name in models}
    known = before.tables if before else ()
    was = {name: _noted(folder, before.build_id, name) for name in models if name in known}
    for figure in figures:
        figure["by"] = now[figure["model"]].get("by")
    return total.result(
        sum(rows.values()),
        models=figures,
        taken_over=sum(now[name]["parts"] == noted["parts"] for name, noted in was.items()),
        in_part=sum(bool(noted.get("by")) for noted in now.values()),
    )


def _show(text: str) -> None:
    """Progress in place, for whoever watches."""
    if sys.stderr.isatty():
        print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)


def _noted(folder: Path, build_id: str, table: str) -> dict[str, Any]:
    """What the engine noted of a table of a build."""
    path = folder / "warehouse" / "builds" / build_id / f"{table.replace('.', '/')}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def raw_files(folder: Path) -> dict[str, list[str]]:
    """The landed part files of each raw table, each once."""
    files: dict[str, dict[str, None]] = {}
    for manifest in _zone(folder).manifests():
        for name in manifest.tables:
            files.setdefault(f"raw.{name}", {})[manifest.table_path(name)] = None
    return {name: list(parts) for name, parts in files.items()}


def _add(total: Stopwatch, part: Stopwatch) -> None:
    total.seconds += part.seconds
    total.cpu_seconds += part.cpu_seconds


def _zone(folder: Path) -> LandingZone:
    return LandingZone(folder / "landing")


def published_engine(folder: Path) -> Engine:
    """The warehouse that the builds are in."""
    return engine_for(Connection("warehouse", "duckdb", str(folder / "warehouse")))


def literal(path: object) -> str:
    """A path as SQL."""
    return "'" + str(path).replace("'", "''") + "'"
