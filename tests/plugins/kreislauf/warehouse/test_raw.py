"""Which rows of the landing zone a build as of a moment has."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pyarrow
import pytest

from kreislauf.landing.manifest import iso
from kreislauf.sources.clocks import CLOCKS, latest
from kreislauf.sources.streams import STREAMS
from kreislauf.warehouse.raw import cut, raw_columns

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_raw_table_has_its_clocks_or_belongs_to_one_that_has():
    for stream in STREAMS:
        for name, table in stream.tables.items():
            assert name in CLOCKS or table.explode
            assert set(CLOCKS.get(name, ())) <= set(raw_columns()[name])


def with_latest(manifest, table, moment):
    return dataclasses.replace(manifest, tables={table: manifest.tables[table] | {"latest": moment}})


@pytest.mark.parametrize(
    ("moment", "is_cut"),
    [("2025-12-31T23:59:59.999999Z", False), ("2026-01-01T00:00:00Z", True), (None, True)],
)
def test_a_condition_is_needed_only_where_a_part_may_reach_beyond(land, moment, is_cut):
    early = with_latest(land("site_events", [{}], run="r1"), "site_events", "2025-01-01T00:00:00Z")
    part = with_latest(land("site_events", [{}], run="r2"), "site_events", moment)
    wanted = "cast(occurred_at as timestamp) < timestamp '2026-01-01 00:00:00'" if is_cut else None
    assert cut("site_events", [early, part], AS_OF) == wanted


def test_lines_come_with_their_record(land):
    assert cut("shop_order_lines", [land("shop_order_lines", [{}])], AS_OF) is None


def test_the_ledger_read_for_a_later_moment_is_looked_at_row_by_row(land):
    part = with_latest(land("ledger_messages", [{}]), "ledger_messages", "2025-12-31T00:00:00Z")
    assert cut("ledger_messages", [part], part.as_of) is None
    found = cut("ledger_messages", [part], part.as_of - timedelta(seconds=1))
    assert found == "(_run not in ('20260101T000000Z') or updated_at < timestamp '2025-12-31 23:59:59')"


@pytest.mark.parametrize(("moment", "is_cut"), [(AS_OF, False), (AS_OF + timedelta(microseconds=1), True)])
def test_what_was_recorded_of_the_moment_itself_belongs_to_it(land, moment, is_cut):
    part = with_latest(land("membership_changes", [{}]), "membership_changes", iso(moment))
    wanted = "cast(as_of as timestamp) <= timestamp '2026-01-01 00:00:00'" if is_cut else None
    assert cut("membership_changes", [part], AS_OF) == wanted


def test_the_latest_of_all_clocks():
    times = [datetime(2025, 1, 3), datetime(2025, 1, 1)]
    rows = pyarrow.table({"updated_at": times, "created_at": [datetime(2025, 1, 2)] * 2})
    assert latest("shop_refunds", rows) == datetime(2025, 1, 3, tzinfo=UTC)
    assert latest("ad_spend", pyarrow.table({"day": [date(2025, 1, 3)]})) == datetime(2025, 1, 3, tzinfo=UTC)
    missing = pyarrow.table({"updated_at": [*times, None], "created_at": [*times, times[0]]})
    assert latest("shop_refunds", missing) is None
    assert latest("shop_order_lines", rows) is None
