"""Visitors nobody knows: passers-by, and people who look around before they say who they are."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sandbox.world import traffic
from sandbox.world.catalogue import CONTENTS, Product, handle_of
from sandbox.world.people import Person
from sandbox.world.shopping import product_gid
from sandbox.world.simulation import Entry, Simulation, site_url

LOOKS_FIRST = 0.25
"""The share of the newcomers who look around unknown, hours or days before they leave an address."""
STAYS_LONG = 0.2
"""The share of the passers-by who stay for some minutes."""
COMES_AGAIN = 0.3
"""The share of the passers-by who come back within days, still unknown."""
WANTS_TO_LEAVE = 0.3
"""The share of the unknown visits that end with the pointer at the window's edge."""


def passers_by(entry: Entry) -> None:
    """A day's visitors nobody knows."""
    rng, sim = entry.rng, entry.sim
    for _ in range(rng.randrange(0, max(2, round(sim.scale["contacts"] / 100)))):
        visitor = f"v-{rng.getrandbits(48):012x}"
        at = entry.at + timedelta(seconds=rng.randrange(86400 - 1800))
        stroll(sim, entry.person, at, rng, visitor, is_long=rng.random() < STAYS_LONG)
        if rng.random() < COMES_AGAIN:
            sim.schedule("stroll_again", at + timedelta(hours=rng.uniform(2, 60)), 0, visitor=visitor)
    sim.schedule("passers_by", entry.at + timedelta(days=1), 0)


def stroll_again(entry: Entry) -> None:
    """A passer-by comes back."""
    stroll(entry.sim, entry.person, entry.at, entry.rng, entry.data["visitor"], is_long=False)


def look_around(entry: Entry) -> None:
    """Somebody who will say who they are later stays for a while, without doing so."""
    stroll(entry.sim, entry.person, entry.at, entry.rng, entry.person.visitor_id, is_long=True)


def stroll(
    sim: Simulation, person: Person, at: datetime, rng: random.Random, visitor: str, is_long: bool
) -> None:
    """An unknown visit: the first page, perhaps something to read, a few products, a wish to leave."""
    came_by = traffic.origin(person, rng, True)
    stay = rng.randrange(2, 60)
    url = site_url("/")
    sim.site(person, at, "page_view", url, visitor_id=visitor, seconds_on_page=stay, **came_by)
    at += timedelta(seconds=stay)
    if is_long:
        content = rng.choice([one for one in CONTENTS if one.language == person.language])
        stay, url = rng.randrange(150, 600), site_url(f"/magazine/{content.id}")
        about = {"content_id": content.id, "topic": content.topic, "seconds_on_page": stay}
        sim.site(person, at, "page_view", url, visitor_id=visitor, **about)
        at += timedelta(seconds=stay)
    for _ in range(rng.choice((0, 1, 2))):
        stay, product = rng.randrange(5, 150), rng.choice(sim.products)
        url = _page_of(product)
        about = {"product_id": product_gid(product.id), "seconds_on_page": stay}
        sim.site(person, at, "product_view", url, visitor_id=visitor, **about)
        at += timedelta(seconds=stay)
    if rng.random() < WANTS_TO_LEAVE:
        sim.site(person, at, "exit_intent", url, visitor_id=visitor)


def _page_of(product: Product) -> str:
    return site_url(f"/products/{handle_of(product.title)}")


HANDLERS = {"passers_by": passers_by, "stroll_again": stroll_again, "look_around": look_around}
