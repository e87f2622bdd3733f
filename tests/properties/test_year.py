"""More than a year of three real flows, a build a day, and an hour where clocks change and birthdays are.

Two Februaries, one with a 29th day; clocks that go forward and back, on both halves of the earth.
"""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
from sqlalchemy import func, insert, select

from kreislauf.flow.files import find
from kreislauf.flow.model import INCLUDE, Step
from kreislauf.flow.policy import load_policy
from kreislauf.ledger.schema import NOT_FINAL, BatchState, batch, voucher
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.model import JINJA
from kreislauf.warehouse.models import load_models
from tests.properties.circuit import Circuit, Rows, Tables, cap_exceeded, disturbed

BEGIN, END = datetime(2027, 2, 20, 7, tzinfo=UTC), datetime(2028, 3, 20, 7, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FLOWS = ("abandoned_cart", "birthday", "welcome")


@dataclass(frozen=True)
class Person:
    zone: str
    reads_at: int | None = None
    birthday: date | None = None
    buys: bool = False
    """Leaves a cart on each evening before the clocks change; orders, or does not."""


PEOPLE = {
    "berlin": Person("Europe/Berlin", 7, date(2000, 2, 29)),
    "hamburg": Person("Europe/Berlin", None, date(1970, 10, 31)),
    "paris": Person("Europe/Paris", 6, date(1995, 3, 28)),
    "new-york": Person("America/New_York", 19, date(1990, 11, 7)),
    "auckland": Person("Pacific/Auckland", None, date(1985, 9, 26)),
    "munich": Person("Europe/Berlin", 21),
    "boston": Person("America/New_York", 19, buys=True),
    "wellington": Person("Pacific/Auckland", 2),
}
BIRTHDAYS = {
    ("berlin", date(2027, 2, 28)),
    ("berlin", date(2028, 2, 29)),
    ("hamburg", date(2027, 10, 31)),
    ("paris", date(2027, 3, 28)),
    ("new-york", date(2027, 11, 7)),
    ("auckland", date(2027, 9, 26)),
}
CLOCKS_CHANGE = {
    "munich": [date(2027, 3, 28), date(2027, 10, 31)],
    "boston": [date(2027, 3, 14), date(2027, 11, 7)],
    "wellington": [date(2027, 4, 4), date(2027, 9, 26)],
}


def midnight(name: str, day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(PEOPLE[name].zone)).astimezone(UTC)


CHANGES = sorted(midnight(name, day) for name, days in CLOCKS_CHANGE.items() for day in days)
CARTS = [
    {
        "contact_id": name,
        "occurrence_id": f"cart-{name}-{day}",
        "occurred_at": midnight(name, day) - 3 * HOUR,
        "total_amount": 80 * number,
    }
    for name, days in CLOCKS_CHANGE.items()
    for number, day in enumerate(days, 1)
]
SUBSCRIBED = [
    {
        "contact_id": name,
        "occurrence_id": "first",
        "occurred_at": midnight(name, days[-1]) - DAY,
        "content_url": "https://shop.example/tea",
    }
    for name, days in CLOCKS_CHANGE.items()
]
BOUGHT = {
    row["occurrence_id"]: row["occurred_at"] + 2 * HOUR for row in CARTS if PEOPLE[row["contact_id"]].buys
}
ORDERED = [
    {"contact_id": row["contact_id"], "occurred_at": BOUGHT[row["occurrence_id"]]}
    for row in CARTS
    if row["occurrence_id"] in BOUGHT
]


def builds() -> list[datetime]:
    """Every day at seven, and every hour from the evening before a special day until its noon."""
    special = {*CHANGES, *(midnight(name, day) for name, day in BIRTHDAYS)}
    hourly = {day + number * HOUR for day in special for number in range(-1, 12)}
    daily = {BEGIN + number * DAY for number in range((END - BEGIN).days)}
    return sorted(hourly | daily)


@cache
def birthdays() -> list[dict[str, Any]]:
    """What `triggers.birthday` gives over the year, by its own SQL: each build shows two weeks of it."""
    models, tables = load_models(INCLUDE / "sql"), Tables({})
    local_days = runpy.run_path(str(INCLUDE / "sql" / "core" / "local_days.py"))["rows"]
    zones = pyarrow.table({"timezone": sorted({person.zone for person in PEOPLE.values()})})
    contacts = [
        {"contact_id": name, "timezone": person.zone, "is_archived": False} for name, person in PEOPLE.items()
    ]
    dates = [
        {"contact_id": name, "kind": "birthday", "on_date": person.birthday}
        for name, person in PEOPLE.items()
        if person.birthday
    ]
    found = {}
    for number in range((END - BEGIN).days // 10 + 1):
        as_of = BEGIN + 10 * number * DAY
        days = list(local_days({"core.timezones": zones}, as_of))
        tables.rows = {"core.contacts": contacts, "core.dates": dates, "core.local_days": days}
        for table in ("core.anniversaries", "triggers.birthday"):
            sql = JINJA.from_string(models[table].sql).render(as_of=":as_of")
            tables.rows |= {table: tables.query(sql, {"as_of": as_of} if ":as_of" in sql else None)}
        for row in tables.rows["triggers.birthday"]:
            row["occurred_at"] = row["occurred_at"].replace(tzinfo=UTC)
            found[row["contact_id"], row["occurrence_id"]] = row
    return list(found.values())


def rows(as_of: datetime) -> Rows:
    def recent(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in given if as_of - 20 * DAY < row["occurred_at"] <= as_of]

    ways = (("email", "{}@example.org"), ("push", "browser-{}"))
    return {
        "core.contact_keys": [{"record_id": name, "contact_id": name} for name in PEOPLE],
        "core.contacts": [
            {"contact_id": name, "language": "en", "timezone": person.zone} for name, person in PEOPLE.items()
        ],
        "core.reach": [
            {"contact_id": name, "channel": channel, "address": address.format(name)}
            for name in PEOPLE
            for channel, address in ways
        ],
        "core.permissions": [
            {"contact_id": name, "channel": channel, "topic": "marketing"}
            for name in PEOPLE
            for channel, _ in ways
        ],
        "core.source_freshness": [
            {"source": source, "stream": "all", "fresh_until": as_of} for source in ("shop", "mail")
        ],
        "scores.send_time": [
            {"contact_id": name, "local_hour": person.reads_at} for name, person in PEOPLE.items()
        ],
        "triggers.cart_abandoned": recent(CARTS),
        "triggers.subscribed": recent(SUBSCRIBED),
        "triggers.birthday": recent(birthdays()),
        "conditions.ordered": recent(ORDERED),
    }


def live(ledger: Ledger, moments: Sequence[datetime]) -> Circuit:
    """Each build's flows, and the sender at every moment at which something is due."""
    flows = {find(name).name: find(name) for name in FLOWS}
    goals = {name: flow.steps[0].goal for name, flow in flows.items() if flow.steps[0].goal}
    circuit = Circuit(ledger, load_policy(), goals)
    pools = sorted({step.voucher for flow in flows.values() for step in flow.steps if step.voucher})
    codes = [{"code": f"{pool}-{n}", "pool": pool, "created_at": BEGIN} for pool in pools for n in range(20)]
    with circuit.ledger.write() as connection:
        connection.execute(insert(voucher), codes)
    for as_of, until in pairwise([*moments, moments[-1] + DAY]):
        given = rows(as_of)
        circuit.publish(given, as_of)
        run = circuit.run(as_of)
        for step in open_steps(circuit, [step for flow in flows.values() for step in flow.steps], given):
            circuit.decide(step, run)
        deliver(circuit, as_of, until)
    return circuit


def open_steps(circuit: Circuit, steps: list[Step], given: Rows) -> list[Step]:
    """Those that have something left to decide; deciding the others, as Airflow does, changes nothing."""
    names = ("flow", "step", "contact_id", "occurrence_id")
    closed = {row[:4] for row in circuit.decisions(*names, "reason") if row[4] not in NOT_FINAL}
    return [
        step
        for step in steps
        if any(
            (step.flow, step.name, row["contact_id"], row["occurrence_id"]) not in closed
            for row in given[f"triggers.{step.trigger}"]
        )
    ]


def deliver(circuit: Circuit, as_of: datetime, until: datetime) -> None:
    at: datetime | None = as_of
    while at is not None and at < until:
        circuit.send(at)
        due = select(func.min(batch.c.send_at)).where(
            batch.c.state == BatchState.PLANNED.value, batch.c.send_at > at
        )
        with circuit.ledger.read() as connection:
            at = connection.execute(due).scalar()


def test_a_year(new_sqlite):
    circuit = live(new_sqlite(), builds())
    policy, steps = load_policy(), {step.name: step for name in FLOWS for step in find(name).steps}
    zones = {name: ZoneInfo(person.zone) for name, person in PEOPLE.items()}
    messages = {row.message_key: row for row in circuit.messages()}

    unsent = [row for key, row in messages.items() if key not in {sent.key for sent in circuit.sent}]
    assert len({sent.key for sent in circuit.sent}) == len(circuit.sent) == len(messages) - len(unsent)
    assert {(row.contact_id, row.outcome_reason) for row in unsent} <= {("boston", "goal_reached")}
    assert not [s for s in circuit.sent if disturbed(s, policy, PEOPLE[s.contact_id].zone)]
    assert cap_exceeded(circuit, policy) == []

    congratulated = Counter(
        (sent.contact_id, sent.at.astimezone(zones[sent.contact_id]).date())
        for sent in circuit.sent
        if sent.step == "congratulations"
    )
    assert congratulated == dict.fromkeys(BIRTHDAYS, 1)
    for sent in circuit.sent:
        here, reads_at = sent.at.astimezone(zones[sent.contact_id]), PEOPLE[sent.contact_id].reads_at
        if sent.flow == "flow_birthday":
            assert time(9) <= here.time() < time(20), sent
        elif sent.flow == "flow_welcome" and steps[sent.step].local and reads_at is not None:
            assert here.time() == time(max(reads_at, 6)), sent  # nobody is written to at two in the morning
        occurrence = messages[sent.key].occurrence_id
        assert sent.at <= BOUGHT.get(occurrence, sent.at), sent

    # Every step had somebody to act on, and every journey came to its end.
    assert {sent.step for sent in circuit.sent} == {name for name, step in steps.items() if step.channel}
    decided = Counter(row[:3] for row in circuit.decisions("flow", "contact_id", "occurrence_id", "reason"))
    begun = {"abandoned_cart": CARTS, "birthday": birthdays(), "welcome": SUBSCRIBED}
    assert decided == {
        (f"flow_{name}", row["contact_id"], row["occurrence_id"]): len(find(name).steps)
        for name, given in begun.items()
        for row in given
    }
    assert not [row for row in circuit.decisions("reason", "step", "contact_id") if row[0] in NOT_FINAL]


def test_a_replay_decides_the_same_also_on_the_other_database(new_sqlite, new_postgres):
    moments = [at for at in builds() if date(2027, 10, 29) < at.date() < date(2027, 11, 5)]
    columns = ("flow", "flow_version", "step", "contact_id", "occurrence_id", "reason", "variant", "due_at")
    columns += ("send_at", "as_of", "inputs_until", "build_id", "run_id", "policy_version")
    one, two = (live(new(), moments).decisions(*columns) for new in (new_sqlite, new_postgres))
    assert one and repr(one) == repr(two)
