"""What becomes of a text: delivered or not, and now and then an answer: STOP, later perhaps START.

All of it is decided at once from a hash of the seed and the message, and posted when the world's clock
passes its moment: to the message's status callback, and answers to the number's own address.
Posts are signed as https://www.twilio.com/docs/usage/security#validating-requests says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import sqlite3
from collections.abc import Mapping
from typing import Any

SCHEMA = """
create table if not exists sms_post (
    id integer primary key,
    message_id integer not null,
    due_at integer not null,   -- seconds since 1970, the world's clock
    url text not null,         -- empty: the number's own address for answers
    form text not null,        -- JSON object
    posted integer not null default 0
);

create table if not exists sms_stopped (address text primary key) without rowid;
"""

UNDELIVERED_SHARE = 0.03
STOP_SHARE = 0.02
START_SHARE = 0.2
"""Of those who stopped, how many come back."""


def decide(
    db: sqlite3.Connection, seed: int, message_id: int, sid: str, address: str, callback: str, now: int
) -> None:
    """Write down everything that will happen to an accepted text."""
    digest = hashlib.sha256(f"{seed}:sms:{address}:{message_id}".encode()).digest()
    dice = random.Random(digest)
    is_lost = dice.random() < UNDELIVERED_SHARE
    status = {"MessageSid": sid, "MessageStatus": "sent", "To": address}
    end = {"MessageStatus": "undelivered", "ErrorCode": dice.choice(("30003", "30005", "30006"))}
    posts = [(now + 2, callback, status)]
    posts.append((now + 10, callback, status | (end if is_lost else {"MessageStatus": "delivered"})))
    if not is_lost and dice.random() < STOP_SHARE:
        answered = now + dice.randint(60, 4 * 3600)
        posts.append((answered, "", _answer(sid, address, dice.choice(("STOP", "Stop", "STOP bitte")))))
        if dice.random() < START_SHARE:
            posts.append((answered + dice.randint(60, 86_400), "", _answer(sid, address, "START")))
    db.executemany(
        "insert into sms_post (message_id, due_at, url, form) values (?, ?, ?, ?)",
        [(message_id, at, url, json.dumps(form)) for at, url, form in posts if url or "Body" in form],
    )


def has_stopped(db: sqlite3.Connection, address: str) -> bool:
    """Whether this number has answered STOP, and not START after it."""
    return db.execute("select 1 from sms_stopped where address = ?", (address,)).fetchone() is not None


def answer(db: sqlite3.Connection, address: str, text: str, now: int) -> None:
    """Let the owner of a number answer now."""
    form = json.dumps(_answer(f"SM{now:032x}", address, text))
    db.execute("insert into sms_post (message_id, due_at, url, form) values (0, ?, '', ?)", (now, form))


def post_due(world: Any, token: str, answers_url: str | None) -> dict[str, int]:
    """Post what is due by the world's clock; what a receiver does not take is tried at the next call.

    Answers wait while there is no `answers_url`. Returns the number of posts taken and refused.
    """
    import httpx

    counts = {"posted": 0, "refused": 0}
    with world.read() as db:
        now = int(world.now().timestamp())
        due = db.execute(
            "select * from sms_post where posted = 0 and due_at <= ? order by due_at, id", (now,)
        ).fetchall()
    with httpx.Client(timeout=30) as client:
        for row in due:
            if not (url := row["url"] or answers_url):
                continue
            form = json.loads(row["form"])
            try:
                taken = client.post(url, data=form, headers={"X-Twilio-Signature": sign(token, url, form)})
            except httpx.TransportError:
                counts["refused"] += 1  # a receiver that is down counts as one that refuses
                continue
            counts["posted" if taken.is_success else "refused"] += 1
            if taken.is_success:
                with world.write() as db:
                    _done(db, row, form)
    return counts


def sign(token: str, url: str, form: Mapping[str, str]) -> str:
    """Twilio's signature: HMAC-SHA1 of the URL and the sorted names and values, base64."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def _answer(sid: str, address: str, text: str) -> dict[str, str]:
    return {
        "MessageSid": "SM" + hashlib.sha256(f"{sid}{text}".encode()).hexdigest()[:32],
        "From": address,
        "Body": text,
    }


def _done(db: sqlite3.Connection, row: sqlite3.Row, form: Mapping[str, str]) -> None:
    db.execute("update sms_post set posted = 1 where id = ?", (row["id"],))
    if "MessageStatus" in form:
        state = (form["MessageStatus"], row["message_id"])
        db.execute("update posted_message set state = ? where id = ?", state)
        return
    word = form["Body"].split()[0].upper()
    if word == "STOP":
        db.execute("insert or ignore into sms_stopped values (?)", (form["From"],))
    elif word == "START":
        db.execute("delete from sms_stopped where address = ?", (form["From"],))
