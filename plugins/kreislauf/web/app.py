"""The public web app: SendGrid's events come in, and people opt out.

    POST /events/sendgrid        signed events -> the landing zone's inbox, then 204
    GET  /unsubscribe/{token}    a page with a button; changes nothing, so link scanners do no harm
    POST /unsubscribe/{token}    the objection: the button, or a mail program's one click (RFC 8058)
    GET  /no-picture.png         stands in mails where a product has no picture
    GET  /health

It keeps nothing in memory: any number may run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from kreislauf.delivery.links import Links
from kreislauf.ledger.consents import Statement, record_within
from kreislauf.ledger.schema import ConsentState, SuppressionReason, batch, message
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.suppressions import suppress_within
from kreislauf.web import inbox, pages
from kreislauf.web.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier

log = logging.getLogger(__name__)

NO_PICTURE = Path(__file__).with_name("no-picture.png")

MAX_BODY_BYTES = 5 * 1024 * 1024
"""SendGrid posts at about 768 kB."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


class _TooLarge(Exception):
    """A body beyond MAX_BODY_BYTES."""


def create_app(
    ledger: Ledger,
    mail_events_inbox: Any,
    links: Links,
    find_verifier: Callable[[], Verifier | None],
    clock: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """The app. While `find_verifier` gives None it refuses events with 503, and the provider keeps them.

    `mail_events_inbox` is the folder `inbox/mail_events` of the landing zone.
    """
    app = FastAPI(title="Kreislauf", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/health")
    def health() -> Response:
        try:
            with ledger.read() as connection:
                connection.execute(select(1))
        except SQLAlchemyError:
            log.exception("the ledger does not answer")
            return JSONResponse({"status": "the ledger does not answer"}, 503)
        return JSONResponse({"status": "ok"})

    @app.get("/no-picture.png")
    def show_no_picture() -> Response:
        return FileResponse(NO_PICTURE, headers={"Cache-Control": "public, max-age=604800"})

    @app.post("/events/sendgrid")
    async def receive_events(request: Request) -> Response:
        if (verifier := find_verifier()) is None:
            return PlainTextResponse("the verification key is not known", 503)
        try:
            body = await _body(request)
        except _TooLarge:
            return PlainTextResponse("too large", 413)
        signature = request.headers.get(SIGNATURE_HEADER, "")
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        if not verifier.is_genuine(body, signature, timestamp, clock()):
            return PlainTextResponse("the signature is missing, wrong or too old", 401)
        events = _events(body)
        if events is None:
            return PlainTextResponse("the body is not a JSON array of objects", 400)
        if events:
            await run_in_threadpool(inbox.append, mail_events_inbox, events)
        return Response(status_code=204)

    @app.get("/unsubscribe/{token}")
    def show_unsubscribe(token: str, request: Request) -> HTMLResponse:
        found = _sent(ledger, links, token)
        return HTMLResponse(pages.ask(found.language)) if found else _missing(request)

    @app.post("/unsubscribe/{token}")
    async def unsubscribe(token: str, request: Request) -> HTMLResponse:
        found = await run_in_threadpool(_sent, ledger, links, token)
        if not found:
            return _missing(request)
        try:
            body = await _body(request)
        except _TooLarge:
            body = b""
        way = "one-click" if b"List-Unsubscribe=One-Click" in body else "page"
        await run_in_threadpool(_opt_out, ledger, found, way, clock())
        return HTMLResponse(pages.done(found.language))

    return app


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)


def _events(body: bytes) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    is_list = isinstance(found, list) and all(isinstance(event, dict) for event in found)
    return found if is_list else None


def _sent(ledger: Ledger, links: Links, token: str) -> Any:
    """The message a token belongs to, with the language it was written in; None if it is not ours."""
    message_key = links.message_key(token)
    if message_key is None:
        return None
    columns = (message.c.message_key, message.c.address, message.c.contact_id, batch.c.language)
    with ledger.read() as connection:
        joined = select(*columns).join(batch, batch.c.id == message.c.batch_id)
        return connection.execute(joined.where(message.c.message_key == message_key)).first()


def _opt_out(ledger: Ledger, sent: Any, way: str, now: datetime) -> None:
    """Store the objection with its evidence. Said again, it changes nothing."""
    evidence = f"{sent.message_key} {now:%Y-%m-%dT%H:%M:%S.%fZ}"
    person = {"address": sent.address, "contact_id": sent.contact_id}
    with ledger.write() as connection:
        is_new = suppress_within(connection, [person], SuppressionReason.OPT_OUT, f"web {evidence}", now)
        if is_new:
            statement = Statement(
                address=sent.address,
                contact_id=sent.contact_id,
                state=ConsentState.REVOKED,
                source="web",
                source_key=evidence,
                text_version=way,
                occurred_at=now,
            )
            record_within(connection, [statement])
    log.info("opt-out by %s for message %s", way, sent.message_key)


def _missing(request: Request) -> HTMLResponse:
    return HTMLResponse(pages.missing(pages.preferred(request.headers.get("Accept-Language", ""))), 404)
