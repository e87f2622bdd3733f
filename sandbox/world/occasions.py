"""What has its day: birthdays and other dates in the CRM, what the shop announces, who offers to help."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sandbox.crm import store as crm
from sandbox.store import iso
from sandbox.world import register
from sandbox.world.simulation import Entry, site_url
from sandbox.world.traffic import as_csv

NOTED = {
    # property: years and days from the present to the day that is noted, a line for each person
    "date_of_birth": ((-34, 0), (-41, 0), (-47, 1), (-29, 2), (-61, 3), (-52, 7)),
    # More than one on the day: somebody may have had a mail of another flow.
    "member_since": ((-1, 0), (-4, 0), (-6, 0), (-2, 1), (-3, 2)),
    "contract_end": ((0, 14), (0, 32), (0, 60), (0, 61)),
    # In the 20th, 28th or 36th week at the present or some days on; one or two years old.
    "baby_due": ((0, 140), (0, 84), (0, 86), (0, 30), (-1, 0), (-2, 2)),
}
"""What the service writes down about customers shortly before the world's present, so that it has some."""

BORN_ON_A_LEAP_DAY = "1988-02-29"

COLUMNS = (
    "announcement_id", "kind", "title", "description", "starts_at", "announced_at", "city", "country",
    "zip_prefix", "product_type", "url", "image_url",
)  # fmt: skip

ANNOUNCED = (
    # days until it is announced, days from then until it begins; kind, title, description, where, for whom
    (-40, 21, "store", "Neuer Laden in Köln", "Eröffnung mit Verkostung", (None, "DE", "5"), None),
    (-1, 10, "store", "Neuer Laden in Hamburg", "Zur Eröffnung gibt es Tee", (None, "DE", "2"), None),
    (-3, 4, "store", "Neuer Laden in Berlin", "Eröffnung mit Verkostung", (None, "DE", "1"), None),
    (-1, 5, "event", "Röstabend in Berlin", "Drei Röstungen im Vergleich", (None, "DE", "1"), None),
    (-1, 14, "release", "First Flush 2027", "Die erste Ernte ist da", (None, None, None), "Black tea"),
    (1, 12, "event", "Tea tasting in London", "Six teas with our buyer", (None, "GB", None), None),
    (2, 9, "release", "New roast: Sidama", "A light roast for filters", (None, None, None), "Coffee"),
    (3, 14, "event", "Offenes Lager", "Ein Blick hinter die Kulissen", ("Hamburg", "DE", None), None),
    (20, 15, "store", "Neuer Laden in Wien", "Tee und Kaffee am Naschmarkt", (None, "AT", "1"), None),
)
"""Where: city, country, beginning of the postcode, of which all that are named must be right. For whom: who
has bought this type of product."""


APPLICANTS = 3
"""How many subscribers fill in the form of the ambassadors' programme shortly before the world's present."""


def note_dates(entry: Entry) -> None:
    """The service writes down what some subscribers have told it."""
    today = entry.at.date() + timedelta(days=entry.data["ahead"])
    days = [(name, _day(today, *distance)) for name, distances in NOTED.items() for distance in distances]
    days.append(("date_of_birth", BORN_ON_A_LEAP_DAY))
    found = entry.db.execute(
        "select o.id from crm_object o join shop_customers c on c.email = o.email"
        " where o.kind = 'contacts' and o.archived_at is null and c.marketing_state = 'SUBSCRIBED'"
        " order by (o.id * 7919) % 10007, o.id limit ?",
        (len(days),),
    ).fetchall()
    for row, (name, day) in zip(found, days, strict=False):
        record = crm.find(entry.db, "contacts", row["id"])
        if record is not None:
            crm.update(entry.db, "contacts", record, {name: day}, crm.milliseconds(entry.at))


def _day(today: date, years: int, days: int) -> str:
    there = today + timedelta(days=days)
    is_leap_day = (there.month, there.day) == (2, 29)
    return there.replace(year=there.year + years, day=28 if is_leap_day else there.day).isoformat()


def announce(entry: Entry) -> None:
    """Marketing adds a line to its list."""
    number = entry.data["number"]
    _, until, kind, title, text, (city, country, prefix), product_type = ANNOUNCED[number]
    entry.sim.announced.append(
        {
            "announcement_id": f"A-{number + 1:03d}",
            "kind": kind,
            "title": title,
            "description": text,
            "starts_at": iso((entry.at + timedelta(days=until)).replace(hour=8, minute=0, second=0)),
            "announced_at": iso(entry.at),
            "city": city,
            "country": country,
            "zip_prefix": prefix,
            "product_type": product_type,
            "url": site_url(f"/news/a-{number + 1:03d}"),
            "image_url": None,
        }
    )


def apply(entry: Entry) -> None:
    """A few subscribers offer to be ambassadors, on the page of that programme."""
    found = entry.db.execute(
        "select id, email from shop_customers where marketing_state = 'SUBSCRIBED' and valid_format"
        " order by (id * 7867) % 10007, id limit ?",
        (APPLICANTS,),
    ).fetchall()
    for row in found:
        person = entry.sim.person(row["id"] - register.FIRST_CUSTOMER_ID)
        url, about = site_url("/ambassadors"), {"email": row["email"], "topic": "ambassadors"}
        entry.sim.site(person, entry.at, "form_submit", url, known=True, **about)


def announcements_file(rows: list[dict[str, Any]], name: str) -> tuple[str, bytes]:
    """Marketing's list as a CSV, and where it goes."""
    return f"announcements/announcements-{name}.csv", as_csv(COLUMNS, rows, ",")


def plan(schedule: Any, start: datetime) -> None:
    """Put everything of this module on the agenda; `start` is the end of the history."""
    schedule("note_dates", start - timedelta(days=2), 0, ahead=2)
    schedule("apply", start - timedelta(hours=15), 0)
    for number, (days, *_) in enumerate(ANNOUNCED):
        schedule("announce", start + timedelta(days=days), 0, number=number)


HANDLERS = {"note_dates": note_dates, "announce": announce, "apply": apply}
