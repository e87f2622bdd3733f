"""The inbox: every accepted mail as its reader sees it, for people (HTML) and for tests (JSON).

`/inbox` lists, `/inbox/{id}` shows one mail, `/inbox.json` gives the list with keys and headers,
`/counts.json` the figures a test adds up. No key is needed: there is nothing real in it.
"""

from __future__ import annotations

import html
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.mail.messages import substitute

PAGE = 50
STATES = ("accepted", "sent", "dropped", "cancelled")

# A mail may show pictures and its own styles; it may run nothing, and its links open in a new tab.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:;"
    " style-src 'unsafe-inline' *; font-src *"
)

_COUNT = "select count(*) from mail_message m where "
_SELECT = "select m.*, r.accepted_at from mail_message m join mail_request r on r.id = m.request_id"


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters["moment"] = _moment


def routes(world: Any) -> list[Route]:
    """The inbox's routes over the sandbox's store."""

    def page(show: Callable[[Request, sqlite3.Connection, int], Response]) -> Callable[[Request], Any]:
        def answer(request: Request) -> Response:
            now = int(world.now().timestamp())
            with world.read() as db:
                return show(request, db, now)

        async def respond(request: Request) -> Response:
            return await run_in_threadpool(answer, request)

        return respond

    return [
        Route("/inbox", page(_list)),
        Route("/inbox.json", page(_json_list)),
        Route("/counts.json", page(_counts)),
        Route("/inbox/{id:int}", page(_detail)),
        Route("/inbox/{id:int}/html", page(_html)),
    ]


def _list(request: Request, db: sqlite3.Connection, now: int) -> Response:
    search, state = request.query_params.get("q", "").strip(), request.query_params.get("state", "")
    number = request.query_params.get("page", "1")
    number = int(number) if number.isdigit() and number != "0" else 1
    where, values = "true", []
    if search:
        where += (
            " and (m.address like ? or m.subject like ? or m.message_key = ?"
            " or ? in (select value from json_each(m.categories)))"
        )
        values += [f"%{search}%", f"%{search}%", search, search]
    if state in STATES:
        where += " and m.state = ?"
        values.append(state)
    total = db.execute(_COUNT + where, values).fetchone()[0]
    rows = db.execute(
        f"{_SELECT} where {where} order by r.accepted_at desc, m.id desc limit ? offset ?",
        [*values, PAGE, (number - 1) * PAGE],
    ).fetchall()
    happened = _event_names(db, [row["id"] for row in rows], now)
    mails = [
        {**dict(row), "categories": json.loads(row["categories"]), "events": happened.get(row["id"], [])}
        for row in rows
    ]
    pages = max(-(-total // PAGE), 1)

    def link(target: int) -> str:
        return "inbox?" + urlencode({"q": search, "state": state, "page": target})

    return HTMLResponse(
        _pages.get_template("inbox.html").render(
            mails=mails,
            total=total,
            now=now,
            search=search,
            state=state,
            states=STATES,
            page=number,
            pages=pages,
            newer=link(number - 1) if number > 1 else None,
            older=link(number + 1) if number < pages else None,
        )
    )


def _detail(request: Request, db: sqlite3.Connection, now: int) -> Response:
    message = _one(db, request.path_params["id"])
    if message is None:
        return HTMLResponse("There is no such mail.", 404)
    events = [
        json.loads(row["body"])
        for row in db.execute(
            "select body from mail_event where message_id = ? and occurred_at <= ? order by occurred_at",
            (message["id"], now),
        )
    ]
    substitutions = json.loads(message["substitutions"])
    return HTMLResponse(
        _pages.get_template("mail.html").render(
            mail=message,
            text=substitute(message["text"] or "", substitutions),
            headers=json.loads(message["headers"]),
            custom_args=json.loads(message["custom_args"]),
            categories=json.loads(message["categories"]),
            attachments=json.loads(message["settings"])["attachments"],
            events=events,
            now=now,
        )
    )


def _html(request: Request, db: sqlite3.Connection, now: int) -> Response:
    message = _one(db, request.path_params["id"])
    if message is None:
        return HTMLResponse("There is no such mail.", 404)
    content = substitute(message["html"] or message["text"] or "", json.loads(message["substitutions"]))
    body = content if message["html"] else f"<pre>{html.escape(content)}</pre>"
    body = body.replace("<head>", '<head><base target="_blank">', 1)
    return HTMLResponse(body, headers={"Content-Security-Policy": _MAIL_POLICY})


def _json_list(request: Request, db: sqlite3.Connection, now: int) -> Response:
    """Mails in the order they were accepted. Filters: address, subject (part), mk, state; limit, offset."""
    given = request.query_params
    where, values = "true", []
    for name, condition in (
        ("address", "lower(m.address) = lower(?)"),
        ("subject", "instr(m.subject, ?) > 0"),
        ("mk", "m.message_key = ?"),
        ("state", "m.state = ?"),
    ):
        if name in given:
            where += f" and {condition}"
            values.append(given[name])
    limit, offset = (
        int(given[name]) if given.get(name, "").isdigit() else -1 for name in ("limit", "offset")
    )
    rows = db.execute(
        f"{_SELECT} where {where} order by r.accepted_at, m.id limit ? offset ?",
        [*values, limit, max(offset, 0)],
    )
    return JSONResponse(
        [
            {
                "id": row["id"],
                "message_id": row["request_id"],
                "address": row["address"],
                "name": row["name"],
                "subject": row["subject"],
                "state": row["state"],
                "accepted_at": _iso(row["accepted_at"]),
                "send_at": _iso(row["send_at"]),
                "custom_args": json.loads(row["custom_args"]),
                "categories": json.loads(row["categories"]),
                "headers": json.loads(row["headers"]),
            }
            for row in rows
        ]
    )


def _counts(request: Request, db: sqlite3.Connection, now: int) -> Response:
    """How much was accepted and reported. `duplicates`: mails beyond the first with the same key (mk)."""

    def one(query: str, *values: Any) -> int:
        return db.execute(query, values).fetchone()[0]

    states = dict(db.execute("select state, count(*) from mail_message group by state").fetchall())
    return JSONResponse(
        {
            "requests": one("select count(*) from mail_request"),
            "messages": one("select count(*) from mail_message"),
            "duplicates": one("select count(message_key) - count(distinct message_key) from mail_message"),
            "without_key": one("select count(*) from mail_message where message_key is null"),
            "states": {state: states.get(state, 0) for state in STATES},
            "events": one("select count(*) from mail_event where occurred_at <= ?", now),
            "events_posted": one("select count(*) from mail_posting where posted = 1"),
            "events_pending": one("select count(*) from mail_posting where posted = 0"),
        }
    )


def _one(db: sqlite3.Connection, message_id: int) -> sqlite3.Row | None:
    return db.execute(
        "select m.*, r.accepted_at, r.from_address, r.from_name, r.reply_to, r.html, r.text, r.settings"
        " from mail_message m join mail_request r on r.id = m.request_id where m.id = ?",
        (message_id,),
    ).fetchone()


def _event_names(db: sqlite3.Connection, ids: list[int], now: int) -> dict[int, list[str]]:
    """The kinds of events each message has had so far, in order."""
    rows = db.execute(
        "select message_id, json_extract(body, '$.event') as name from mail_event"
        " where message_id in (select value from json_each(?)) and occurred_at <= ? order by occurred_at",
        (json.dumps(ids), now),
    )
    names: dict[int, list[str]] = {}
    for row in rows:
        of_message = names.setdefault(row["message_id"], [])
        if row["name"] not in of_message:
            of_message.append(row["name"])
    return names


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
