"""The engine of the world: an agenda of what people are going to do, carried out in order.

Each entry has a moment, a kind and a person. Carrying it out writes facts (an order, a page view,
a consent) and puts new entries on the agenda. Chance comes from the seed, the kind, the person and
the moment, so going from Monday to Friday in one step or in five gives the same world.
"""

from __future__ import annotations

import heapq
import json
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox import store as state
from sandbox.store import iso, parse
from sandbox.world import catalogue
from sandbox.world.people import Person, Taken

HOURS = (7, 8, 8, 9, 10, 11, 12, 12, 13, 14, 15, 16, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 22)
"""When people are at their screens, by their own clocks; evenings most."""


MAILED = timedelta(days=2)
"""How long before the world's present the site began to send what is asked for by mail."""


def site_url(path: str) -> str:
    """The address a person's browser shows. Not the sandbox's own, whose port may change."""
    return f"https://shop.example{path}"


class Entry:
    """What is passed to a handler: who, when, with what, and chance."""

    __slots__ = ("at", "data", "person", "rng", "sim")

    def __init__(
        self, sim: Simulation, at: datetime, person: Person, data: dict[str, Any], rng: random.Random
    ) -> None:
        self.sim, self.at, self.person, self.data, self.rng = sim, at, person, data, rng

    @property
    def db(self) -> sqlite3.Connection:
        return self.sim.db

    def later(self, kind: str, after: timedelta, **data: Any) -> None:
        """Put something on this person's agenda."""
        self.sim.schedule(kind, self.at + after, self.person.id, **data)

    def some_day(self, kind: str, days: float, **data: Any) -> None:
        """The same about so many days from now, at an hour people are up."""
        hour = self.person.hour if self.rng.random() < 0.5 else self.rng.choice(HOURS)
        day = (self.at + timedelta(days=max(0.0, days))).astimezone(ZoneInfo(self.person.timezone))
        moment = day.replace(hour=hour, minute=self.rng.randrange(60), second=self.rng.randrange(60))
        if moment <= self.at:
            moment += timedelta(days=1)
        self.sim.schedule(kind, moment, self.person.id, **data)


Handler = Callable[[Entry], None]


class Simulation:
    """The world in memory while its clock moves; `save` writes back what has changed."""

    def __init__(self, db: sqlite3.Connection, handlers: dict[str, Handler]) -> None:
        self.db = db
        self.handlers = handlers
        self.seed = int(state.get(db, "seed"))
        self.products = catalogue.read(db)
        self.taken = Taken(db)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.letters: list[dict[str, Any]] = []
        self.mails: list[dict[str, Any]] = []
        self.announced: list[dict[str, Any]] = []
        self.visitors: dict[str, int] = {}
        """Whose browser was on the site, by visitor id; 0 for people nobody knows."""
        self.happened: dict[str, int] = defaultdict(int)
        self._people: dict[int, Person] = {}
        self._agenda: list[tuple[str, int, str, int, dict[str, Any]]] = []
        self._seq = int(state.get(db, "agenda_seq", "0"))
        self._ids = json.loads(state.get(db, "last_ids", "{}"))
        self.mailed_since = parse(state.get(db, "start")) - MAILED
        self.scale = json.loads(state.get(db, "scale", "{}"))

    def schedule(self, kind: str, at: datetime, person_id: int, **data: Any) -> None:
        self._seq += 1
        heapq.heappush(self._agenda, (iso(at), self._seq, kind, person_id, data))

    def next_id(self, kind: str, first: int = 1) -> int:
        """A number nobody has had, counting up from `first`."""
        self._ids[kind] = self._ids.get(kind, first - 1) + 1
        return self._ids[kind]

    def person(self, person_id: int) -> Person:
        if person_id not in self._people:
            row = self.db.execute(
                "select state from world_people where person_id = ?", (person_id,)
            ).fetchone()
            self._people[person_id] = Person.from_json(row["state"])
        return self._people[person_id]

    def add(self, person: Person) -> None:
        self._people[person.id] = person
        self.taken.take(person.email, person.id)

    def load(self, until: datetime) -> None:
        """Take from the store what is due."""
        due = self.db.execute("select * from world_agenda where due_at <= ?", (iso(until),)).fetchall()
        self.db.execute("delete from world_agenda where due_at <= ?", (iso(until),))
        for row in due:
            entry = (row["due_at"], row["seq"], row["kind"], row["person_id"], json.loads(row["data"]))
            heapq.heappush(self._agenda, entry)

    def run(self, until: datetime) -> None:
        """Carry out everything that is due, and what follows from it, in the order of time."""
        end = iso(until)
        while self._agenda and self._agenda[0][0] <= end:
            at, _, kind, person_id, data = heapq.heappop(self._agenda)
            rng = random.Random(f"{self.seed}:{kind}:{person_id}:{at}")
            self.happened[kind] += 1
            self.handlers[kind](Entry(self, parse(at), self._maybe(person_id), data, rng))

    def _maybe(self, person_id: int) -> Person:
        return self.person(person_id) if person_id else NOBODY

    def save(self) -> None:
        """Write back people, the rest of the agenda and the counters."""
        self.db.executemany(
            "insert or replace into world_people values (?, ?)",
            [(person.id, person.to_json()) for person in self._people.values()],
        )
        self.db.executemany(
            "insert into world_agenda values (?, ?, ?, ?, ?)",
            [(at, seq, kind, person_id, json.dumps(data)) for at, seq, kind, person_id, data in self._agenda],
        )
        state.put(self.db, "agenda_seq", str(self._seq))
        state.put(self.db, "last_ids", json.dumps(self._ids))

    # ------------------------------------------------------------------------- site events

    def site(self, person: Person, at: datetime, type: str, url: str, **details: Any) -> None:
        """Something that happened on the site. `known`: the person was logged in or said who they are."""
        known = details.pop("known", False)
        self._ids["site_event"] = self._ids.get("site_event", 0) + 1
        record = {
            "event_id": f"se-{self._ids['site_event']:09d}",
            "occurred_at": iso(at),
            "type": type,
            "visitor_id": details.pop("visitor_id", None) or person.visitor_id,
            "customer_id": f"gid://shopify/Customer/{person.customer_id}"
            if known and person.customer_id
            else None,
            "email": details.pop("email", None),
            "url": url,
            "product_id": None,
            "content_id": None,
            "topic": None,
            "query": None,
            "utm_campaign": None,
            "utm_content": None,
        }
        self.visitors[record["visitor_id"]] = person.id
        self.events.append((record["occurred_at"], record | details))

    def allow_notifications(self, person: Person, at: datetime) -> None:
        """The person's browser may notify them from now on; it subscribes once the site's backend answers."""
        self.db.execute(
            "insert or ignore into world_browsers (visitor_id, person_id, language, allowed_at)"
            " values (?, ?, ?, ?)",
            (person.visitor_id, person.id, person.language, iso(at)),
        )


NOBODY = Person(
    id=0,
    role="nobody",
    habit="browser",
    language="de",
    country="DE",
    first_name=None,
    last_name=None,
    gender="f",
    email="",
    valid=False,
    address1="",
    zip="",
    city="",
    phone=None,
    interval=1,
    purchases_at_most=0,
    attentive=0,
    newsletter=None,
    in_crm=False,
)
"""Whom entries belong to that are nobody's: the arrival of the next person, the passers-by."""
