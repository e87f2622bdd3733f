"""What there is to know about a person beyond their name, and what of it the CRM has been told.

The CRM's record is as such records are: half empty, mostly right, and sometimes at odds with the rest.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.world.people import Person

ZONES = {
    "DE": (("Europe/Berlin", 97), ("America/New_York", 1), ("Europe/London", 1), ("Europe/Zurich", 1)),
    "AT": (("Europe/Vienna", 1),),
    "CH": (("Europe/Zurich", 1),),
    "GB": (("Europe/London", 97), ("America/New_York", 1), ("Europe/Berlin", 2)),
    "IE": (("Europe/Dublin", 1),),
    "NL": (("Europe/Amsterdam", 1),),
    "US": (("America/New_York", 70), ("America/Los_Angeles", 30)),
}
FAVOURITE_HOURS = (7, 9, 12, 17, 19, 20, 21)
PERSONAS = {
    "lead": (("office_manager", 50), ("hospitality", 33), ("gift_giver", 17)),
    "other": (("connoisseur", 55), ("gift_giver", 20), (None, 25)),
}
TOPICS = {
    "office_manager": "business",
    "hospitality": "business",
    "gift_giver": "gifts",
    "connoisseur": "tea",
    None: "coffee",
}
BUYING_ROLES = {
    "decides": ("DECISION_MAKER", "DECISION_MAKER;BUDGET_HOLDER", "EXECUTIVE_SPONSOR"),
    "recommends": ("CHAMPION", "INFLUENCER"),
    "uses": ("END_USER", "BLOCKER"),
}
OWN_PROPERTIES = {
    "bant_budget": "number",
    "bant_authority": "string",
    "bant_need": "string",
    "bant_timeframe": "string",
    "bant_project": "bool",
    "member_since": "date",
    "contract_end": "date",
    "baby_due": "date",
}
"""Contact properties that the account has added to HubSpot's."""

TEXTS = 0.6
"""The share of those with a mobile number who agree to text messages."""
NOTIFIED = 0.15
"""The share of the browsers that may show notifications."""
DATES = {
    # property: (the share of the people who have one, days before and after they turned up)
    "member_since": (0.30, (-20, 5)),
    "contract_end": (0.12, (100, 420)),
    "baby_due": (0.04, (-120, 240)),
}

STRANGE_SALUTATIONS = ("Dr.", "Prof. Dr.", "Divers", "Familie", "Firma", "Mx.")
UNBELIEVABLE_BIRTHDAYS = ("1900-01-01", "2031-05-17", "31.02.1985", "10/11/82", "2021-03-04")


def describe(seed: int, person: Person) -> None:
    """Give a person what they are beyond name and address; drawn from the seed and their number alone."""
    rng = random.Random(f"{seed}:profile:{person.id}")
    person.birthday = (date(2008, 6, 1) - timedelta(days=int(rng.triangular(0, 23_000, 9_000)))).isoformat()
    person.timezone = _pick(rng, ZONES[person.country])
    person.hour = rng.choice(FAVOURITE_HOURS)
    person.zip = _zip(rng, person.country, person.zip)
    person.persona = _pick(rng, PERSONAS["lead" if person.role == "lead" else "other"])
    # One in five buys at a discount, the others hardly ever.
    person.thrift = 0.75 if rng.random() < 0.2 else 0.05
    person.followers = round(rng.lognormvariate(5.2, 1.5))
    person.authority = _pick(rng, (("decides", 35), ("recommends", 40), ("uses", 25)))
    person.budget = round(rng.lognormvariate(7.6, 0.8), -2)
    if person.phone is not None:
        person.phone = _mobile(rng, person)
        person.texts = rng.random() < TEXTS
    person.notified = rng.random() < NOTIFIED


def mark_dates(seed: int, person: Person, arrived: date) -> None:
    """Give a person the days that something began, ends or is due, around the day they turned up."""
    rng = random.Random(f"{seed}:dates:{person.id}")
    for name, (share, between) in DATES.items():
        day = arrived + timedelta(days=rng.randint(*between))
        if rng.random() < share:
            person.dates[name] = day.isoformat()


def bant(person: Person, rng: random.Random) -> dict[str, Any]:
    """What a lead would say today about budget, authority, need, time frame and project."""
    warm = person.warmth > 0.55
    return {
        "budget": f"{person.budget:.0f}",
        "role": person.authority,
        "need": rng.choice(("high", "high", "medium") if warm else ("medium", "low", "none")),
        "timeframe": rng.choice(("now", "quarter", "half_year") if warm else ("half_year", "year", "later")),
    }


def noted_bant(person: Person, rng: random.Random, step: int) -> dict[str, Any]:
    """What a salesperson writes into the CRM after so many conversations; one in eight misheard."""
    said = bant(person, rng)
    if rng.random() < 0.125:
        said["role"] = rng.choice(("decides", "uses"))
        said["budget"] = f"{person.budget * rng.choice((0.1, 10)):.0f}"
    heard = {
        1: {"bant_need": said["need"]},
        2: {"bant_authority": said["role"], "bant_budget": said["budget"]},
        3: {"bant_timeframe": said["timeframe"], "bant_project": person.warmth > 0.4},
    }[step]
    return {name: value for name, value in heard.items() if rng.random() < 0.8}


def crm_properties(person: Person, rng: random.Random) -> dict[str, Any]:
    """The CRM's properties of a person beyond name, company and consent; None is not known."""

    def known(share: float, value: Any) -> Any:
        return value if value is not None and rng.random() < share else None

    role = rng.choice(BUYING_ROLES[person.authority]) if person.role == "lead" else None
    return {
        "salutation": _salutation(person, rng),
        "address": known(0.6, person.address1),
        "zip": known(0.6, person.zip if rng.random() > 0.02 else f"{rng.randrange(10**6, 10**7)}"),
        "hs_timezone": known(0.6, person.timezone.lower().replace("/", "_slash_")),
        "date_of_birth": known(0.4, _written_birthday(person, rng)),
        "hs_persona": known(0.5, person.persona),
        "hs_buying_role": known(0.5, role),
        "followercount": known(0.15, person.followers),
        **person.dates,
    }


def _salutation(person: Person, rng: random.Random) -> str | None:
    """Missing for a third, of no use for some, and for a few that of the other sex."""
    chance = rng.random()
    if chance < 0.35:
        return None
    if chance < 0.42:
        return rng.choice(STRANGE_SALUTATIONS)
    is_woman = (person.gender == "f") != (chance < 0.46)
    if person.language == "de":
        return "Frau" if is_woman else "Herr"
    return rng.choice(("Ms.", "Mrs.")) if is_woman else "Mr."


def _written_birthday(person: Person, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.03:
        return rng.choice(UNBELIEVABLE_BIRTHDAYS)
    year, month, day = person.birthday.split("-")
    return f"{day}.{month}.{year}" if person.language == "de" and chance < 0.5 else person.birthday


def _mobile(rng: random.Random, person: Person) -> str:
    """A number of the ranges kept for films, of which few people share one."""
    form, numbers = {
        "DE": ("+493023125{:03d}", 1000),
        "GB": ("+447700900{:03d}", 1000),
        "US": ("+1202555{:04d}", 200),
    }[person.country]
    return form.format(rng.randrange(100, numbers))


def _zip(rng: random.Random, country: str, drawn: str) -> str:
    """A postcode as the country writes them; `drawn` is a German or a British one."""
    if country in {"DE", "GB"}:
        return drawn
    number = rng.randrange(1000, 10_000)
    return {
        "AT": f"{number}",
        "CH": f"{number}",
        "NL": f"{number} {rng.choice('BCDKLMPR')}{rng.choice('AEHKLNXZ')}",
        "IE": f"D{number % 24 + 1:02d} {rng.choice('ACEFHKNPRTVWXY')}{number % 1000:03d}",
        "US": f"{number * 9 + 1000:05d}",
    }[country]


def _pick(rng: random.Random, shares: Any) -> Any:
    values, weights = zip(*shares, strict=True)
    return rng.choices(values, weights)[0]
