"""What moment a build looks from."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from kreislauf.warehouse.operator import as_of_of_run

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _context(as_of=None, **moments):
    """`moments`: the moments announced by each asset."""
    events = {
        asset: [SimpleNamespace(extra={"as_of": moment}) for moment in announced]
        for asset, announced in moments.items()
    }
    return {
        "params": {"as_of": as_of},
        "triggering_asset_events": events,
        "dag_run": SimpleNamespace(run_after=NOON),
    }


def test_the_earliest_moment_that_all_extractions_have_reached():
    context = _context(
        shop=["2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"], engagement=["2026-11-22T11:00:00Z"]
    )
    assert as_of_of_run(context) == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_the_form_goes_before_the_events():
    context = _context("2026-11-01T06:00:00", shop=["2026-11-22T10:00:00Z"])
    assert as_of_of_run(context) == datetime(2026, 11, 1, 6, tzinfo=UTC)


def test_a_run_by_hand_looks_from_its_start():
    assert as_of_of_run(_context()) == NOON
