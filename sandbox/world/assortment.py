"""What the merchant changes every week: prices go down for a while, products sell out and come back."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.store import iso
from sandbox.world import catalogue
from sandbox.world.shopping import CENT
from sandbox.world.simulation import Entry

EVERY = timedelta(days=7)
REDUCED, SOLD_OUT = 3, 2
"""How many products a week are reduced, and how many sell out."""
PERCENT_OFF = (10, 15, 20, 25)
REDUCED_DAYS, SOLD_OUT_DAYS = (4, 8), (5.5, 7.5)


def rearrange(entry: Entry) -> None:
    """A week's changes. Each week has its own products, so that no two changes of one meet."""
    week, rng = entry.data["week"], entry.rng
    numbers = [product.id for product in entry.sim.products]
    random.Random(f"{entry.sim.seed}:assortment").shuffle(numbers)
    count = REDUCED + SOLD_OUT
    chosen = [numbers[place % len(numbers)] for place in range(week * count, (week + 1) * count)]
    prices = {product.id: product.price for product in entry.sim.products}
    for number in chosen[:REDUCED]:
        share = Decimal(100 - rng.choice(PERCENT_OFF)) / 100
        _change(entry, number, price=str((prices[number] * share).quantize(CENT, ROUND_HALF_UP)))
        back = {"product": number, "price": str(prices[number])}
        entry.sim.schedule("raise_price", entry.at + timedelta(days=rng.uniform(*REDUCED_DAYS)), 0, **back)
    for number in chosen[REDUCED:]:
        _change(entry, number, inventory=0)
        back = entry.at + timedelta(days=rng.uniform(*SOLD_OUT_DAYS))
        entry.sim.schedule("restock", back, 0, product=number)
    entry.sim.schedule("rearrange", entry.at + EVERY, 0, week=week + 1)


def raise_price(entry: Entry) -> None:
    """The usual price again."""
    _change(entry, entry.data["product"], price=entry.data["price"])


def restock(entry: Entry) -> None:
    """New goods have come."""
    _change(entry, entry.data["product"], inventory=entry.rng.randrange(20, 400))


def _change(entry: Entry, number: int, **change: Any) -> None:
    [(column, value)] = change.items()
    entry.db.execute(
        f"update shop_products set {column} = ?, updated_at = ? where id = ?",  # ruff: ignore[hardcoded-sql-expression] - our own names
        (value, iso(entry.at), number),
    )
    entry.sim.products = catalogue.read(entry.db)


HANDLERS = {"rearrange": rearrange, "raise_price": raise_price, "restock": restock}
