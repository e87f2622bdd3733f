"""The provider's suppression lists: who is not written to, and since when."""

from __future__ import annotations

import sqlite3
from typing import Any

LISTS = ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")
MAX_PAGE = 500

_DROPS = {
    "bounces": "Bounced Address",
    "invalid_emails": "Invalid",
    "spam_reports": "Spam Reporting Address",
    "unsubscribes": "Unsubscribed Address",
}
_SHOWN = {"bounces": ("reason", "status"), "blocks": ("reason", "status"), "invalid_emails": ("reason",)}


def group_list(group_id: int) -> str:
    """The name of an unsubscribe group's list."""
    return f"group:{group_id}"


def add(
    db: sqlite3.Connection,
    name: str,
    address: str,
    created: int,
    reason: str | None = None,
    status: str | None = None,
) -> None:
    """Put an address on a list from `created` on (seconds); one already there keeps its older entry."""
    db.execute(
        "insert into mail_suppression values (?, ?, ?, ?, ?) on conflict (list, address) do update"
        " set created = excluded.created, reason = excluded.reason, status = excluded.status"
        " where excluded.created < created",
        (name, address.lower(), created, reason, status),
    )


def drop_reason(db: sqlite3.Connection, address: str, at: int, group_id: int | None) -> str | None:
    """Why a message to this address is dropped at this moment, in SendGrid's words; None if it is not."""
    rows = db.execute(
        "select list from mail_suppression where address = ? and created <= ? order by created",
        (address.lower(), at),
    )
    for row in rows:
        if reason := _DROPS.get(row["list"]):
            return reason
        if group_id is not None and row["list"] == group_list(group_id):
            return "Unsubscribed Address"
    return None


def entries(
    db: sqlite3.Connection,
    name: str,
    *,
    now: int,
    since: int,
    until: int,
    limit: int,
    offset: int,
    address: str | None,
) -> list[dict[str, Any]]:
    """A page of a list, newest first, as the API shows it. `since` and `until` are inclusive."""
    rows = db.execute(
        "select * from mail_suppression where list = ? and created between ? and ?"
        " and (? is null or address = ?) order by created desc, address limit ? offset ?",
        (name, since, min(until, now), address, address, limit, offset),
    )
    return [_shown(name, row) for row in rows]


def remove(db: sqlite3.Connection, name: str, addresses: list[str] | None) -> int:
    """Take addresses (None: all) off a list; returns how many were on it."""
    if addresses is None:
        return db.execute("delete from mail_suppression where list = ?", (name,)).rowcount
    return sum(
        db.execute(
            "delete from mail_suppression where list = ? and address = ?", (name, address.lower())
        ).rowcount
        for address in addresses
    )


def _shown(name: str, row: sqlite3.Row) -> dict[str, Any]:
    extra = {column: row[column] or "" for column in _SHOWN.get(name, ())}
    if name == "spam_reports":
        extra["ip"] = "192.0.2.25"
    return {"created": row["created"], "email": row["address"], **extra}
