"""Provider events: once each, settling doubt, suppressing at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from kreislauf.ledger import batches, events
from kreislauf.ledger.batches import Verdict
from kreislauf.ledger.schema import BatchState, batch, event, message, suppression
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.testing import plan_people


def _event(event_id: str, event_type: str = "delivered", **columns: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "event_type": event_type,
        "occurred_at": datetime(2026, 11, 20, 7, 0),
        "email": "Ada@example.org",
        **columns,
    }


def _sent(ledger: Ledger) -> Any:
    plan_people(ledger, ["ada"])
    with ledger.read() as connection:
        return connection.execute(select(message)).one()


def _all(ledger: Ledger, table: Any) -> list[Any]:
    with ledger.read() as connection:
        return connection.execute(select(table)).all()


def test_an_event_counts_once(ledger: Ledger) -> None:
    rows = [_event("e1"), _event("e1"), _event("e2", "open", is_machine_open=True)]
    first = events.record(ledger, rows)
    again = events.record(ledger, [_event("e1"), _event("e2", "open")])
    assert (first.new, again.new) == (2, 0)
    stored = {row.event_id: row for row in _all(ledger, event)}
    assert stored["e1"].address == "ada@example.org"
    assert stored["e2"].is_machine_open


@pytest.mark.parametrize("key", ["batch_id", "message_key"])
def test_an_event_of_the_batch_settles_the_doubt(ledger: Ledger, key: str) -> None:
    sent = _sent(ledger)
    claimed = batches.claim(ledger, "flow_welcome", "hello", "me", utc_now())
    batches.answer(ledger, claimed, Verdict(BatchState.IN_DOUBT))
    assert events.record(ledger, [_event("e0", batch_id="another")]).settled == 0
    assert events.record(ledger, [_event("e1", **{key: getattr(sent, key)})]).settled == 1
    (only,) = _all(ledger, batch)
    assert (only.state, only.settled_by) == ("accepted", "event")


def test_an_event_before_the_doubt_settles_it_too(ledger: Ledger) -> None:
    sent = _sent(ledger)
    claimed = batches.claim(ledger, "flow_welcome", "hello", "me", utc_now())
    events.record(ledger, [_event("e1", batch_id=sent.batch_id)])
    assert _all(ledger, batch)[0].state == "claimed"  # its sender still has the word
    batches.answer(ledger, claimed, Verdict(BatchState.IN_DOUBT))
    assert _all(ledger, batch)[0].state == "accepted"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"event_type": "bounce", "bounce_type": "bounce", "status": "5.1.1"}, "hard_bounce"),
        ({"event_type": "bounce", "bounce_type": None, "status": None}, "hard_bounce"),
        ({"event_type": "bounce", "bounce_type": "blocked", "status": "5.7.1"}, None),
        ({"event_type": "bounce", "bounce_type": "bounce", "status": "4.2.2"}, None),
        ({"event_type": "spamreport"}, "complaint"),
        ({"event_type": "unsubscribe"}, "opt_out"),
        ({"event_type": "group_unsubscribe"}, "opt_out"),
        ({"event_type": "group_resubscribe"}, None),
        ({"event_type": "dropped", "reason": "Bounced Address"}, "hard_bounce"),
        ({"event_type": "dropped", "reason": "Unsubscribed Address"}, "opt_out"),
        ({"event_type": "dropped", "reason": "Recipient List over Package Quota"}, None),
        ({"event_type": "deferred"}, None),
        ({"event_type": "open"}, None),
        ({"event_type": "click"}, None),
    ],
)
def test_what_suppresses(ledger: Ledger, given: dict[str, Any], reason: str | None) -> None:
    sent = _sent(ledger)
    result = events.record(ledger, [_event("e1", message_key=sent.message_key) | given])
    found = [(row.address, row.contact_id, row.reason, row.source) for row in _all(ledger, suppression)]
    expected = [("ada@example.org", "ada", reason, "event e1")] if reason else []
    assert (found, result.suppressed) == (expected, len(expected))


def test_a_bounce_without_our_keys_is_known_by_its_address(ledger: Ledger) -> None:
    events.record(ledger, [_event("e1", "bounce", bounce_type="bounce", status="5.1.1")])
    (row,) = _all(ledger, suppression)
    assert (row.address, row.contact_id) == ("ada@example.org", None)


def test_an_event_seen_before_does_not_undo_a_lifted_suppression(ledger: Ledger) -> None:
    from kreislauf.ledger.suppressions import lift

    rows = [_event("e1", "spamreport")]
    events.record(ledger, rows)
    lift(ledger, "event e1", "eve")
    assert events.record(ledger, rows).suppressed == 0
    assert _all(ledger, suppression)[0].lifted_at is not None


def test_an_unknown_type_is_kept_and_reported_without_effect(ledger: Ledger) -> None:
    result = events.record(ledger, [_event("e1", "teleported"), _event("e2", "teleported")])
    assert result.unknown == {"teleported": 2}
    assert {row.type for row in _all(ledger, event)} == {"teleported"}
    assert _all(ledger, suppression) == []
