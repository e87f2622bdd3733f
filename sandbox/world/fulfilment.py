"""What becomes of an order: paid, shipped, cancelled, sent back."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.store import iso
from sandbox.world.shopping import CENT
from sandbox.world.simulation import Entry

DELIVERY_DAYS = (0.8, 3.2)
"""How many days a parcel is under way."""
SERVICE_SHARE = 0.07
"""Of those who got a parcel, how many ask the service something."""


def pay(entry: Entry) -> None:
    entry.db.execute(
        "update shop_orders set financial_status = 'PAID', updated_at = ?"
        " where id = ? and financial_status = 'PENDING'",
        (iso(entry.at), entry.data["order"]),
    )


def ship(entry: Entry) -> None:
    order, now = entry.data["order"], iso(entry.at)
    entry.db.execute(
        "update shop_orders set fulfillment_status = 'FULFILLED', updated_at = ?"
        " where id = ? and cancelled_at is null",
        (now, order),
    )
    parcel = entry.sim.next_id("fulfilment", 4_800_000_000_001)
    entry.db.execute("insert into shop_fulfillments values (?, ?, ?, ?, null)", (parcel, order, now, now))
    entry.some_day("deliver", entry.rng.uniform(*DELIVERY_DAYS), order=order, parcel=parcel)
    if entry.rng.random() < 0.10:
        entry.some_day("survey", entry.rng.uniform(4, 16))
    if entry.rng.random() < 0.008:
        entry.some_day("letter_back", entry.rng.uniform(10, 30))


def deliver(entry: Entry) -> None:
    """The carrier has handed the parcel over."""
    now = iso(entry.at)
    entry.db.execute(
        "update shop_fulfillments set delivered_at = ?, updated_at = ? where id = ?",
        (now, now, entry.data["parcel"]),
    )
    entry.db.execute("update shop_orders set updated_at = ? where id = ?", (now, entry.data["order"]))
    if entry.rng.random() < SERVICE_SHARE:
        entry.some_day("ask_service", entry.rng.uniform(0, 6))


def cancel(entry: Entry) -> None:
    """The customer thinks better of it: everything is paid back, shipping too."""
    order = _order(entry)
    give_back(
        entry, order, {row["id"]: row["quantity"] for row in _lines(entry)}, "Order cancelled", whole=True
    )
    entry.db.execute("update shop_orders set cancelled_at = ? where id = ?", (iso(entry.at), order["id"]))


def refund(entry: Entry) -> None:
    """Goods come back: often one line or a part of one, sometimes all."""
    lines = _lines(entry)
    if entry.rng.random() < 0.35:
        returned = {row["id"]: row["quantity"] for row in lines}
    else:
        line = entry.rng.choice(lines)
        returned = {line["id"]: entry.rng.randint(1, line["quantity"])}
    give_back(
        entry, _order(entry), returned, entry.rng.choice(("Damaged in transit", "Not as expected", None))
    )


def give_back(
    entry: Entry, order: Any, returned: dict[int, int], note: str | None, whole: bool = False
) -> None:
    """Record a refund of so many pieces of each line and correct the order."""
    refund_id = entry.sim.next_id("refund", 4_400_000_000_001)
    amount = Decimal("0.00")
    for line in _lines(entry):
        quantity = returned.get(line["id"], 0)
        if quantity == 0:
            continue
        paid = Decimal(line["unit_price"]) * line["quantity"] - Decimal(line["discount"])
        share = (paid * quantity / line["quantity"]).quantize(CENT, ROUND_HALF_UP)
        amount += share
        entry.db.execute(
            "insert into shop_refund_lines values (?, ?, ?, ?, ?)",
            (
                entry.sim.next_id("refund_line", 4_500_000_000_001),
                refund_id,
                line["id"],
                quantity,
                str(share),
            ),
        )
        entry.db.execute(
            "update shop_order_lines set current_quantity = current_quantity - ? where id = ?",
            (quantity, line["id"]),
        )
    if whole:
        amount = Decimal(order["total"])
    now = iso(entry.at)
    entry.db.execute(
        "insert into shop_refunds values (?, ?, ?, ?, ?, ?)",
        (refund_id, order["id"], now, now, str(amount), note),
    )
    status = "REFUNDED" if amount >= Decimal(order["subtotal"]) else "PARTIALLY_REFUNDED"
    entry.db.execute(
        "update shop_orders set refunded = ?, financial_status = ?, updated_at = ? where id = ?",
        (str(amount), status, now, order["id"]),
    )


def _order(entry: Entry) -> Any:
    return entry.db.execute("select * from shop_orders where id = ?", (entry.data["order"],)).fetchone()


def _lines(entry: Entry) -> list[Any]:
    return entry.db.execute(
        "select * from shop_order_lines where order_id = ? order by id", (entry.data["order"],)
    ).fetchall()


HANDLERS = {"pay": pay, "ship": ship, "deliver": deliver, "cancel": cancel, "refund": refund}
