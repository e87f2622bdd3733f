"""A small stream, a source whose lines the test gives, and a way to read what was landed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from kreislauf.landing.compact import compact
from kreislauf.landing.extract import write_pages
from kreislauf.landing.load import load
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import Position
from kreislauf.sources.streams import Column, Stream, Table

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = max(datetime.now(UTC), NOON) + 60 * DAY
"""Long after the files of a test were written and their months were over."""

ORDERS = Stream(
    "shop",
    "things",
    {
        "things": Table(
            {
                "thing_id": Column("$.id", required=True),
                "updated_at": Column("$.updatedAt", "TIMESTAMP", required=True),
                "amount": Column("$.total.amount", "DECIMAL(18,2)"),
                "is_test": Column("$.test", "BOOLEAN"),
                "tags": Column("$.tags", "JSON_LIST"),
            }
        ),
        "thing_lines": Table(
            {
                "line_id": Column("$.id", required=True),
                "thing_id": Column("$parent.id", required=True),
                "quantity": Column("$.quantity", "BIGINT"),
            },
            explode="$.lines.nodes",
        ),
    },
)


class Given:
    """A source of given records (or raw lines); remembers the windows it was asked for."""

    api_version = "test"

    def __init__(
        self, records: Iterable[Any], goes_by_window: bool = True, clock: datetime | None = None
    ) -> None:
        self.records = records
        self.clock = clock
        self.goes_by_window = goes_by_window
        self.windows: list[Window] = []
        self.commits = 0

    def now(self) -> datetime | None:
        return self.clock

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]:
        self.windows.append(window)
        for record in self.records:
            yield record if isinstance(record, bytes) else json.dumps(record).encode()

    def position(self) -> Position:
        return Position()

    def committed(self) -> None:
        self.commits += 1


def thing(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"t{number}",
        "updatedAt": "2026-11-22T10:00:00Z",
        "total": {"amount": "12.50"},
        "test": False,
        "tags": ["a", "b"],
        "lines": {"nodes": [{"id": f"t{number}-1", "quantity": 2}]},
    } | changes


def as_extracted(manifest: Manifest) -> Manifest:
    """A manifest without what compaction adds to it, and without its place."""
    tables = {
        name: {key: value for key, value in entry.items() if key != "compacted"}
        for name, entry in manifest.tables.items()
    }
    return replace(manifest, tables=tables, folder=None)


def parts(zone: LandingZone) -> int:
    """Over how many files the things are spread."""
    return len({m.table_path("things") for m in zone.manifests() if "things" in m.tables})


@pytest.fixture
def zone(tmp_path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


@pytest.fixture
def rows() -> Callable[..., list[dict[str, Any]]]:
    """The rows of a raw table over some manifests, or of their quarantine: of each file once, as engines."""

    def read(manifests: Manifest | list[Manifest], table: str) -> list[dict[str, Any]]:
        listed = manifests if isinstance(manifests, list) else [manifests]
        if table == "quarantine":
            paths = [manifest.quarantine_path for manifest in listed if manifest.quarantined]
        else:
            paths = [manifest.table_path(table) for manifest in listed if table in manifest.tables]
        if not paths:
            return []
        found = duckdb.connect().sql(
            "select * from read_parquet(?, hive_partitioning = false)", params=[list(dict.fromkeys(paths))]
        )
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    return read


@pytest.fixture
def given() -> type[Given]:
    return Given


@pytest.fixture
def make_thing() -> Callable[..., dict[str, Any]]:
    return thing


@pytest.fixture
def things() -> Stream:
    return ORDERS


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def ingest(zone, things, given, make_thing, noon) -> Callable[..., Manifest]:
    """Land `count` things as of so many hours before noon; numbered on, so that each row is another."""
    numbers = iter(range(1_000_000))

    def land(hours: float, count: int = 2, stream=things, into=zone, **changes) -> Manifest:
        moment = noon - timedelta(hours=hours)
        run = into.begin(stream.source, stream.name, moment)
        records = given(make_thing(next(numbers), **changes) for _ in range(count))
        pages = write_pages(run.folder, records.read(stream, Window(None, moment), None))
        loaded = load(stream, run.folder, pages, run.name, run.started)
        manifest = Manifest(
            run=run.name,
            source=stream.source,
            stream=stream.name,
            window=Window(None, moment),
            as_of=moment,
            extracted_at=run.started,
            api_version=None,
            pages=pages,
            **vars(loaded),
            folder=run.folder,
        )
        run.commit(manifest)
        return manifest

    return land


@pytest.fixture
def run(zone, noon):
    """Compact the things, by default long after noon."""

    def run(now: datetime = noon + 3 * DAY, **options):
        return compact(zone, "shop", "things", now, **options)

    return run


@pytest.fixture
def seen(zone, rows):
    """All that a build takes from the landing zone, but where it is."""

    def seen(of: LandingZone = zone):
        manifests = of.manifests()
        return (
            {table: sorted(rows(manifests, table), key=repr) for table in ("things", "thing_lines")},
            sorted(repr(as_extracted(manifest)) for manifest in manifests),
        )

    return seen
