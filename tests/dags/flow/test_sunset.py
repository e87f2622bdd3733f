"""The last attempt, the audience of those who did not answer, and the way back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from kreislauf.ledger.schema import audience_member
from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, contact, mails_of

TEN = NOON - 2 * HOUR


def members(circuit: Any) -> dict[str, bool]:
    """Whether those who were ever in the audience are in it now."""
    c = audience_member.c
    with circuit.ledger.read() as connection:
        rows = connection.execute(select(c.contact_id, c.left_at).where(c.audience == "sunset"))
        return {contact_id: left_at is None for contact_id, left_at in rows}


def test_silence_leads_into_the_audience_and_a_sign_of_life_out_of_it(circuit, run_dag):
    silent = [
        {"contact_id": f"shop-{number}", "occurrence_id": "2025-05-01", "occurred_at": TEN - 31 * DAY}
        for number in (1, 2)
    ]
    rows = {"core.contacts": [contact(1), contact(2)], "triggers.sunset_due": silent}
    circuit.publish(rows, TEN)
    run_dag("flow/sunset")
    assert len(mails_of(circuit, 1)) == len(mails_of(circuit, 2)) == 1
    assert members(circuit) == {}

    rows["conditions.engaged"] = [{"contact_id": "shop-1", "occurred_at": NOON + DAY}]
    for days in (13, 14, 14):
        circuit.publish(rows, TEN + days * DAY)
        run_dag("flow/sunset")
    assert circuit.reasons()["sunset", "shop-1"] == "goal_reached"
    assert circuit.reasons()["sunset", "shop-2"] == "planned"
    assert members(circuit) == {"shop-2": True}
    assert len(circuit.mails()) == 2

    back = {"contact_id": "shop-2", "occurrence_id": "2026-03-25", "occurred_at": NOON + 20 * DAY - HOUR}
    circuit.publish({"core.contacts": [contact(2)], "triggers.sunset_answered": [back]}, NOON + 20 * DAY)
    for _ in range(2):
        assert run_dag("flow/sunset_return")["state"] == "success"
    assert members(circuit) == {"shop-2": False}
