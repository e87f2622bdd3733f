"""Begins a world and moves its clock.

Everything that happens between two moments is one transaction, including the moment itself. What
has to leave the house (files of site events, opt-outs, posts to the webhook) is written down in
that transaction and carried out after it, again if it was cut off.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import sqlite3
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox import store as state
from sandbox.mail import webhook as mail_webhook
from sandbox.store import Store, iso, parse
from sandbox.world import (
    answers,
    assortment,
    browsers,
    catalogue,
    earlier,
    fulfilment,
    occasions,
    post,
    reading,
    register,
    retail,
    sales,
    shopping,
    traffic,
    visitors,
)
from sandbox.world.simulation import Entry, Simulation

EARLY = timedelta(days=220)
"""How long before the history a quarter of the people turned up, so that some have been away for long."""

WAITS = (110, 3, 9, 20)
"""After how many hours those who must ask the service something have their answer."""

CARTS_LEFT = timedelta(hours=40)
"""Before the history's end, one after the other: a reminder may still go out for each."""

_advancing = threading.Lock()


@dataclass(frozen=True)
class Setting:
    """What a world is made of. `start`: the moment its history ends and its clock stands at."""

    seed: int = 7
    start: datetime | None = None
    contacts: int = 2000
    days: int = 180
    retail: Path | None = None


@dataclass(frozen=True)
class Outlets:
    """Where what happens is told: folders for files of site events and for files that people would drop
    (below it `ad_spend`, `postal_returns` and more), the URL for mail events, and that of the
    site's backend, which browsers ask for overlays. None: told to nobody yet."""

    site_inbox: Path | None = None
    files_inbox: Path | None = None
    webhook: str | None = None
    backend: str | None = None


def begin(store: Store, setting: Setting, outlets: Outlets = Outlets()) -> None:
    """Generate the world if there is none yet, and write what a stopped one still had to write."""
    store.generate(lambda db: _fill(db, setting))
    deliver_files(store, outlets)


def _fill(db: sqlite3.Connection, setting: Setting) -> None:
    state.put(db, "seed", str(setting.seed))
    if setting.retail is not None:
        retail.fill(db, setting.retail)
        return
    start = setting.start or datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0)
    opened = start - timedelta(days=setting.days) - EARLY
    history = setting.contacts * 0.75 / max(1, setting.days)
    scale = {"contacts": setting.contacts, "arrivals_a_day": max(history, 0.05)}
    for key, value in (
        ("now", iso(start)),
        ("start", iso(start)),
        ("shop_name", "Blatt & Bohne"),
        ("currency", "EUR"),
        ("scale", json.dumps(scale)),
        ("ads_paid_until", opened.date().isoformat()),
    ):
        state.put(db, key, value)
    catalogue.write(db, setting.seed, opened - timedelta(days=30))
    sales.set_up(db, opened)
    simulation = Simulation(db, HANDLERS)
    _plan_history(simulation, setting, start)
    simulation.run(start)
    _write(db, simulation, None, start)


def _plan_history(simulation: Simulation, setting: Setting, start: datetime) -> None:
    """Who arrives when, and what must be going on at the end whatever chance says."""
    rng = random.Random(f"{setting.seed}:history")
    begin = start - timedelta(days=setting.days)
    fresh = max(4, setting.contacts // 100)
    leads = max(3, setting.contacts // 120)
    carts = max(4, setting.contacts // 150)
    curious = max(4, setting.contacts // 80)
    callers = max(2, setting.contacts // 300)
    early = setting.contacts // 4
    rest = max(0, setting.contacts - early - fresh - leads)
    arrivals = [begin - rng.random() * EARLY for _ in range(early)]
    arrivals += [begin + rng.random() * (start - begin) for _ in range(rest)]
    for at in sorted(arrivals):
        simulation.schedule("arrive", at, 0)
    for _ in range(fresh):
        simulation.schedule("arrive", start - timedelta(hours=rng.uniform(1, 46)), 0, role="subscriber")
    for _ in range(leads):
        simulation.schedule("arrive", start - timedelta(days=rng.uniform(2, 12)), 0, role="lead")
    for number in range(carts):
        simulation.schedule("leave_cart", start - CARTS_LEFT * (number + 1) / carts, 0)
    simulation.schedule(
        "arrive", start + timedelta(days=1) / simulation.scale["arrivals_a_day"], 0, chain=True
    )
    simulation.schedule("passers_by", begin.replace(hour=0, minute=0), 0)
    for _ in range(curious):
        back_in = rng.uniform(44, 110)  # after the history's end
        arrival = start - timedelta(hours=rng.uniform(2, 40))
        simulation.schedule("arrive", arrival, 0, back_in=back_in)
    for number in range(callers):
        at = start - timedelta(hours=rng.uniform(50, 100))
        simulation.schedule("call_service", at, 0, number=number)
        simulation.schedule("want_content", start - timedelta(hours=rng.uniform(1, 40)), 0)
    simulation.schedule("ask_offers", start - timedelta(hours=20), 0)
    week = (start - begin) // assortment.EVERY
    first = start - assortment.EVERY * week - timedelta(days=5)
    simulation.schedule("rearrange", first, 0, week=0)
    occasions.plan(simulation.schedule, start)
    earlier.plan(simulation.schedule, begin, start)


def advance(store: Store, until: datetime, outlets: Outlets = Outlets()) -> dict[str, Any]:
    """Move the clock to `until`; people do what they do, also in answer to the mails they got.

    Returns what happened, by kind. A moment that has passed already changes nothing, but what was
    still to be delivered is.
    """
    with _advancing:
        happened = _live(store, until)
        files = deliver_files(store, outlets)
        pressed = answers.press(store)
        posted = _post_mail_events(store, outlets.webhook) if outlets.webhook else {}
        return {
            "now": iso(store.now()),
            "happened": happened,
            "files": files,
            **pressed,
            "mail_events": posted,
            "browsers": browsers.act(store, outlets.backend),
        }


def _live(store: Store, until: datetime) -> dict[str, int]:
    with store.write() as db:
        now = parse(state.get(db, "now"))
        if until <= now:
            return {}
        simulation = Simulation(db, HANDLERS)
        simulation.load(until)
        answers.plan(simulation, now, until)
        browsers.plan(simulation, now, until)
        simulation.run(until)
        _write(db, simulation, now, until)
        return dict(sorted(simulation.happened.items()))


def _write(db: sqlite3.Connection, simulation: Simulation, since: datetime | None, until: datetime) -> None:
    """End of the transaction: the people, what happened as files to be written, the clock."""
    simulation.save()
    if since is not None:
        browsers.note_visitors(db, simulation.visitors)
    end = iso(until)
    files: dict[str, list[dict[str, Any]]] = defaultdict(list)
    waiting = db.execute(
        "select occurred_at, record from world_site_events where occurred_at <= ?", (end,)
    ).fetchall()
    db.execute("delete from world_site_events where occurred_at <= ?", (end,))
    due = [(row["occurred_at"], json.loads(row["record"])) for row in waiting]
    due += [event for event in simulation.events if event[0] <= end]
    for at, record in sorted(due, key=lambda event: (event[0], event[1]["event_id"])):
        files[at[:10]].append(record)
    db.executemany(
        "insert into world_site_events values (?, ?)",
        [(at, json.dumps(record, ensure_ascii=False)) for at, record in simulation.events if at > end],
    )
    suffix = "" if since is None else f"-{_compact(since)}-{_compact(until)}"
    for day, records in files.items():
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        _put_out(db, f"site-{day}{suffix}.ndjson.gz", gzip.compress(lines.encode(), 5, mtime=0))
    if simulation.letters:
        _put_out(db, *post.returns_file(simulation.letters, _compact(until)))
    if simulation.mails:
        _put_out(db, *earlier.mails_file(simulation.mails, _compact(until)))
    if simulation.announced:
        _put_out(db, *occasions.announcements_file(simulation.announced, _compact(until)))
    if paid_until := state.get(db, "ads_paid_until", ""):
        days = date.fromisoformat(paid_until), until.date()
        if spent := traffic.spend_file(simulation.seed, simulation.scale["contacts"], *days):
            _put_out(db, *spent)
        state.put(db, "ads_paid_until", max(days).isoformat())
    state.put(db, "now", end)


def _put_out(db: sqlite3.Connection, name: str, body: bytes) -> None:
    db.execute("insert or replace into world_outbox values (?, ?)", (name, body))


def _post_mail_events(store: Store, webhook: str) -> dict[str, int]:
    with contextlib.closing(store.connect()) as db:  # commits as it goes: not in a transaction
        return mail_webhook.deliver_due(db, webhook, store.now())


def _compact(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S")


def deliver_files(store: Store, outlets: Outlets) -> int:
    """Write waiting files into the inbox folders, each complete or not at all. Returns how many."""
    with store.read() as db:
        waiting = db.execute("select name, body from world_outbox order by name").fetchall()
    written = []
    for row in waiting:
        # Only files that people would drop are named with a folder.
        inbox = outlets.files_inbox if "/" in row["name"] else outlets.site_inbox
        if inbox is None:
            continue
        path = inbox / row["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        draft.write_bytes(row["body"])
        draft.replace(path)
        written.append((row["name"],))
    with store.write() as db:
        db.executemany("delete from world_outbox where name = ?", written)
    return len(written)


COUNTED = {
    "shop_customers": "shop_customers",
    "shop_orders": "shop_orders",
    "shop_order_lines": "shop_order_lines where listed",
    "shop_refunds": "shop_refunds",
    "shop_refund_lines": "shop_refund_lines",
    "shop_products": "shop_products",
    "shop_abandoned_checkouts": "shop_checkouts",
    "crm_contacts": "crm_object where kind = 'contacts' and archived_at is null",
    "crm_companies": "crm_object where kind = 'companies' and archived_at is null",
    "crm_deals": "crm_object where kind = 'deals' and archived_at is null",
    "crm_notes": "crm_object where kind = 'notes' and archived_at is null",
    "crm_tickets": "crm_object where kind = 'tickets' and archived_at is null",
    "people": "world_people",
    "messages": "mail_message",
    "files_waiting": "world_outbox",
}


def report(store: Store) -> dict[str, Any]:
    """The world's clock and how much there is of everything."""
    with store.read() as db:
        counts = {
            name: db.execute(f"select count(*) from {source}").fetchone()[0]  # ruff: ignore[hardcoded-sql-expression] - our own table names
            for name, source in COUNTED.items()
        }
        return {
            "now": state.get(db, "now"),
            "start": state.get(db, "start"),
            "seed": int(state.get(db, "seed")),
            "counts": counts,
        }


def leave_cart(entry: Entry) -> None:
    """Makes some subscriber without a cart leave one now, so that even a small world has a few to remind."""
    if person_id := _some_customer(
        entry,
        "marketing_state = 'SUBSCRIBED' and valid_format and not exists (select 1 from shop_checkouts"
        " where customer_id = shop_customers.id and completed_at is null)",
    ):
        entry.sim.schedule("visit", entry.at, person_id, abandon=True, extra=True)


def call_service(entry: Entry) -> None:
    """Makes some subscriber ask the service something now; most have an answer within a day."""
    number = entry.data["number"]
    if person_id := _some_customer(entry, "marketing_state = 'SUBSCRIBED'"):
        entry.sim.schedule("ask_service", entry.at, person_id, hours=WAITS[number % len(WAITS)])
        if number % 2:
            entry.sim.schedule("survey", entry.at + timedelta(hours=40), person_id, topic="service", mark=3)


def want_content(entry: Entry) -> None:
    """Makes somebody who has not agreed to mails ask for something to read now."""
    if person_id := _some_customer(entry, "marketing_state in ('NOT_SUBSCRIBED', 'PENDING')"):
        entry.sim.schedule("request", entry.at, person_id)


def _some_customer(entry: Entry, condition: str) -> int | None:
    row = entry.db.execute(
        f"select id from shop_customers where {condition} and created_at < ?"  # ruff: ignore[hardcoded-sql-expression] - our own conditions
        " order by (id * 7919 + ?) % 1009, id limit 1",
        (iso(entry.at), entry.rng.randrange(1009)),
    ).fetchone()
    return row["id"] - register.FIRST_CUSTOMER_ID if row else None


HANDLERS = {
    **register.HANDLERS,
    **shopping.HANDLERS,
    **fulfilment.HANDLERS,
    **sales.HANDLERS,
    **answers.HANDLERS,
    **reading.HANDLERS,
    **post.HANDLERS,
    **visitors.HANDLERS,
    **assortment.HANDLERS,
    **occasions.HANDLERS,
    **earlier.HANDLERS,
    "leave_cart": leave_cart,
    "call_service": call_service,
    "want_content": want_content,
}
