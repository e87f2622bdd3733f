"""Winback: a word, what is new, and a discount at the end; an order ends it."""

from __future__ import annotations

from tests.dags.flow.shop_journeys import DAY, NOON, TEA, contact, give_codes, mails_of


def lapsed(number: int) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"order-{number}",
        "occurred_at": NOON - DAY / 2,
        "last_ordered_at": NOON - 180 * DAY,
        "span_days": 180,
    }


def test_three_mails_and_the_discount_is_in_the_last_one_only(circuit, run_dag):
    rows = {
        "core.contacts": [contact(number) for number in (1, 2)],
        "triggers.lapsed": [lapsed(number) for number in (1, 2)],
        "triggers.lapsed_items": [
            {"contact_id": f"shop-{number}", "occurrence_id": f"order-{number}", "position": 1, **TEA}
            for number in (1, 2)
        ],
    }
    give_codes(circuit, "winback", "COMEBACK-1", "COMEBACK-2")
    circuit.publish(rows)
    run_dag("flow/winback")
    assert len(mails_of(circuit, 1)) == len(mails_of(circuit, 2)) == 1
    assert "12. September 2025" in mails_of(circuit, 1)[0] or "11. September 2025" in mails_of(circuit, 1)[0]

    circuit.publish(rows, NOON + 11 * DAY)
    run_dag("flow/winback")
    assert sum("Sencha Kagoshima" in mail for mail in mails_of(circuit, 1)) == 1

    rows["conditions.ordered"] = [{"contact_id": "shop-2", "occurred_at": NOON + 12 * DAY}]
    circuit.publish(rows, NOON + 27 * DAY)
    run_dag("flow/winback")
    reasons = circuit.reasons()
    assert (reasons["discount", "shop-1"], reasons["discount", "shop-2"]) == ("planned", "goal_reached")
    assert ["COMEBACK-" in mail for mail in sorted(mails_of(circuit, 1), key=len)].count(True) == 1
    assert len(mails_of(circuit, 1)) == 3 and len(mails_of(circuit, 2)) == 2
