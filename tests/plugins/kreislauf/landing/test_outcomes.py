from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from kreislauf.connections import Connection
from kreislauf.landing import outcomes
from kreislauf.landing.compact import compact
from kreislauf.landing.extract import extract
from kreislauf.landing.outcomes import record_outcomes
from kreislauf.landing.replay import replay_stream
from kreislauf.ledger.schema import event, suppression
from kreislauf.ledger.store import Ledger
from kreislauf.sources.streams import MAIL_EVENTS
from tests.plugins.kreislauf.landing.conftest import DAY, LATER


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    found = Ledger.open(Connection("ledger", "sqlite", host=str(tmp_path / "ledger.sqlite")))
    found.migrate()
    return found


@pytest.fixture
def land(zone, given, noon):
    """Land mail events: an hour later each time."""
    hours = iter(range(100))

    def land(*numbers: int, **changes):
        records = [
            {
                "sg_event_id": f"e{n}",
                "timestamp": 1764000000 + n,
                "event": "open",
                "email": f"p{n}@example.com",
            }
            | changes
            for n in numbers
        ]
        return extract(given(records), MAIL_EVENTS, zone, noon + timedelta(hours=next(hours)))

    return land


def recorded(ledger: Ledger) -> set[str]:
    with ledger.read() as connection:
        return set(connection.scalars(select(event.c.event_id)))


def test_the_ledger_gets_the_events_of_all_runs_it_does_not_have(zone, ledger, land):
    land(1, 2)
    land(3)
    assert record_outcomes(zone, ledger)["new"] == 3
    land(4)
    assert record_outcomes(zone, ledger) | {"unknown": 0} == {
        "runs": 1,
        "received": 1,
        "new": 1,
        "settled": 0,
        "suppressed": 0,
        "unknown": 0,
    }
    assert recorded(ledger) == {"e1", "e2", "e3", "e4"}


def test_of_a_part_that_several_runs_share_each_event_is_taken_once(zone, ledger, land):
    land(1, 2)
    land(3)
    compact(zone, "mail", "events", LATER)
    assert compact(zone, "mail", "events", LATER + 30 * DAY).removed == 2
    land(4)
    counts = record_outcomes(zone, ledger)
    assert (counts["runs"], counts["received"]) == (3, 4)
    assert recorded(ledger) == {"e1", "e2", "e3", "e4"}


def test_what_a_replay_brings_back_from_quarantine_is_recorded(zone, ledger, land):
    manifest = land(1, event="unsubscribe", url_offset={"index": "none", "type": "html"})
    assert manifest.quarantined == 1
    assert record_outcomes(zone, ledger)["new"] == 0
    table = MAIL_EVENTS.tables["mail_events"]
    columns = {name: column for name, column in table.columns.items() if "url_offset" not in column.path}
    mended = replace(MAIL_EVENTS, tables={"mail_events": replace(table, columns=columns)})
    replay_stream(zone, mended)
    assert record_outcomes(zone, ledger) | {"unknown": 0} == {
        "runs": 1,
        "received": 1,
        "new": 1,
        "settled": 0,
        "suppressed": 1,
        "unknown": 0,
    }


def test_nothing_new(zone, ledger, land):
    land()
    assert record_outcomes(zone, ledger)["runs"] == 0
    assert record_outcomes(zone, ledger)["runs"] == 0


def test_a_bounce_suppresses(zone, ledger, land):
    land(1, event="bounce", status="5.1.1", type="bounce")
    assert record_outcomes(zone, ledger)["suppressed"] == 1
    with ledger.read() as connection:
        assert connection.scalars(select(suppression.c.address)).all() == ["p1@example.com"]


def test_a_task_that_was_killed_in_between_takes_up_what_is_left(zone, ledger, land, monkeypatch):
    land(1)
    land(2)
    real = outcomes.new_file
    monkeypatch.setattr(outcomes, "new_file", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        record_outcomes(zone, ledger)
    assert recorded(ledger) == {"e1"}
    monkeypatch.setattr(outcomes, "new_file", real)
    counts = record_outcomes(zone, ledger)
    assert (counts["received"], counts["new"]) == (2, 1)
    assert recorded(ledger) == {"e1", "e2"}


def test_an_older_run_that_commits_late_is_not_forgotten(zone, ledger, given, noon):
    for hours, number in ((2, 1), (1, 2)):
        records = [
            {"sg_event_id": f"e{number}", "timestamp": 1764000000, "event": "open", "email": "p@example.com"}
        ]
        extract(given(records), MAIL_EVENTS, zone, noon + timedelta(hours=hours), since=noon)
        record_outcomes(zone, ledger)
    assert recorded(ledger) == {"e1", "e2"}
