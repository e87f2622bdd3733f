"""What people's browsers and phones do by themselves, over HTTP as real ones would.

A browser subscribes to notifications where its owner allows it, asks the site's backend for overlays
when its owner was on the site, shows them and reports what became of them; a service worker reports what
became of a notification. What is decided comes from the seed and the message's key alone.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from sandbox import store as state
from sandbox.push import browsers as push
from sandbox.store import Store, iso, parse
from sandbox.world.people import Person
from sandbox.world.simulation import Simulation

SHOWN, CLICKED, CLOSED = 0.95, 0.2, 0.4
"""Of the notifications: how many appear at all, are clicked, and of the others are wiped away."""
FOLLOWS_TEXT = 0.25
"""The share of the texts whose link is followed."""
ANSWERS = {"survey": 0.45, "newsletter": 0.4, "content": 0.35}
"""The share of the overlays that are answered or clicked, by what they ask for."""
CLOSES = 0.7
"""Of the others, how many are closed; the rest is shown again next time."""

_LINK = re.compile(r"https?://\S+")
_PATIENCE = 10.0  # seconds


def plan(simulation: Simulation, now: datetime, until: datetime) -> None:
    """Decide what becomes of the texts and notifications that have come since; clicks go onto the agenda."""
    db = simulation.db
    seen = int(state.get(db, "posted_seen", "0"))
    new = db.execute(
        "select * from posted_message where id > ? and channel in ('sms', 'push') and accepted_at <= ?"
        " order by id",
        (seen, int(until.timestamp())),
    ).fetchall()
    for row in new:
        dice = random.Random(f"{simulation.seed}:{row['channel']}:{row['message_key'] or row['id']}")
        at = datetime.fromtimestamp(row["accepted_at"], UTC) + timedelta(seconds=dice.randint(30, 9_000))
        at = max(at, now + timedelta(seconds=1))
        react = _to_text if row["channel"] == "sms" else _to_notification
        react(simulation, dice, row["address"], json.loads(row["content"]), at)
        state.put(db, "posted_seen", str(row["id"]))


def _to_text(
    simulation: Simulation, dice: random.Random, number: str, content: dict[str, Any], at: datetime
) -> None:
    link = _LINK.search(content["body"])
    owner = simulation.db.execute(
        "select person_id from world_people where json_extract(state, '$.phone') = ?"
        " and json_extract(state, '$.texts') order by person_id limit 1",
        (number,),
    ).fetchone()
    if link and owner and dice.random() < FOLLOWS_TEXT:
        simulation.schedule("click", at, owner["person_id"], url=link[0])


def _to_notification(
    simulation: Simulation, dice: random.Random, browser_id: str, content: dict[str, Any], at: datetime
) -> None:
    if not content.get("beacon") or dice.random() >= SHOWN:
        return
    seconds = timedelta(seconds=dice.randint(2, 900))
    what = [("shown", at)]
    if dice.random() < CLICKED:
        what.append(("clicked", at + seconds))
        owner = simulation.db.execute(
            "select person_id from world_browsers where browser_id = ?", (browser_id,)
        ).fetchone()
        if owner and content.get("url"):
            simulation.schedule("click", at + seconds, owner["person_id"], url=content["url"])
    elif dice.random() < CLOSED:
        what.append(("closed", at + seconds))
    simulation.db.executemany(
        "insert or ignore into world_beacons values (?, ?)",
        [(f"{content['beacon']}/{name}", iso(moment)) for name, moment in what],
    )


def note_visitors(db: sqlite3.Connection, visitors: dict[str, int]) -> None:
    """These browsers were on the site, and will ask what to show."""
    db.executemany("insert or replace into world_askers values (?, ?)", sorted(visitors.items()))


# ------------------------------------------------------------------- after the transaction: HTTP


def act(store: Store, backend: str | None) -> dict[str, int]:
    """Do over HTTP what browsers have to do by now. What is not answered is tried again at the next call.

    `backend` is the URL of the site's backend; without one only what became of notifications is told.
    """
    counts = {"beacons": 0, "subscribed": 0, "asked": 0, "shown": 0, "answered": 0}
    with httpx.Client(timeout=_PATIENCE) as client:
        try:
            _report(store, client, counts)
            if backend:
                _subscribe(store, client, backend, counts)
                _ask(store, client, backend, counts)
        except httpx.TransportError:
            counts["unreachable"] = 1
    return counts


def _report(store: Store, client: httpx.Client, counts: dict[str, int]) -> None:
    with store.read() as db:
        due = db.execute(
            "select url from world_beacons where due_at <= ? order by due_at, url", (iso(store.now()),)
        ).fetchall()
    for row in due:
        if client.post(row["url"]).status_code >= 500:
            continue
        with store.write() as db:
            db.execute("delete from world_beacons where url = ?", (row["url"],))
        counts["beacons"] += 1


def _subscribe(store: Store, client: httpx.Client, backend: str, counts: dict[str, int]) -> None:
    with store.read() as db:
        waiting = db.execute(
            "select * from world_browsers where browser_id is null and allowed_at <= ? order by visitor_id",
            (iso(store.now()),),
        ).fetchall()
    if not waiting:
        return
    key = client.get(f"{backend}/push/key")
    if not key.is_success:
        return  # this site sends no notifications
    for row in waiting:
        with store.write() as db:
            made = push.subscribe(db, store.base_url, key.json()["applicationServerKey"])
        given = made | {"visitor_id": row["visitor_id"], "language": row["language"]}
        if not client.post(f"{backend}/push/subscriptions", json=given).is_success:
            continue
        with store.write() as db:
            db.execute(
                "update world_browsers set browser_id = ? where visitor_id = ?",
                (made["endpoint"].rpartition("/")[2], row["visitor_id"]),
            )
        counts["subscribed"] += 1


def _ask(store: Store, client: httpx.Client, backend: str, counts: dict[str, int]) -> None:
    with store.read() as db:
        waiting = db.execute("select * from world_askers order by visitor_id").fetchall()
    for row in waiting:
        offered = client.get(f"{backend}/overlays/{quote(row['visitor_id'])}")
        if offered.status_code >= 500:
            continue
        for overlay in offered.json() if offered.is_success else []:
            counts["shown"] += 1
            counts["answered"] += _show(store, client, backend, row["person_id"], overlay)
        with store.write() as db:
            db.execute("delete from world_askers where visitor_id = ?", (row["visitor_id"],))
        counts["asked"] += 1


def _show(store: Store, client: httpx.Client, backend: str, person_id: int, overlay: dict[str, Any]) -> bool:
    """Show an overlay; True if the visitor answers or clicks."""
    at = f"{backend}/overlays/{overlay['token']}"
    dice = random.Random(f"{store.seed}:overlay:{overlay['token']}")
    client.post(f"{at}/shown")
    kind = overlay["kind"]
    person = _person(store, person_id)
    if kind == "newsletter" and (person is None or not person.valid):
        wants = False
    else:
        wants = dice.random() < ANSWERS.get(kind, 0.0)
    if not wants:
        if dice.random() < CLOSES:
            client.post(f"{at}/closed")
        return False
    if kind == "content":
        client.post(f"{at}/clicked")
        if person is not None and overlay.get("url"):
            _follow(store, person, overlay["url"])
        return True
    if kind == "newsletter":
        answer = {"email": person.email if person else ""}
    else:
        answer = {"answer": dice.choice(overlay.get("answers") or ["Tee"])}
    return client.post(f"{at}/answer", json=answer).is_success


def _person(store: Store, person_id: int) -> Person | None:
    with store.read() as db:
        row = db.execute("select state from world_people where person_id = ?", (person_id,)).fetchone()
    return Person.from_json(row["state"]) if row else None


def _follow(store: Store, person: Person, url: str) -> None:
    """Put a click onto the agenda: the visit follows when the clock goes on."""
    with store.write() as db:
        seq = int(state.get(db, "agenda_seq", "0")) + 1
        state.put(db, "agenda_seq", str(seq))
        at = parse(state.get(db, "now")) + timedelta(seconds=1)
        db.execute(
            "insert into world_agenda values (?, ?, 'click', ?, ?)",
            (iso(at), seq, person.id, json.dumps({"url": url})),
        )
