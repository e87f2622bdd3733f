"""Replenishment: one mail for all that runs out in a week, until all of it has been bought again."""

from __future__ import annotations

from datetime import datetime

from tests.dags.flow.shop_journeys import DAY, NOON, TEA, contact, mails_of

WEEK = "2026-03-16"


def due(number: int, at: datetime, products: int = 1) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": WEEK,
        "occurred_at": at,
        "product_count": products,
        "title": "Sencha",
        "url": TEA["url"],
        "due_on": "2026-03-17",
    }


def item(number: int, position: int, title: str) -> dict:
    product = {"product_id": title, **TEA, "title": title, "due_on": "2026-03-17"}
    return {"contact_id": f"shop-{number}", "occurrence_id": WEEK, "position": position, **product}


def test_one_mail_for_all_and_a_last_one_for_what_is_still_missing(circuit, run_dag):
    rows = {
        "core.contacts": [contact(number) for number in (1, 2, 3)],
        "triggers.replenishment_due": [due(number, NOON - DAY / 2, products=2) for number in (1, 2, 3)],
        "triggers.replenishment_due_items": [
            item(number, position, title)
            for number in (1, 2, 3)
            for position, title in enumerate(("Sencha", "Assam"), start=1)
        ],
    }
    circuit.publish(rows)
    run_dag("flow/replenishment")
    (mail,) = mails_of(circuit, 1)
    assert "Sencha" in mail and "Assam" in mail and "17. März 2026" in mail

    # One has bought one of the two, one has bought both, one something of another week.
    rows["triggers.replenishment_due_items"] = [
        item(1, 1, "Assam"),
        item(3, 1, "Sencha"),
        item(3, 2, "Assam"),
    ]
    rows["conditions.bought_again"] = [
        {"contact_id": "shop-2", "occurrence_id": WEEK, "occurred_at": NOON + DAY},
        {"contact_id": "shop-3", "occurrence_id": "2026-03-09", "occurred_at": NOON + DAY},
    ]
    rows["conditions.ordered"] = [{"contact_id": "shop-3", "occurred_at": NOON + DAY}]
    circuit.publish(rows, NOON + 11 * DAY)
    run_dag("flow/replenishment")
    reasons = circuit.reasons()
    assert [reasons["last_cup", f"shop-{number}"] for number in (1, 2, 3)] == [
        "planned",
        "goal_reached",
        "planned",
    ]
    last = mails_of(circuit, 1)[-1]
    assert "Assam" in last and "Sencha" not in last
