"""A small stream, a source whose lines the test gives, and a way to read what was landed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import Position
from kreislauf.sources.streams import Column, Stream, Table

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

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


@pytest.fixture
def zone(tmp_path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


@pytest.fixture
def rows() -> Callable[..., list[dict[str, Any]]]:
    """The rows of a raw table over some manifests, or of their quarantine."""

    def read(manifests: Manifest | list[Manifest], table: str) -> list[dict[str, Any]]:
        listed = manifests if isinstance(manifests, list) else [manifests]
        if table == "quarantine":
            paths = [manifest.quarantine_path for manifest in listed if manifest.quarantined]
        else:
            paths = [manifest.table_path(table) for manifest in listed if table in manifest.tables]
        if not paths:
            return []
        found = duckdb.connect().sql(
            "select * from read_parquet(?, hive_partitioning = false)", params=[paths]
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
