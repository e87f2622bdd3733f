"""Mails of the time before: a newsletter that another tool sent, as its provider's events, for history."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from datetime import datetime, timedelta
from typing import Any

from sandbox.world.answers import temperament
from sandbox.world.people import Person
from sandbox.world.register import FIRST_CUSTOMER_ID
from sandbox.world.simulation import Entry, site_url

EVERY = timedelta(days=14)
LAST = timedelta(days=7)
"""How long before the world's present the last one was sent."""


def newsletter(entry: Entry) -> None:
    """One issue to all subscribers of that day: who got, opened and clicked it."""
    subscribers = entry.db.execute(
        "select id from shop_customers where marketing_state = 'SUBSCRIBED' and valid_format order by id"
    ).fetchall()
    for row in subscribers:
        person = entry.sim.person(row["id"] - FIRST_CUSTOMER_ID)
        entry.sim.mails += _events(
            entry.at, person, random.Random(f"{entry.sim.seed}:{entry.at}:{person.id}")
        )


def _events(at: datetime, person: Person, dice: random.Random) -> list[dict[str, Any]]:
    mood = temperament(person)
    if mood.bounce == "hard":
        return []  # that tool had given up on the address
    at += timedelta(seconds=dice.randint(1, 900))
    happened: list[tuple[str, datetime, dict[str, Any]]] = [("delivered", at, {})]
    if mood.machine_opens:
        happened.append(("open", at + timedelta(seconds=20), {"sg_machine_open": True}))
    if dice.random() < mood.open_rate:
        at += timedelta(seconds=60 + dice.expovariate(1 / mood.patience.total_seconds()))
        happened.append(("open", at, {"sg_machine_open": False}))
        if dice.random() < mood.click_rate:
            happened.append(
                ("click", at + timedelta(seconds=dice.randint(5, 200)), {"url": site_url("/news")})
            )
    return [_event(person.email, *one) for one in happened]


def _event(address: str, name: str, at: datetime, more: dict[str, Any]) -> dict[str, Any]:
    moment = int(at.timestamp())
    event_id = hashlib.sha256(f"{address}|{name}|{moment}".encode()).hexdigest()[:24]
    return {"email": address, "timestamp": moment, "event": name, "sg_event_id": event_id, **more}


def mails_file(events: list[dict[str, Any]], name: str) -> tuple[str, bytes]:
    """The events as the provider would have posted them, and where they go."""
    lines = "".join(json.dumps(event) + "\n" for event in events)
    return f"mail_events/earlier-{name}.ndjson.gz", gzip.compress(lines.encode(), 5, mtime=0)


def plan(schedule: Any, begin: datetime, start: datetime) -> None:
    """Put every issue between two moments on the agenda."""
    at = start - LAST
    while at > begin:
        schedule("newsletter", at, 0)
        at -= EVERY


HANDLERS = {"newsletter": newsletter}
