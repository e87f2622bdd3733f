"""Who lives in the sandbox: a person's name, address, habits, and the state they are in.

A person is drawn from the world's seed and their number alone, so the same world has the same
people. Addresses are at domains reserved for documentation (RFC 2606), telephone numbers at those
kept free for films, so that nothing can reach anybody.
"""

from __future__ import annotations

import functools
import json
import random
import sqlite3
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from sandbox.world.profile import describe

if TYPE_CHECKING:
    from faker import Faker

HABITS = {
    # name: (share of the shoppers, days between two purchases, purchases at most)
    "champion": (0.09, (13, 24), 99),
    "regular": (0.22, (30, 60), 99),
    "occasional": (0.25, (80, 140), 99),
    "fader": (0.14, (22, 45), 6),
    "one_timer": (0.22, (200, 400), 1),
    "browser": (0.08, (25, 60), 0),
}

ROLES = {"customer": 0.55, "subscriber": 0.15, "guest": 0.08, "lead": 0.22}
"""Where a person first turns up: in the shop, on the newsletter form, as a guest, in the CRM."""

DOMAINS = ("example.com", "example.org", "example.net", "post.example", "mail.example", "kunde.example")

COUNTRIES = {
    "de": (("DE", 82), ("AT", 11), ("CH", 7)),
    "en": (("GB", 55), ("IE", 12), ("US", 18), ("NL", 15)),
}
PHONES = {"DE": "+493023125{:03d}", "GB": "+447700900{:03d}", "US": "+1202555{:04d}"}

INDUSTRIES = (
    "HOSPITALITY",
    "RETAIL",
    "FOOD_BEVERAGES",
    "INFORMATION_TECHNOLOGY_AND_SERVICES",
    "EVENTS_SERVICES",
)
JOBS = {
    "de": (
        "Einkauf",
        "Geschäftsführung",
        "Office Management",
        "Küchenchefin",
        "Assistenz",
        "Leitung Empfang",
    ),
    "en": (
        "Head of Procurement",
        "Managing Director",
        "Office Manager",
        "Head Chef",
        "Intern",
        "Event Manager",
    ),
}

PROBES: dict[int, dict[str, str | None]] = {
    2: {"first_name": "<b>Bella</b>", "last_name": "Blume"},
    4: {"first_name": "%%first_name%%", "last_name": "Prozent"},
    6: {"first_name": "Sinéad", "last_name": "O'Brien"},
    8: {"first_name": None, "last_name": "Ohnevorname"},
    10: {
        "first_name": "Maximiliane-Friederike",
        "last_name": "Freifrau von Hohenstein-Donnersmarck zu Müllersheim",
    },
    12: {"first_name": "{{ first_name }}", "last_name": "Schweif"},
    14: {"first_name": "Jörg-Weiß", "last_name": "Äöüß"},
    16: {"first_name": None, "last_name": None},
}
"""Names that break careless templates; worlds of any size have them."""


@dataclass
class Person:
    """A person and what has happened to them. `at`-moments are ISO text."""

    id: int
    role: str
    habit: str
    language: str
    country: str
    first_name: str | None
    last_name: str | None
    gender: str
    email: str
    valid: bool
    address1: str
    zip: str
    city: str
    phone: str | None
    interval: float
    """Days between two purchases when everything is as usual."""
    purchases_at_most: int
    attentive: float
    """How well mails find this person, 0 to 1."""
    newsletter: str | None
    """How they subscribe: single, double, or not at all."""
    in_crm: bool
    company: int | None = None
    job: str | None = None
    warmth: float = 0.0
    """How serious a lead is, 0 to 1."""
    customer_id: int | None = None
    crm_id: int | None = None
    born_at: str = ""
    purchases: int = 0
    last_purchase_at: str | None = None
    open_checkout: int | None = None
    asleep: bool = False
    """No longer visits the shop or looks at mails."""
    favourites: list[int] = field(default_factory=list)
    """Product ids bought before."""
    staple: int | None = None
    """The product id of what is bought again and again."""
    birthday: str = "1980-01-01"
    timezone: str = "Europe/Berlin"
    hour: int = 20
    """When they are at a screen, by their own clock."""
    persona: str | None = None
    thrift: float = 0.05
    """How often they buy at a discount, 0 to 1."""
    followers: int = 0
    authority: str = "uses"
    """What they have to say when their company buys: decides, recommends, uses."""
    budget: float = 0.0
    """What their company has to spend in a year, in EUR."""
    texts: bool = False
    """Whether they agreed to text messages when they opened their account."""
    eyeing: int | None = None
    """The product id of what they think of buying."""
    notified: bool = False
    """Whether they let the site notify them."""
    dates: dict[str, str] = field(default_factory=dict)
    """Days that the CRM may know of, by the name of its property."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Person:
        return cls(**json.loads(text))

    @property
    def locale(self) -> str:
        return f"{self.language}-{self.country}"

    @property
    def visitor_id(self) -> str:
        return f"v-{random.Random(f'visitor:{self.id}').getrandbits(48):012x}"


@functools.cache
def _faker(language: str) -> Faker:
    from faker import Faker  # half of the start-up time of a sandbox whose people are all there

    return Faker({"de": "de_DE", "en": "en_GB"}[language])


def draw(seed: int, number: int, free: Taken) -> Person:
    """Person number `number` of the world `seed`."""
    rng = random.Random(f"{seed}:person:{number}")
    language = "de" if rng.random() < 0.66 else "en"
    fake = _faker(language)
    fake.seed_instance(f"{seed}:{number}")
    gender = rng.choice("fm")
    first = fake.first_name_female() if gender == "f" else fake.first_name_male()
    last = fake.last_name()
    role = _pick(rng, ROLES)
    habit = "browser" if role == "subscriber" else _pick(rng, {name: row[0] for name, row in HABITS.items()})
    if number in PROBES:
        role, habit = "customer", "regular"
        first, last = PROBES[number]["first_name"], PROBES[number]["last_name"]
    elif rng.random() < 0.03:
        first = None
    country = _pick(rng, dict(COUNTRIES[language]))
    low, high = HABITS[habit][1]
    company = rng.randrange(10_000) if role == "lead" else None
    person = Person(
        id=number,
        role=role,
        habit=habit,
        language=language,
        country=country,
        first_name=first,
        last_name=last,
        gender=gender,
        email="",
        valid=True,
        address1=fake.street_address().replace("\n", ", "),
        zip=fake.postcode(),
        city=fake.city(),
        phone=_phone(rng, country) if rng.random() < 0.3 else None,
        interval=rng.uniform(low, high),
        purchases_at_most=HABITS[habit][2],
        attentive=rng.betavariate(1.6, 2.2),
        newsletter=_newsletter(rng, role),
        in_crm=role == "lead" or (role == "customer" and rng.random() < 0.22),
        company=company,
        job=rng.choice(JOBS[language]) if role == "lead" else None,
        warmth=rng.betavariate(1.3, 2.0),
    )
    person.email = _address(rng, person, free)
    if number not in PROBES and rng.random() < 0.015:
        person.valid = False
        person.email = _spoiled(rng, person.email)
    describe(seed, person)
    return person


class Taken:
    """The addresses that are in use, so that two people never share one."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def owner(self, email: str) -> int | None:
        row = self._db.execute(
            "select person_id from world_addresses where email = ?", (email.lower(),)
        ).fetchone()
        return row["person_id"] if row else None

    def take(self, email: str, person_id: int) -> None:
        self._db.execute("insert or ignore into world_addresses values (?, ?)", (email.lower(), person_id))


PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ó": "o", " ": ".", "-": "."}
)


def _plain(name: str | None) -> str:
    text = (name or "").lower().translate(PLAIN)
    return "".join(letter for letter in text if letter.isascii() and (letter.isalnum() or letter == "."))[:24]


def _address(rng: random.Random, person: Person, taken: Taken) -> str:
    first, last = _plain(person.first_name), _plain(person.last_name)
    forms = (f"{first}.{last}", f"{first[:1]}.{last}", f"{first}{rng.randrange(50, 99)}", f"{last}.{first}")
    local = rng.choice(forms).strip(".") or f"kunde{person.id}"
    domain = f"firma{person.company}.example" if person.company is not None else rng.choice(DOMAINS)
    email = f"{local}@{domain}"
    return email if taken.owner(email) is None else f"{local}.{person.id}@{domain}"


def _spoiled(rng: random.Random, email: str) -> str:
    """An address with a slip of the pen, that no mail server would take."""
    local, _, domain = email.partition("@")
    slips = (
        f"{local}.{domain}",
        f"{local}@",
        f"{local}@@{domain}",
        f"{local}@.{domain}",
        f"{local} @{domain}",
    )
    return rng.choice(slips)


def second_address(person: Person, taken: Taken) -> str:
    """Another address of the same person: after a move to another provider, or a private one."""
    local = f"{_plain(person.first_name)}.{_plain(person.last_name)}".strip(".") or "neu"
    email = f"{local}@neu.example"
    return email if taken.owner(email) is None else f"{local}.{person.id}@neu.example"


def _newsletter(rng: random.Random, role: str) -> str | None:
    chance = {"customer": 0.52, "subscriber": 1.0, "guest": 0.0, "lead": 0.0}[role]
    if rng.random() >= chance:
        return None
    return "double" if rng.random() < 0.72 else "single"


def _phone(rng: random.Random, country: str) -> str | None:
    form = PHONES.get(country)
    return form.format(rng.randrange(100, 200)) if form else None


def _pick(rng: random.Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
