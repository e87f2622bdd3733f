"""How people turn up and what becomes of their consent: accounts, newsletter, address changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sandbox.store import iso
from sandbox.world.people import Person, draw, second_address
from sandbox.world.profile import mark_dates
from sandbox.world.reading import newsletter_answers
from sandbox.world.sales import become_lead, join_crm
from sandbox.world.shopping import referral
from sandbox.world.simulation import Entry, site_url
from sandbox.world.visitors import LOOKS_FIRST

LEADS_SUBSCRIBE = 0.5
"""The share of the leads who take the newsletter, too."""

FIRST_CUSTOMER_ID = 7_200_000_000_000


def arrive(entry: Entry) -> None:
    """The next person turns up. `role` overrides what they would be; `chain`: one more follows later."""
    sim = entry.sim
    person = draw(sim.seed, sim.next_id("person"), sim.taken)
    if entry.data.get("role"):
        person.role = entry.data["role"]
        person.in_crm = person.role == "lead"
        person.newsletter = "single" if person.role == "subscriber" else None
        person.warmth = max(person.warmth, 0.75)
    person.born_at = iso(entry.at)
    mark_dates(sim.seed, person, entry.at.date())
    sim.add(person)
    if entry.data.get("chain"):
        gap = timedelta(days=1) / sim.scale["arrivals_a_day"]
        sim.schedule("arrive", entry.at + gap * entry.rng.uniform(0.2, 1.8), 0, chain=True)
    own = Entry(sim, entry.at, person, entry.data, entry.rng)
    if hours := entry.data.get("back_in") or _looks_first(entry):
        sim.schedule("look_around", entry.at, person.id)
        own.later("settle", timedelta(hours=hours))
    else:
        settle(own)


def _looks_first(entry: Entry) -> float | None:
    """After how many hours a newcomer comes back who at first only looks around; None: they do not."""
    if entry.data.get("role") or entry.rng.random() >= LOOKS_FIRST:
        return None
    return entry.rng.uniform(3, 90)


def settle(entry: Entry) -> None:
    """A newcomer says who they are: an account, the newsletter, or a download in the name of a company."""
    person, sim = entry.person, entry.sim
    friend = _friend(entry, person) if entry.rng.random() < 0.09 else None
    own = Entry(sim, entry.at, person, {"friend": friend}, entry.rng)
    if person.role == "lead":
        become_lead(own)
        if entry.rng.random() < LEADS_SUBSCRIBE:
            person.newsletter = "double"
            open_account(own)
        return
    if person.role in {"customer", "subscriber"}:
        open_account(own)
    sim.schedule(
        "visit", entry.at + timedelta(minutes=entry.rng.randrange(1, 20)), person.id,
        first=True, friend=friend,
    )  # fmt: skip
    if person.in_crm:
        own.some_day("join_crm", entry.rng.uniform(0, 40))
    if entry.rng.random() < 0.04:
        own.some_day("change_address", entry.rng.uniform(20, 150))


def _friend(entry: Entry, newcomer: Person) -> int | None:
    """The customer whose link brought somebody: of a few acquaintances the one who has bought most."""
    numbers = [entry.rng.randint(1, newcomer.id) for _ in range(4)]
    known = [entry.sim.person(number) for number in numbers if number != newcomer.id]
    buyers = [person for person in known if person.customer_id is not None and person.purchases > 0]
    return max(buyers, key=lambda person: person.purchases).customer_id if buyers else None


def open_account(entry: Entry) -> None:
    """A customer record in the shop, for a buyer or for a subscriber who has bought nothing yet."""
    person = entry.person
    person.customer_id = FIRST_CUSTOMER_ID + person.id
    anonymous = person.role == "subscriber" and entry.rng.random() < 0.5
    if anonymous:
        person.first_name = person.last_name = None
    state, level = "NOT_SUBSCRIBED", None
    if not person.valid:
        state = "INVALID"
    elif person.newsletter == "single":
        state, level = "SUBSCRIBED", "SINGLE_OPT_IN"
    elif person.newsletter == "double":
        state, level = "PENDING", "CONFIRMED_OPT_IN"
    now = iso(entry.at)
    has_address = person.role == "customer"
    entry.db.execute(
        "insert into shop_customers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            person.customer_id,
            person.first_name,
            person.last_name,
            person.email,
            int(person.valid),
            state,
            level,
            now if level else None,
            person.phone,
            person.locale,
            person.address1 if has_address else None,
            person.zip if has_address else None,
            person.city if has_address else None,
            person.country if has_address else None,
            "newsletter" if person.role == "subscriber" else "",
            now,
            now,
            "SUBSCRIBED" if person.texts else "NOT_SUBSCRIBED",
            now if person.texts else None,
        ),
    )
    if level:
        more: dict[str, Any] = referral(entry.data["friend"]) if entry.data.get("friend") else {}
        if answers := newsletter_answers(person, entry.rng):
            more["answers"] = answers
        url = site_url("/newsletter")
        entry.sim.site(
            person, entry.at, "form_submit", url, known=True, email=person.email, topic="newsletter", **more
        )
    if state == "PENDING" and entry.rng.random() < 0.86:
        entry.later("confirm", timedelta(minutes=entry.rng.gammavariate(1.2, 40)))
    elif state == "SUBSCRIBED":
        _may_leave(entry)


def confirm(entry: Entry) -> None:
    """The link in the confirmation mail is pressed: double opt-in."""
    if _set_consent(entry, "SUBSCRIBED", "PENDING"):
        _may_leave(entry)


def unsubscribe(entry: Entry) -> None:
    """Somebody opts out in their account at the shop."""
    _set_consent(entry, "UNSUBSCRIBED", "SUBSCRIBED")


def _may_leave(entry: Entry) -> None:
    if entry.rng.random() < 0.16:
        entry.some_day("unsubscribe", entry.rng.expovariate(1 / 70))
    if entry.rng.random() < 0.10:
        entry.some_day("fall_asleep", entry.rng.uniform(10, 120))


def _set_consent(entry: Entry, state: str, only_from: str) -> bool:
    changed = entry.db.execute(
        "update shop_customers set marketing_state = ?, marketing_updated_at = ?, updated_at = ?"
        " where id = ? and marketing_state = ?",
        (state, iso(entry.at), iso(entry.at), entry.person.customer_id, only_from),
    )
    return changed.rowcount > 0


def fall_asleep(entry: Entry) -> None:
    """Loses interest, without telling anybody."""
    entry.person.asleep = True


def change_address(entry: Entry) -> None:
    """Same person, new e-mail address. The CRM learns of it only by hand, so there it stays the old one."""
    person: Person = entry.person
    if person.customer_id is None or not person.valid:
        return
    person.email = second_address(person, entry.sim.taken)
    entry.sim.taken.take(person.email, person.id)
    entry.db.execute(
        "update shop_customers set email = ?, updated_at = ? where id = ?",
        (person.email, iso(entry.at), person.customer_id),
    )


HANDLERS = {
    "arrive": arrive,
    "settle": settle,
    "confirm": confirm,
    "unsubscribe": unsubscribe,
    "fall_asleep": fall_asleep,
    "change_address": change_address,
    "join_crm": join_crm,
}
