"""Raw parts with real manifests, made from the SELECTs of `tables`: the same rows at every run."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from pyarrow import parquet

from kreislauf.landing.load import digest
from kreislauf.landing.manifest import Manifest, Window, iso
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.clocks import CLOCKS, latest
from kreislauf.sources.streams import STREAMS, Stream
from kreislauf.warehouse.raw import raw_columns
from scripts.bench import ledger_tables
from scripts.bench.tables import MACROS, TABLES

SEEDS = Path(__file__).resolve().parents[2] / "include" / "sql" / "seeds"


def write(zone: LandingZone, size: int, as_of: datetime) -> int:
    """Land everything there is of `size` contacts before `as_of`; return the rows of all tables."""
    made = [stream for stream in STREAMS if set(stream.tables) <= set(TABLES)]
    return sum(_land(zone, stream, size, as_of, None, 0, 100) for stream in made)


def write_new_events(zone: LandingZone, size: int, since: datetime, as_of: datetime) -> int:
    """Land one more hundredth of site and mail events, in a window of their own; return their rows."""
    new = [
        stream
        for stream in STREAMS
        if (stream.source, stream.name) in {("site", "events"), ("mail", "events")}
    ]
    return sum(_land(zone, stream, size, as_of, since, 100, 1) for stream in new)


def _land(
    zone: LandingZone,
    stream: Stream,
    size: int,
    as_of: datetime,
    since: datetime | None,
    after: int,
    share: int,
) -> int:
    """One extraction of a stream; of its events `share` percent, those that come `after` so many."""
    run = zone.begin(stream.source, stream.name, as_of)
    tables = {}
    with duckdb.connect() as database:
        _declare(database, size, as_of, after, share, "site" if stream.source == "site" else "mail")
        for name in stream.tables:
            path = run.folder / f"{name}.parquet"
            statement = f"copy ({_typed(name)}) to {_literal(path)} (format parquet, compression zstd)"
            values = {"run": run.name, "extracted_at": as_of.replace(tzinfo=None)}
            [(rows,)] = database.execute(statement, values).fetchall()
            tables[name] = {"file": path.name, "rows": rows, "sha256": digest(path)} | _latest(name, path)
    manifest = Manifest(
        run=run.name,
        source=stream.source,
        stream=stream.name,
        window=Window(since, as_of),
        as_of=as_of,
        extracted_at=as_of + timedelta(minutes=1),
        api_version=None,
        pages=[],
        tables=tables,
        quarantined=0,
        unknown_fields=[],
        missing_fields=[],
        folder=run.folder,
    )
    run.commit(manifest)
    return sum(table["rows"] for table in tables.values())


def _declare(
    database: duckdb.DuckDBPyConnection, size: int, as_of: datetime, after: int, share: int, kind: str
) -> None:
    events = {"site": 9 * size // 2, "mail": 5 * size // 2}
    numbers: dict[str, Any] = {
        "n": size,
        "shop": size // 2,
        "crm_from": size // 2 - size // 12,
        "crm": size // 3,
        "first": events[kind] * after // 100,
        **{name: max(1, count * share // 100) for name, count in events.items()},
    }
    for name, number in numbers.items():
        database.execute(f"create macro {name}() as cast({number} as bigint)")
    database.execute(f"create macro as_of() as timestamp '{as_of:%Y-%m-%d %H:%M:%S}'")
    with (SEEDS / "contents.csv").open(encoding="utf-8") as file:
        contents = [row["content_id"] for row in csv.DictReader(line for line in file if line[0] != "#")]
    database.execute(f"create macro contents() as {contents}")
    database.execute(MACROS + ledger_tables.MACROS)


def _typed(table: str) -> str:
    """The generated rows with every declared column in its type; columns not generated are NULL."""
    declared = raw_columns()[table]
    lineage = "$run as _run, cast($extracted_at as timestamp) as _extracted_at"
    empty = ", ".join(f'cast(null as {type_}) as "{name}"' for name, type_ in declared.items())
    columns = ", ".join(f'cast("{name}" as {type_}) as "{name}"' for name, type_ in declared.items())
    made = f"select *, {lineage} from ({TABLES[table]})"
    return f"select {columns} from (select {empty} where false union all by name {made})"


def _latest(table: str, path: Path) -> dict[str, str | None]:
    clocks = list(CLOCKS.get(table, ()))
    return {"latest": iso(latest(table, parquet.read_table(path, columns=clocks)))} if clocks else {}


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
