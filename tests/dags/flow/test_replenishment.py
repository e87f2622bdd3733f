"""Replenishment: a reminder for each product that runs out, one a week; buying that product again ends it."""

from __future__ import annotations

from datetime import datetime

from tests.dags.flow.shop_journeys import DAY, NOON, TEA, contact, mails_of


def due(number: int, product: str, at: datetime) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"{product}-2026-01-10",
        "occurred_at": at,
        "product_id": product,
        "bought_on": "2026-01-10",
        "due_on": (at + 7 * DAY).date().isoformat(),
        **TEA,
        "title": product,
    }


def test_a_reminder_and_a_last_one_until_that_product_is_bought_again(circuit, run_dag):
    rows = {
        "core.contacts": [contact(number) for number in (1, 2, 3)],
        "triggers.replenishment_due": [due(number, "sencha", NOON - DAY / 2) for number in (1, 2, 3)],
    }
    circuit.publish(rows)
    run_dag("flow/replenishment")
    (mail,) = mails_of(circuit, 1)
    assert "10. Januar 2026" in mail and "17. März 2026" in mail

    again = {"contact_id": "shop-2", "occurrence_id": "sencha-2026-01-10", "occurred_at": NOON + DAY}
    other = {"contact_id": "shop-3", "occurrence_id": "assam-2026-01-10", "occurred_at": NOON + DAY}
    rows["conditions.bought_again"] = [again, other]
    rows["conditions.ordered"] = [{"contact_id": "shop-3", "occurred_at": NOON + DAY}]
    circuit.publish(rows, NOON + 8 * DAY)
    run_dag("flow/replenishment")
    reasons = circuit.reasons()
    assert [reasons["last_cup", f"shop-{number}"] for number in (1, 2, 3)] == [
        "planned",
        "goal_reached",
        "planned",
    ]


def test_of_two_products_that_run_out_together_one_waits(circuit, run_dag):
    found = [due(1, "sencha", NOON - DAY / 2), due(1, "assam", NOON - DAY)]
    rows = {"core.contacts": [contact(1)], "triggers.replenishment_due": found}
    for days in (0, 2):
        circuit.publish(rows, NOON + days * DAY)
        run_dag("flow/replenishment")
    (mail,) = mails_of(circuit, 1)
    assert "sencha" in mail, "the younger occurrence comes first"
