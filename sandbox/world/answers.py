"""What people do with the messages they get, outside of them: follow a link, answer, buy, confirm, opt out.

The mail provider decides who opens and clicks (`sandbox.mail.reactions`); here clicks become visits
to the shop, and opt-outs become a request to the unsubscribe link that stood in the mail.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from sandbox.mail import reactions
from sandbox.mail.reactions import Temperament
from sandbox.store import Store, iso
from sandbox.world import reading
from sandbox.world.people import Person
from sandbox.world.shopping import buy, choose, fill_cart, product_gid, return_to_cart
from sandbox.world.simulation import Entry, Simulation

OPT_OUT_ATTEMPTS = 5
DISCOUNT = "/discount/"
"""What stands before a code in a link that puts it into the cart, as at Shopify."""


def temperament(person: Person | None) -> Temperament:
    """How somebody deals with mails. Nobody behind an address: a hard bounce.

    In sum about what shops see: opens above 33 %, a click of 1.5 to 5 %, opt-outs below 0.3 %, complaints
    near 0.01 %, bounces below 1 % (https://help.klaviyo.com/hc/en-us/articles/115000201131).
    """
    if person is None or not person.valid:
        return Temperament(0.0, 0.0, 0.0, 0.0, "hard", False, timedelta(hours=1))
    draw = (person.id * 2654435761) % 1000  # a fixed trait of the person
    if draw < 4:
        return Temperament(0.0, 0.0, 0.0, 0.0, "hard", False, timedelta(hours=1))
    bounce = "soft" if draw < 10 else None
    eager = 0.08 if person.asleep else 0.2 + 0.55 * person.attentive
    return Temperament(
        open_rate=eager,
        click_rate=0.7 if person.open_checkout is not None else 0.25 * eager,
        complaint_rate=0.001 if person.asleep else 0.0002,
        opt_out_rate=0.03 if person.asleep else 0.006,
        bounce=bounce,
        machine_opens=draw % 4 == 0,
        patience=timedelta(hours=3 + draw % 30),
    )


def plan(simulation: Simulation, now: datetime, until: datetime) -> None:
    """Ask the mail provider who reacts until then, and put it on the agenda."""

    def of_address(address: str) -> Temperament:
        owner = simulation.taken.owner(address)
        return temperament(simulation.person(owner) if owner else None)

    for visit in reactions.react(simulation.db, simulation.seed, until, of_address):
        owner = simulation.taken.owner(visit.address)
        at = min(max(visit.at, now + timedelta(seconds=1)), until)
        if visit.kind == "opt_out":
            simulation.db.execute(
                "insert or ignore into world_opt_outs (message_key, url, due_at) values (?, ?, ?)",
                (f"{visit.message_key or visit.address}", visit.url, iso(at)),
            )
        elif owner:
            simulation.schedule("click", at, owner, url=visit.url)


def click(entry: Entry) -> None:
    """The link of a message is followed: to a form, something to read, a product, the cart."""
    person, url = entry.person, entry.data["url"]
    path = urlsplit(url).path
    if reactions.is_confirmation(url):
        entry.db.execute(
            "insert or ignore into world_opt_outs (message_key, url, due_at) values (?, ?, ?)",
            (url, url, iso(entry.at)),
        )
        return
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    utm = {name: value for name, value in asked.items() if name.startswith("utm_")}
    if DISCOUNT in path:
        asked["discount"] = path.rpartition(DISCOUNT)[2]
    known = person.customer_id is not None
    entry.sim.site(person, entry.at, "page_view", url, known=known, seconds_on_page=8, **utm)
    for part, answer in PAGES.items():
        if part in path:
            answer(entry, asked, utm)
            return
    look_and_buy(entry, asked, utm)


def look_and_buy(entry: Entry, asked: dict[str, str], utm: dict[str, str]) -> None:
    """The product is looked at; the cart that was left is often completed, sometimes something bought."""
    person, rng, url = entry.person, entry.rng, entry.data["url"]
    handle = urlsplit(url).path.rpartition("/products/")[2]
    found = entry.db.execute("select id from shop_products where handle = ?", (handle,)).fetchone()
    if found is not None:
        entry.sim.site(
            person, entry.at + timedelta(seconds=8), "product_view", url,
            known=True, product_id=product_gid(found["id"]), seconds_on_page=rng.randrange(4, 120), **utm,
        )  # fmt: skip
    chance = rng.random()
    if person.open_checkout is not None and chance < 0.55:
        minutes = timedelta(minutes=rng.randrange(2, 40))
        entry.later("return_to_cart", minutes, checkout=person.open_checkout)
    elif person.customer_id is not None and chance < (BUYS_AT_DISCOUNT if "discount" in asked else BUYS):
        entry.later("buy_after_click", timedelta(minutes=rng.randrange(3, 60)), code=asked.get("discount"))


BUYS, BUYS_AT_DISCOUNT = 0.1, 0.25
"""Of those who follow a link to the shop, how many buy; and where the link has a discount code."""

PAGES = {
    "/business/offer": reading.offer,
    "/feedback": reading.rate,
    "/magazine/": reading.take,
    "/preferences": reading.tell,
    "/profile/": reading.tell,
}
"""What a page is for, by a part of its path."""


def buy_after_click(entry: Entry) -> None:
    basket = choose(entry.person, entry.rng, entry.sim.products)
    at = fill_cart(entry, basket, entry.at, True)
    buy(entry, basket, at, code=entry.data.get("code") or "WELCOME10")


def press(store: Store) -> dict[str, int]:
    """Press the buttons that are due: one-click opt-outs (RFC 8058), and confirmations on the page of their
    link. Returns how many worked.

    A page that does not answer is tried again at the next call, a few times.
    """
    with store.read() as db:
        due = db.execute(
            "select message_key, url from world_opt_outs"
            " where answer is null and attempts < ? and due_at <= ?",
            (OPT_OUT_ATTEMPTS, iso(store.now())),
        ).fetchall()
    done = {"opt_outs": 0, "confirmed": 0}
    for row in due:
        is_opt_out = not reactions.is_confirmation(row["url"])
        answer = _press(row["url"], {"List-Unsubscribe": "One-Click"} if is_opt_out else {})
        done["opt_outs" if is_opt_out else "confirmed"] += answer is not None and answer.startswith("2")
        with store.write() as db:
            db.execute(
                "update world_opt_outs set attempts = attempts + 1, answer = ? where message_key = ?",
                (answer, row["message_key"]),
            )
    return done


def _press(url: str, form: dict[str, str]) -> str | None:
    """The status of the page, or None if it should be tried again."""
    if not _is_near(urlsplit(url).hostname or ""):
        return "refused: not a host of this machine"
    import httpx

    try:
        response = httpx.post(url, data=form, timeout=10)
    except httpx.HTTPError:
        return None
    return None if response.status_code >= 500 else str(response.status_code)


def _is_near(host: str) -> bool:
    """The sandbox presses no buttons on the internet: loopback, or a service of the compose file."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(".localhost"))


HANDLERS = {"click": click, "buy_after_click": buy_after_click, "return_to_cart": return_to_cart}
