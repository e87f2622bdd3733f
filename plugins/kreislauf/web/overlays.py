"""Overlays on the site: it asks what to show a visitor, and tells what came of it.

    GET  /overlays/{visitor_id}     the open ones, oldest first; nothing in them says who the visitor is
    POST /overlays/{token}/{what}   shown, clicked or closed
    POST /overlays/{token}/answer   {"answer": …} to a survey, {"email": …} for a newsletter

An answer becomes an event of the site in the landing zone's inbox: from there it reaches the person's
profile the way everything does that is answered on the site.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import or_, select, update
from starlette.concurrency import run_in_threadpool

from kreislauf.delivery.links import Links
from kreislauf.ledger import events
from kreislauf.ledger.schema import message, overlay
from kreislauf.ledger.store import Ledger
from kreislauf.web import inbox
from kreislauf.web.body import is_storable, read_object, text

PURPOSE = "overlay"
"""What the token of an overlay is signed for."""

EVENTS = {"shown": "delivered", "clicked": "click", "closed": "close"}
_STAMPS = {"shown": overlay.c.shown_at, "closed": overlay.c.closed_at, "answer": overlay.c.closed_at}


def routes(ledger: Ledger, links: Links, site_events_inbox: Any, clock: Callable[[], datetime]) -> APIRouter:
    """The routes. `site_events_inbox` is the folder `inbox/site_events` of the landing zone."""
    router = APIRouter(prefix="/overlays")

    @router.get("/{visitor_id}")
    def show(visitor_id: str) -> list[dict[str, Any]]:
        if not is_storable(visitor_id):
            return []
        now = clock()
        is_open = (
            overlay.c.visitor_id == visitor_id,
            overlay.c.closed_at.is_(None),
            or_(overlay.c.expires_at.is_(None), overlay.c.expires_at > now),
        )
        with ledger.read() as connection:
            found = connection.execute(select(overlay).where(*is_open).order_by(overlay.c.created_at))
            return [{**row.content, "token": links.token(row.message_key, PURPOSE)} for row in found]

    @router.post("/{token}/answer", status_code=204)
    async def receive_answer(token: str, request: Request) -> Response:
        shown = await run_in_threadpool(_overlay, ledger, links, token)
        record = _site_event(shown, await read_object(request), clock())
        # First the file, then the mark: cut off between, the answer comes again with the same event id.
        await run_in_threadpool(inbox.append, site_events_inbox, [record])
        await run_in_threadpool(_stamp, ledger, shown.message_key, "answer", clock())
        return Response(status_code=204)

    @router.post("/{token}/{what}", status_code=204)
    def beacon(token: str, what: str) -> Response:
        if what not in EVENTS:
            raise HTTPException(404)
        key, now = _overlay(ledger, links, token).message_key, clock()
        _stamp(ledger, key, what, now)
        found = {"event_id": f"overlay {key} {what}", "event_type": EVENTS[what]}
        events.record(ledger, [found | {"message_key": key, "occurred_at": now}])
        return Response(status_code=204)

    return router


def _overlay(ledger: Ledger, links: Links, token: str) -> Any:
    """The overlay of a token, with its flow and step. Raises HTTPException 404 if it is not ours."""
    joined = overlay.join(message, message.c.message_key == overlay.c.message_key)
    wanted = select(overlay, message.c.flow, message.c.step).select_from(joined)
    if key := links.message_key(token, PURPOSE):
        with ledger.read() as connection:
            if found := connection.execute(wanted.where(overlay.c.message_key == key)).first():
                return found
    raise HTTPException(404)


def _stamp(ledger: Ledger, key: str, what: str, now: datetime) -> None:
    """Write down the first time that something happened."""
    if (column := _STAMPS.get(what)) is None:
        return
    mine = (overlay.c.message_key == key, column.is_(None))
    with ledger.write() as connection:
        values = {column.name: now, "updated_at": now}
        connection.execute(update(overlay).where(*mine).values(values))


def _site_event(shown: Any, given: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The event of an answer, as the site itself would send it. Raises HTTPException 400 for a wrong one."""
    content = shown.content
    event = {
        "event_id": f"overlay-{shown.message_key}",
        "occurred_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "visitor_id": shown.visitor_id,
        "utm_source": "kreislauf",
        "utm_medium": "onsite",
        "utm_campaign": shown.flow,
        "utm_content": shown.step,
    }
    if content["kind"] == "newsletter":
        return event | {"type": "form_submit", "email": _email(text(given, "email", 320))}
    if content["kind"] != "survey":
        raise HTTPException(400, "this overlay asks nothing")
    answer = text(given, "answer", 1_000)
    if content.get("answers") and answer not in content["answers"]:
        raise HTTPException(400, "this answer was not offered")
    return event | {"type": "survey", "answers": [{"question": content["question"], "answer": answer}]}


def _email(given: str) -> str:
    try:
        return validate_email(given, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise HTTPException(400, "email is not an address") from None
