"""A page of the CRM's tasks and notes, newest first: what sales would see. No key is needed."""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.crm.store import iso
from sandbox.posted import STYLE

SHOWN = 200

_MARKUP = re.compile(r"<[^>]*>")


def page(world: Any) -> Callable[[Request], Any]:
    """The handler of the page over the sandbox's store."""

    def answer() -> Response:
        with world.read() as db:
            rows = db.execute(
                "select kind, id, properties, created_at from crm_object where kind in ('tasks', 'notes')"
                " and archived_at is null order by created_at desc, kind, id desc limit ?",
                (SHOWN,),
            ).fetchall()
        items = "".join(_item(row) for row in rows) or "<li>There is no task and no note yet."
        return HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Tasks · Kreislauf Sandbox</title>"
            f"<style>{STYLE}</style><h1>Tasks and notes</h1><p><a href='../'>Sandbox</a></p><ul>{items}</ul>"
        )

    async def respond(request: Request) -> Response:
        return await run_in_threadpool(answer)

    return respond


def _item(row: sqlite3.Row) -> str:
    values = json.loads(row["properties"])
    body = _MARKUP.sub(" ", values.get("hs_task_body") or values.get("hs_note_body") or "")
    due = f" · due {values['hs_timestamp']}" if row["kind"] == "tasks" and "hs_timestamp" in values else ""
    facts = f"{row['kind'][:-1]} {row['id']} · {iso(row['created_at'])}{due}"
    title = html.escape(values.get("hs_task_subject", ""))
    return f"<li><small>{html.escape(facts)}</small><b>{title}</b><p>{html.escape(html.unescape(body))}"
