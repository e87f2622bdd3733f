"""Browse abandonment: one product, one link, at most one mail in two weeks."""

from __future__ import annotations

import re
from datetime import datetime

from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, TEA, contact, mails_of


def looked(number: int, product: str, at: datetime) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"{product}-2026-01-01",
        "occurred_at": at,
        "product_id": product,
        "views": 2,
        **TEA,
    }


def test_one_product_one_link_once_in_two_weeks(circuit, run_dag):
    rows = {
        "core.contacts": [contact(number) for number in (1, 2, 3)],
        "triggers.browse_abandoned": [
            looked(1, "sencha", NOON - 5 * HOUR),
            looked(2, "sencha", NOON - 5 * HOUR),
            looked(3, "sencha", NOON - HOUR),
        ],
        "conditions.ordered": [{"contact_id": "shop-2", "occurred_at": NOON - HOUR}],
    }
    circuit.publish(rows)
    run_dag("flow/browse_abandonment")
    assert circuit.reasons() == {
        ("looked", "shop-1"): "planned",
        ("looked", "shop-2"): "goal_reached",
        ("looked", "shop-3"): "not_due",
    }
    (mail,) = mails_of(circuit, 1)
    targets = {link.split("?")[0] for link in re.findall(r'href="(https://shop\.example[^"]+)"', mail)}
    assert targets == {"https://shop.example", TEA["url"]}, "the shop's name above, and the product"

    # Another product within the fortnight waits, and is not worth a mail when it is over.
    rows["triggers.browse_abandoned"] = [looked(1, "assam", NOON + 10 * DAY)]
    for days, reason in ((11, "frequency_cap"), (13, "expired")):
        circuit.publish(rows, NOON + days * DAY)
        run_dag("flow/browse_abandonment")
        with circuit.ledger.read() as connection:
            found = connection.exec_driver_sql(
                "select reason from decision where occurrence_id = 'assam-2026-01-01'"
            ).scalar_one()
        assert found == reason
    assert len(mails_of(circuit, 1)) == 1
