"""What shoppers do: look, search, fill a cart, leave it or buy, come back, send things back."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.shop import discounts
from sandbox.store import iso, parse
from sandbox.world import traffic
from sandbox.world.catalogue import COMPANIONS, SEARCHES, Product, handle_of
from sandbox.world.people import Person
from sandbox.world.reading import read_something
from sandbox.world.simulation import Entry, site_url

CENT = Decimal("0.01")
FREE_SHIPPING_FROM = Decimal("50.00")
SHIPPING = Decimal("4.90")

WISHED = 0.05
"""The share of the products looked at that go onto the wish list."""
EYED = 0.4
"""How many of those who leave without buying come back to look at the same product."""

Basket = list[tuple[Product, int]]


def product_gid(product_id: int) -> str:
    return f"gid://shopify/Product/{product_id}"


# ------------------------------------------------------------------------------------ visits


def visit(entry: Entry) -> None:
    """One visit to the shop: pages, products, perhaps a cart, perhaps a purchase.

    `first`: the person has not been here before; `friend`: by the link of this customer.
    """
    person, rng, sim = entry.person, entry.rng, entry.sim
    if person.asleep and not entry.data.get("abandon"):
        return
    at = entry.at
    known = person.customer_id is not None and rng.random() < 0.75
    came_by = traffic.origin(person, rng, bool(entry.data.get("first")))
    if friend := entry.data.get("friend"):
        came_by = referral(friend)
    stay = rng.randrange(4, 90)
    sim.site(person, at, "page_view", site_url("/"), known=known, seconds_on_page=stay, **came_by)
    at += timedelta(seconds=stay)
    if rng.random() < 0.22:
        query = rng.choice(SEARCHES)
        at += timedelta(seconds=rng.randrange(10, 60))
        sim.site(
            person, at, "search", site_url(f"/search?q={query.replace(' ', '+')}"), known=known, query=query
        )
    basket = choose(person, rng, sim.products)
    looked_at = [product for product, _ in basket] + rng.choices(sim.products, k=rng.randrange(0, 3))
    looked_at += [product for product in sim.products if product.id == person.eyeing]
    for product in looked_at:
        stay = rng.randrange(15, 140)
        url = site_url(f"/products/{handle_of(product.title)}")
        sim.site(
            person, at, "product_view", url,
            known=known, product_id=product_gid(product.id), seconds_on_page=stay,
        )  # fmt: skip
        at += timedelta(seconds=stay)
    if rng.random() < 0.09:
        at = read_something(entry, at, known)
    if entry.data.get("abandon"):
        fill_cart(entry, basket, at, known)
        abandon(entry, basket, at)
    elif wants_to_buy(entry):
        at = fill_cart(entry, basket, at, known)
        buy(entry, basket, at)
    elif rng.random() < 0.20:
        at = fill_cart(entry, basket, at, known)
        if rng.random() < 0.6:
            abandon(entry, basket, at)
    make_up_mind(entry, looked_at, at, known)
    if not entry.data.get("extra"):
        next_visit(entry)


def make_up_mind(entry: Entry, looked_at: list[Product], at: datetime, known: bool) -> None:
    """Some products go onto the wish list, and one may be looked at again next time."""
    person, rng = entry.person, entry.rng
    for product in looked_at:
        if rng.random() < WISHED:
            url = site_url(f"/products/{handle_of(product.title)}")
            entry.sim.site(person, at, "wish", url, known=known, product_id=product_gid(product.id))
    has_bought = person.last_purchase_at is not None and parse(person.last_purchase_at) >= entry.at
    if has_bought:
        person.eyeing = None
    elif looked_at and rng.random() < EYED:
        person.eyeing = looked_at[-1].id
    if person.notified:
        entry.sim.allow_notifications(person, at)


def wants_to_buy(entry: Entry) -> bool:
    person = entry.person
    if person.role == "subscriber":
        return entry.rng.random() < 0.02
    if person.purchases >= person.purchases_at_most or not person.valid:
        return False
    if person.purchases == 0:
        return entry.rng.random() < 0.55
    since = (entry.at - parse(person.last_purchase_at or iso(entry.at))).total_seconds() / 86400
    return since >= 0.7 * person.interval and entry.rng.random() < 0.6


def next_visit(entry: Entry) -> None:
    """People visit about three times a purchase; some lose interest for good."""
    person, rng = entry.person, entry.rng
    tired = {"fader": 0.0, "one_timer": 0.12, "browser": 0.06}.get(person.habit, 0.008)
    spent = person.purchases >= person.purchases_at_most > 0
    if rng.random() < (0.75 if spent else tired):
        person.asleep = True
        return
    gap = min(person.interval, 60) / 3 if person.role != "subscriber" else 12
    entry.some_day("visit", max(0.6, rng.gammavariate(2, gap / 2)))


def choose(person: Person, rng: random.Random, products: list[Product]) -> Basket:
    """What somebody would like: usually what they know, mostly things that are used up."""
    products = [product for product in products if product.in_stock]
    by_id = {product.id: product for product in products}
    weights = [product.category.weight for product in products]
    by_title = {product.title: product.id for product in products}
    chosen: dict[int, int] = {}
    if person.staple in by_id and rng.random() < 0.7:
        chosen[person.staple] = 1
    for _ in range(rng.choices((1, 2, 3, 4, 6), (30, 32, 20, 12, 6))[0]):
        again = [
            number for number in person.favourites if number in by_id and by_id[number].category.consumable
        ]
        known = again and rng.random() < 0.55
        number = rng.choice(again) if known else rng.choices(products, weights)[0].id
        chosen[number] = chosen.get(number, 0) + rng.choices((1, 2, 3), (75, 18, 7))[0]
        companion = by_title.get(COMPANIONS.get(by_id[number].title, ""))
        if companion is not None and rng.random() < 0.4:
            chosen.setdefault(companion, 1)
    return [(by_id[number], quantity) for number, quantity in chosen.items()]


def fill_cart(entry: Entry, basket: Basket, at: datetime, known: bool) -> datetime:
    for product, _ in basket:
        at += timedelta(seconds=entry.rng.randrange(5, 90))
        url = site_url(f"/products/{handle_of(product.title)}")
        entry.sim.site(entry.person, at, "cart_add", url, known=known, product_id=product_gid(product.id))
    return at


def referral(friend: int) -> dict[str, Any]:
    """The fields of a page that was reached by the link of a customer."""
    return {
        "referred_by": f"gid://shopify/Customer/{friend}",
        "utm_source": "friend",
        "utm_medium": "referral",
    }


# --------------------------------------------------------------------------------- checkouts


def abandon(entry: Entry, basket: Basket, at: datetime) -> None:
    """A checkout that is left. The shop knows of it only if it knows the person."""
    person, db = entry.person, entry.db
    if person.customer_id is None or person.open_checkout is not None:
        return
    number = entry.sim.next_id("checkout", 9_300_000_000_001)
    subtotal = sum((product.price * quantity for product, quantity in basket), Decimal("0.00"))
    total = subtotal + (0 if subtotal >= FREE_SHIPPING_FROM else SHIPPING)
    moment = iso(at + timedelta(seconds=40))
    db.execute(
        "insert into shop_checkouts values (?, ?, ?, ?, ?, ?, null, 'EUR', ?, ?)",
        (number, f"#{number}", f"{entry.rng.getrandbits(96):024x}", person.customer_id, moment, moment,
         str(subtotal), str(total)),
    )  # fmt: skip
    for product, quantity in basket:
        db.execute(
            "insert into shop_checkout_lines values (?, ?, ?, ?, ?, ?)",
            (
                entry.sim.next_id("checkout_line", 9_400_000_000_001),
                number,
                product.id,
                product.title,
                quantity,
                str(product.price),
            ),
        )
    person.open_checkout = number
    if entry.rng.random() < 0.18:
        entry.later("return_to_cart", timedelta(hours=entry.rng.uniform(1.5, 60)), checkout=number)
    else:
        entry.later("forget_cart", timedelta(days=21), checkout=number)


def return_to_cart(entry: Entry) -> None:
    """Somebody completes the checkout they had left."""
    checkout = entry.data["checkout"]
    if entry.person.open_checkout != checkout:
        return
    rows = entry.db.execute(
        "select product_id, quantity from shop_checkout_lines where checkout_id = ? order by id", (checkout,)
    ).fetchall()
    by_id = {product.id: product for product in entry.sim.products}
    buy(entry, [(by_id[row["product_id"]], row["quantity"]) for row in rows], entry.at, checkout=checkout)


def forget_cart(entry: Entry) -> None:
    if entry.person.open_checkout == entry.data["checkout"]:
        entry.person.open_checkout = None


# ------------------------------------------------------------------------------------ orders


def buy(
    entry: Entry, basket: Basket, at: datetime, code: str | None = None, checkout: int | None = None
) -> None:
    """An order, paid and soon shipped; some are cancelled, some goods come back."""
    person, rng, sim = entry.person, entry.rng, entry.sim
    if code is None and rng.random() < person.thrift:
        code = "WELCOME10" if person.purchases == 0 else rng.choice(("TEATIME15", "COMEBACK20"))
    order_id = _write_order(entry, basket, at, code)
    if person.open_checkout is not None and checkout in (None, person.open_checkout):
        sim.db.execute(
            "update shop_checkouts set completed_at = ?, updated_at = ? where id = ?",
            (iso(at), iso(at), person.open_checkout),
        )
        person.open_checkout = None
    person.purchases += 1
    person.last_purchase_at = iso(at)
    if person.staple is None:
        person.staple = next((product.id for product, _ in basket if product.category.consumable), None)
    person.favourites = list(dict.fromkeys([*(product.id for product, _ in basket), *person.favourites]))[:12]
    if person.customer_id is not None:
        sim.db.execute("update shop_customers set updated_at = ? where id = ?", (iso(at), person.customer_id))
    chance = rng.random()
    if chance < 0.02:
        entry.later("cancel", timedelta(hours=rng.uniform(1, 20)), order=order_id)
        return
    entry.some_day("ship", rng.uniform(1.1, 2.8), order=order_id)
    if chance < 0.09:
        entry.some_day("refund", rng.uniform(6, 24), order=order_id)


def _write_order(entry: Entry, basket: Basket, at: datetime, code: str | None) -> int:
    person, rng, sim = entry.person, entry.rng, entry.sim
    order_id = sim.next_id("order", 5_500_000_000_001)
    percent = discounts.percent_of(entry.db, code)
    gross = off = Decimal("0.00")
    for product, quantity in basket:
        amount = product.price * quantity
        discount = (amount * percent / 100).quantize(CENT, ROUND_HALF_UP)
        gross, off = gross + amount, off + discount
        entry.db.execute(
            "insert into shop_order_lines values (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            (sim.next_id("order_line", 6_600_000_000_001), order_id, product.id, product.sku,
             product.title, quantity, quantity, str(product.price), str(discount)),
        )  # fmt: skip
    subtotal = gross - off
    shipping = Decimal("0.00") if subtotal >= FREE_SHIPPING_FROM else SHIPPING
    total = subtotal + shipping
    tax = (total * 19 / 119).quantize(CENT, ROUND_HALF_UP)
    test = rng.random() < 0.004
    pending = rng.random() < 0.03
    moment = iso(at + timedelta(seconds=rng.randrange(60, 240)))
    order = {
        "id": order_id,
        "name": f"#{sim.next_id('order_name', 1001)}",
        "customer_id": person.customer_id,
        "email": person.email,
        "created_at": moment,
        "processed_at": moment,
        "updated_at": moment,
        "test": int(test),
        "currency": "EUR",
        "subtotal": str(subtotal),
        "discounts": str(off),
        "shipping": str(shipping),
        "tax": str(tax),
        "total": str(total),
        "refunded": "0.00",
        "discount_codes": code or "",
        "financial_status": "PENDING" if pending else "PAID",
        "fulfillment_status": "UNFULFILLED",
        "tags": "staff-test" if test else "",
    }
    names = ", ".join(order)
    marks = ", ".join(f":{name}" for name in order)
    entry.db.execute(f"insert into shop_orders ({names}) values ({marks})", order)  # ruff: ignore[hardcoded-sql-expression] - names from above
    discounts.use(entry.db, code, moment)
    if pending:
        entry.some_day("pay", rng.uniform(1, 4), order=order_id)
    return order_id


HANDLERS = {
    "visit": visit,
    "return_to_cart": return_to_cart,
    "forget_cart": forget_cart,
}
