"""What the pretend SMS provider, push service and webhook receiver have taken: one table, one page, JSON.

/inbox          for people
/inbox.json     for tests: every message with its key and content; ?mk= and ?address= filter
/counts.json    messages and duplicates (beyond the first with the same message key)
"""

from __future__ import annotations

import html
import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

SCHEMA = """
create table if not exists posted_message (
    id integer primary key,
    channel text not null,       -- sms, push or webhook
    accepted_at integer not null, -- seconds since 1970, the world's clock
    address text not null,
    message_key text,
    content text not null,       -- JSON object
    state text not null default 'accepted'
);

create index if not exists posted_message_key on posted_message (channel, message_key);
"""

SHOWN = 200
"""Messages on the page, newest first."""

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:3rem auto;padding:0 1rem;color:#1d2733}"
    "li{list-style:none;border:1px solid #e3e7ec;border-radius:10px;padding:.8rem 1rem;margin:.7rem 0}"
    "ul{padding:0}b{display:block}small{color:#64707d}p{margin:.2rem 0;white-space:pre-wrap}"
)


def put(
    db: sqlite3.Connection, channel: str, now: int, address: str, key: str | None, content: Mapping[str, Any]
) -> int:
    """Keep an accepted message; its id."""
    added = db.execute(
        "insert into posted_message (channel, accepted_at, address, message_key, content)"
        " values (?, ?, ?, ?, ?)",
        (channel, now, address, key, json.dumps(content, ensure_ascii=False)),
    )
    return int(added.lastrowid or 0)


def routes(world: Any, channel: str, title: str, show: Callable[[dict[str, Any]], str]) -> list[Route]:
    """The inbox of a channel. `show` gives one message's content as HTML."""

    def page(answer: Callable[[Request, sqlite3.Connection], Response]) -> Callable[[Request], Any]:
        def read(request: Request) -> Response:
            with world.read() as db:
                return answer(request, db)

        async def respond(request: Request) -> Response:
            return await run_in_threadpool(read, request)

        return respond

    def listing(request: Request, db: sqlite3.Connection) -> Response:
        rows = db.execute(
            "select * from posted_message where channel = ? order by id desc limit ?", (channel, SHOWN)
        ).fetchall()
        items = "".join(_item(row, show) for row in rows) or "<li>Nothing was sent yet."
        return HTMLResponse(
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title} · Kreislauf Sandbox</title>"
            f"<style>{STYLE}</style><h1>{title}</h1><p><a href='../'>Sandbox</a></p><ul>{items}</ul>"
        )

    def as_json(request: Request, db: sqlite3.Connection) -> Response:
        where, values = "channel = ?", [channel]
        for name, column in (("mk", "message_key"), ("address", "address")):
            if name in request.query_params:
                where += f" and {column} = ?"
                values.append(request.query_params[name])
        rows = db.execute(f"select * from posted_message where {where} order by id", values)  # ruff: ignore[hardcoded-sql-expression] - our own column names
        return JSONResponse([dict(row) | {"content": json.loads(row["content"])} for row in rows])

    def counts(request: Request, db: sqlite3.Connection) -> Response:
        row = db.execute(
            "select count(*) as messages, count(message_key) - count(distinct message_key) as duplicates"
            " from posted_message where channel = ?",
            (channel,),
        ).fetchone()
        return JSONResponse(dict(row))

    return [
        Route("/inbox", page(listing)),
        Route("/inbox.json", page(as_json)),
        Route("/counts.json", page(counts)),
    ]


def _item(row: sqlite3.Row, show: Callable[[dict[str, Any]], str]) -> str:
    at = datetime.fromtimestamp(row["accepted_at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    facts = f"{at} UTC · {html.escape(row['address'])} · {html.escape(row['state'])}"
    return f"<li><small>{facts}</small>{show(json.loads(row['content']))}"
