"""A message that waits is taken back when a newer build does not know its consent any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kreislauf.flow.withdraw import withdraw
from kreislauf.ledger.batches import message_states
from kreislauf.ledger.store import utc_now
from kreislauf.ledger.testing import AS_OF, plan_people
from kreislauf.warehouse.engines.base import BuildInfo
from tests.properties.circuit import Tables

LATER = AS_OF + timedelta(hours=8)
ROWS = {
    "core.contact_keys": [
        {"record_id": "ada", "contact_id": "ada"},
        {"record_id": "bob", "contact_id": "bob"},
        {"record_id": "o'cy", "contact_id": "ada"},
    ],
    "core.permissions": [
        {"contact_id": "ada", "channel": "email", "topic": "marketing"},
        {"contact_id": "bob", "channel": "sms", "topic": "marketing"},
        {"contact_id": "bob", "channel": "email", "topic": "recipes"},
    ],
}


def states(ledger) -> dict[str, int]:
    with ledger.read() as connection:
        return {f"{row.state} {row.reason}".strip(): row.messages for row in message_states(connection)}


@pytest.mark.parametrize(
    ("built_at", "due_by", "taken_back"),
    [(LATER, LATER, 2), (AS_OF, LATER, 0), (LATER, AS_OF - timedelta(hours=1), 0)],
)
def test_only_what_was_planned_before_the_build_and_is_due(ledger, built_at, due_by, taken_back):
    plan_people(ledger, ["ada", "bob", "o'cy", "gone"])
    build = BuildInfo("b", built_at)
    assert withdraw(ledger, Tables(ROWS), build, due_by) == taken_back
    assert withdraw(ledger, Tables(ROWS), build, due_by) == 0
    assert states(ledger).get("skipped no_consent", 0) == taken_back
    assert states(ledger)["planned"] == 4 - taken_back


def test_what_was_claimed_is_gone(ledger):
    from kreislauf.ledger.batches import claim

    plan_people(ledger, ["bob"])
    claim(ledger, "flow_welcome", "hello", "me", utc_now())
    assert withdraw(ledger, Tables(ROWS), BuildInfo("b", LATER), LATER) == 0
    assert states(ledger) == {"claimed": 1}
