"""The browsers of the pretend world that may be notified."""

from __future__ import annotations

import secrets
import sqlite3
from typing import Any

from sandbox.push import crypto

SCHEMA = """
create table if not exists push_browser (
    id text primary key,
    private_key text not null,  -- base64url
    public_key text not null,
    auth text not null,
    application_key text,       -- the site's VAPID key, if it named one
    is_gone integer not null default 0
) without rowid;
"""


def subscribe(db: sqlite3.Connection, base_url: str, application_key: str | None = None) -> dict[str, Any]:
    """A new browser; its subscription as `PushSubscription.toJSON()` gives it."""
    private, public = crypto.new_pair()
    browser_id, auth = secrets.token_hex(16), crypto.encode(secrets.token_bytes(16))
    row = (browser_id, private, public, auth, application_key)
    columns = "id, private_key, public_key, auth, application_key"
    db.execute(f"insert into push_browser ({columns}) values (?, ?, ?, ?, ?)", row)  # ruff: ignore[hardcoded-sql-expression] - our own names
    endpoint = f"{base_url}/push/send/{browser_id}"
    return {"endpoint": endpoint, "expirationTime": None, "keys": {"p256dh": public, "auth": auth}}


def find(db: sqlite3.Connection, browser_id: str) -> sqlite3.Row | None:
    return db.execute("select * from push_browser where id = ?", (browser_id,)).fetchone()


def unsubscribe(db: sqlite3.Connection, browser_id: str) -> None:
    """Take the permission back: from now on the push service answers 410."""
    db.execute("update push_browser set is_gone = 1 where id = ?", (browser_id,))
