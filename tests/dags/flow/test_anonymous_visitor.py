"""Visitors nobody knows: an overlay by what they did, one journey before and after they are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from kreislauf.ledger.schema import overlay

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def lingered(visitor: str, contact: str | None = None, **known) -> dict:
    return {
        "contact_id": contact or visitor,
        "occurrence_id": f"{visitor}:2026-03-01",
        "occurred_at": NOON - HOUR,
        "because": "exit_intent",
        **known,
    }


def reach(visitor: str, contact: str | None = None) -> dict:
    return {"contact_id": contact or visitor, "channel": "onsite", "address": visitor}


READER = {"topic": "tea", "content_title": "Matcha at home", "content_url": "https://shop.example/matcha"}


def overlays(circuit) -> dict[str, list[str]]:
    """The kinds shown to each visitor, oldest first."""
    found: dict[str, list[str]] = {}
    with circuit.ledger.read() as connection:
        for row in connection.execute(select(overlay).order_by(overlay.c.created_at)):
            found.setdefault(row.visitor_id, []).append(row.content["kind"])
    return found


def test_readers_get_more_to_read_and_others_a_question(circuit, run_dag):
    circuit.publish(
        {
            "triggers.visitor_lingered": [lingered("v-1", **READER), lingered("v-2")],
            "core.reach": [reach("v-1"), reach("v-2")],
        }
    )
    run_dag("flow/anonymous_visitor")
    run_dag("flow/anonymous_visitor")
    assert overlays(circuit) == {"v-1": ["content"], "v-2": ["survey"]}
    with circuit.ledger.read() as connection:
        shown = connection.execute(select(overlay).where(overlay.c.visitor_id == "v-1")).one()
    assert shown.content["url"].startswith("https://shop.example/matcha?")
    assert "Matcha at home" in shown.content["text"]
    assert circuit.mails() == []


def test_recognised_later_the_journey_is_the_contacts_and_over(circuit, run_dag):
    circuit.publish(
        {
            "triggers.visitor_lingered": [lingered("v-1"), lingered("v-2"), lingered("v-3", **READER)],
            "core.reach": [reach("v-1"), reach("v-2"), reach("v-3")],
        }
    )
    run_dag("flow/anonymous_visitor")

    # v-1 has given its address since.
    circuit.publish(
        {
            "core.contacts": [{"contact_id": "mail-a", "email": "a@example.org"}],
            "core.visitor_keys": [{"visitor_id": "v-1", "contact_id": "mail-a"}],
            "triggers.visitor_lingered": [
                lingered("v-1", "mail-a"),
                lingered("v-2"),
                lingered("v-3", **READER),
            ],
            "core.reach": [reach("v-1", "mail-a"), reach("v-2"), reach("v-3")],
            "conditions.identified": [{"contact_id": "mail-a", "occurred_at": NOON + DAY}],
            "staging.ledger_decisions": decided(circuit),
        },
        NOON + 4 * DAY,
    )
    run_dag("flow/anonymous_visitor")
    assert overlays(circuit) == {
        "v-1": ["survey"],
        "v-2": ["survey", "newsletter"],
        "v-3": ["content", "newsletter"],
    }
    reasons = circuit.reasons()
    assert reasons["newsletter", "v-1"] == "goal_reached", "known to the ledger by its first name"
    assert ("survey", "mail-a") not in reasons


def decided(circuit) -> list[dict]:
    """The decisions as the warehouse reads them back from the ledger."""
    from kreislauf.ledger.schema import decision

    columns = ("flow", "step", "contact_id", "occurrence_id", "reason")
    with circuit.ledger.read() as connection:
        rows = connection.execute(select(*(decision.c[name] for name in columns)))
        return [dict(row._mapping) for row in rows]
