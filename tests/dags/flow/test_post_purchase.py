"""Post purchase: thanks in two forms, what goes with it; after delivery time to try, a review and friends."""

from __future__ import annotations

from datetime import datetime

from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, TEA, contact, mails_of

OFFERS = {
    f"offer_{place}_{part}": TEA[part] if part != "title" else f"Offer {place}"
    for place in (1, 2, 3)
    for part in ("title", "url", "image_url", "unit_amount")
}


def progress(number: int, event: str, at: datetime, **offers) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"{number}-{event}",
        "occurred_at": at,
        "event": event,
        "order_id": str(number),
        "order_name": f"#{number}",
        **offers,
    }


def bought(number: int, event: str) -> dict:
    whose = {"contact_id": f"shop-{number}", "occurrence_id": f"{number}-{event}"}
    return {**whose, "position": 1, **TEA}


def test_an_order_is_thanked_for_in_two_forms_and_followed_by_what_goes_with_it(circuit, run_dag):
    numbers = range(1, 21)
    rows = {
        "core.contacts": [contact(number) for number in numbers],
        "triggers.order_progress": [
            progress(number, "placed", NOON - 3 * HOUR, **OFFERS if number > 1 else {}) for number in numbers
        ],
        "triggers.order_progress_items": [bought(number, "placed") for number in numbers],
    }
    circuit.publish(rows)
    run_dag("flow/post_purchase")
    with_pictures = sum("Sencha Kagoshima" in mails_of(circuit, number)[0] for number in numbers)
    assert 4 <= with_pictures <= 16
    assert set(circuit.reasons().values()) == {"branched", "planned", "not_due", "other_branch"}

    rows["conditions.ordered"] = [{"contact_id": "shop-2", "occurred_at": NOON + DAY}]
    circuit.publish(rows, NOON + 15 * DAY)
    run_dag("flow/post_purchase")
    reasons = circuit.reasons()
    assert (reasons["cross_sell", "shop-2"], reasons["cross_sell", "shop-3"]) == (
        "condition_false",
        "planned",
    )
    assert all(f"Offer {place}" in mails_of(circuit, 3)[-1] + mails_of(circuit, 3)[0] for place in (1, 2, 3))
    assert len(mails_of(circuit, 1)) == 2, "without anything to offer the shop itself is offered"


def test_after_delivery_there_is_time_to_try_then_a_review_then_friends(circuit, run_dag):
    rows = {
        "core.contacts": [contact(1)],
        "triggers.order_progress": [
            progress(1, "placed", NOON - 40 * DAY),
            progress(1, "delivered", NOON - 9 * DAY),
        ],
        "triggers.order_progress_items": [bought(1, "placed"), bought(1, "delivered")],
    }
    circuit.publish(rows)
    run_dag("flow/post_purchase")
    assert circuit.mails() == []

    for days, mails in ((2, 1), (10, 1), (17, 2)):
        circuit.publish(rows, NOON + days * DAY)
        run_dag("flow/post_purchase")
        assert len(mails_of(circuit, 1)) == mails
    assert sum("Sencha Kagoshima" in mail for mail in mails_of(circuit, 1)) == 1
