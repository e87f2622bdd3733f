"""A build over a compacted landing zone is the build over the runs as they came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from kreislauf.landing.compact import compact
from kreislauf.landing.zone import LandingZone, write_manifest
from kreislauf.warehouse.engines.changes import raw_change
from kreislauf.warehouse.raw import raw_columns

AS_OF = datetime(2026, 3, 10, tzinfo=UTC)
SELECT = "select customer_id, email, _run from raw.shop_customers"
TABLE = "raw.shop_customers"


@pytest.fixture
def zone(tmp_path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


@pytest.fixture
def land_customers(land):
    """Land customers, each in a run of its own, hour by hour."""

    def land_customers(*numbers: int) -> None:
        for number in numbers:
            customer = {"customer_id": f"c{number}", "updated_at": "2026-01-01T00:00:00"}
            landed = land("shop_customers", [customer], run=f"r{number}")
            write_manifest(replace(landed, as_of=AS_OF - timedelta(hours=12 - number)))

    return land_customers


def compact_all(zone: LandingZone) -> None:
    compact(zone, "shop", "customers", AS_OF + timedelta(days=3))


def publish(engine, zone, as_of=AS_OF):
    build = engine.begin_build(as_of)
    loaded = engine.load_raw(build, zone.manifests())["shop_customers"]
    engine.create_table(build, "staging.customers", SELECT)
    engine.publish(build)
    rows = engine.query(f"{SELECT} order by customer_id", build_id=build.build_id)
    assert loaded == len(rows)
    manifests = engine.query("select * from raw.manifests order by run", build_id=build.build_id)
    return [(row["customer_id"], row["_run"]) for row in rows], manifests


def test_a_build_sees_the_same_rows(engine, zone, land_customers):
    land_customers(1, 2, 3)
    before = publish(engine, zone)
    compact_all(zone)
    assert publish(engine, zone) == before
    # What came since is merged with the rest before a build has seen it.
    land_customers(4, 5)
    compact_all(zone)
    rows, manifests = publish(engine, zone)
    assert rows == [(f"c{number}", f"r{number}") for number in range(1, 6)]
    assert [manifest["run"] for manifest in manifests] == [f"r{number}" for number in range(1, 6)]
    assert len({manifest.table_path("shop_customers") for manifest in zone.manifests()}) == 1


def test_nothing_is_computed_anew(parquet_engine, zone, land_customers):
    def noted():
        return parquet_engine._table(parquet_engine.published().build_id, "staging.customers")

    land_customers(1, 2, 3)
    publish(parquet_engine, zone)
    before = noted()
    compact_all(zone)
    publish(parquet_engine, zone)
    assert noted() == before


@pytest.mark.parametrize("compacted", [(), (1,), (2,), (1, 2)])
def test_what_is_new_is_known_whatever_was_merged(parquet_engine, zone, land_customers, compacted):
    engine, columns = parquet_engine, raw_columns()["shop_customers"]

    def changed(now, was):
        change = raw_change(columns, now, was)
        return [
            sorted(duckdb.sql(f"select customer_id, _run from ({sql})").fetchall())
            for sql in (change.removed, change.added)
        ]

    land_customers(1, 2)
    if 1 in compacted:
        compact_all(zone)
    publish(engine, zone)
    was = engine._table(engine.published().build_id, TABLE)
    assert changed(was, was) == [[], []]
    land_customers(3, 4)
    if 2 in compacted:
        compact_all(zone)
    publish(engine, zone)
    now = engine._table(engine.published().build_id, TABLE)
    assert changed(now, was) == [[], [("c3", "r3"), ("c4", "r4")]]
    narrower = now | {"where": "customer_id >= 'c2' and customer_id < 'c4'"}
    old = was | {"where": None}
    assert changed(narrower, old) == [[("c1", "r1")], [("c3", "r3")]]


def test_what_was_replayed_since_counts_as_changed_altogether(parquet_engine, zone, land_customers):
    land_customers(1, 2)
    publish(parquet_engine, zone)
    was = parquet_engine._table(parquet_engine.published().build_id, TABLE)
    now = was | {"runs": was["runs"] | {"r1": ["other", was["runs"]["r1"][1]]}}
    assert raw_change(raw_columns()["shop_customers"], now, was) is None
