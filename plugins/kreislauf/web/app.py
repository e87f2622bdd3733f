"""The public web app: providers' events come in, people opt out, and the site is served.

    POST /events/sendgrid        signed events -> the landing zone's inbox, then 204
    GET  /unsubscribe/{token}    a page with a button; changes nothing, so link scanners do no harm
    POST /unsubscribe/{token}    the objection: the button, or a mail program's one click (RFC 8058)
    /confirm/{token}             the same for a consent: double opt-in (see `confirm`)
    GET  /no-picture.png         stands in mails where a product has no picture
    GET  /health

and, told in their own modules, `/sms`, `/push` and `/overlays`. The last two are for scripts of the site:
they answer to its origins only (CORS).

It keeps nothing in memory: any number may run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from kreislauf.delivery.links import Links
from kreislauf.ledger.consents import Statement, record_within
from kreislauf.ledger.schema import Channel, ConsentState, SuppressionReason, batch, message
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.suppressions import EVERY_CHANNEL, suppress_within
from kreislauf.web import body, confirm, inbox, overlays, pages, push, sms
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


FOR_SCRIPTS = ("/push/", "/overlays/")
"""What scripts on the site's pages ask."""

_INBOXES = (Channel.EMAIL, Channel.SMS, Channel.PUSH)
"""Where an objection to everything revokes consent."""


def create_app(
    ledger: Ledger,
    mail_events_inbox: Any,
    links: Links,
    find_verifier: Callable[[], Verifier | None],
    clock: Callable[[], datetime] = utc_now,
    *,
    site_events_inbox: Any = None,
    origins: Sequence[str] = (),
    sms_token: str | None = None,
    push_settings: push.PushSettings | None = None,
) -> FastAPI:
    """The app. While `find_verifier` gives None it refuses events with 503, and the provider keeps them.

    `mail_events_inbox` and `site_events_inbox` are the folders of these names in the landing zone's
    inbox, `origins` those of the site's pages. Without `sms_token`, `push_settings` or
    `site_events_inbox` there is no `/sms`, `/push` or `/overlays`.
    """
    app = FastAPI(title="Kreislauf", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    app.add_middleware(SiteCors, origins=origins)
    app.include_router(confirm.routes(ledger, links, clock))
    if sms_token:
        app.include_router(sms.routes(ledger, links, sms_token, clock))
    if push_settings:
        app.include_router(push.routes(ledger, links, push_settings, clock))
    if site_events_inbox is not None:
        app.include_router(overlays.routes(ledger, links, site_events_inbox, clock))

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
        posted = await body.read(request, MAX_BODY_BYTES)
        signature = request.headers.get(SIGNATURE_HEADER, "")
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        if not verifier.is_genuine(posted, signature, timestamp, clock()):
            return PlainTextResponse("the signature is missing, wrong or too old", 401)
        events = _events(posted)
        if events is None:
            return PlainTextResponse("the body is not a JSON array of objects", 400)
        if events:
            await run_in_threadpool(inbox.append, mail_events_inbox, events)
        return Response(status_code=204)

    @app.get("/unsubscribe/{token}")
    def show_unsubscribe(token: str, request: Request) -> HTMLResponse:
        found = _sent(ledger, links, token)
        return HTMLResponse(pages.ask(found.language, found.channel)) if found else pages.not_ours(request)

    @app.post("/unsubscribe/{token}")
    async def unsubscribe(token: str, request: Request) -> HTMLResponse:
        found = await run_in_threadpool(_sent, ledger, links, token)
        if not found:
            return pages.not_ours(request)
        try:
            posted = await body.read(request)
        except HTTPException:  # too large, or cut off: not of our page, but they want out all the same
            posted = b""
        way = "one-click" if b"List-Unsubscribe=One-Click" in posted else "page"
        is_everything = b"scope=all" in posted.split(b"&")
        await run_in_threadpool(_opt_out, ledger, found, way, is_everything, clock())
        return HTMLResponse(pages.done(found.language, None if is_everything else found.channel))

    return app


class SiteCors:
    """ASGI middleware: lets the site's pages ask what is meant for them, and nothing else."""

    def __init__(self, app: Any, origins: Sequence[str]) -> None:
        self._app = app
        methods, headers = ["GET", "POST", "DELETE"], ["Content-Type"]
        self._shared = CORSMiddleware(
            app, allow_origins=list(origins), allow_methods=methods, allow_headers=headers
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_shared = scope["type"] == "http" and scope["path"].startswith(FOR_SCRIPTS)
        await (self._shared if is_shared else self._app)(scope, receive, send)


def _events(posted: bytes) -> list[dict[str, Any]] | None:
    try:
        found = body.parsed(posted)
    except ValueError:
        return None
    is_list = isinstance(found, list) and all(isinstance(event, dict) for event in found)
    return found if is_list else None


def _sent(ledger: Ledger, links: Links, token: str) -> Any:
    """The message a token belongs to, with the language it was written in; None if it is not ours."""
    message_key = links.message_key(token)
    if message_key is None:
        return None
    names = ("message_key", "address", "contact_id", "channel")
    columns = [*(message.c[name] for name in names), batch.c.language]
    with ledger.read() as connection:
        joined = select(*columns).join(batch, batch.c.id == message.c.batch_id)
        return connection.execute(joined.where(message.c.message_key == message_key)).first()


def _opt_out(ledger: Ledger, sent: Any, way: str, is_everything: bool, now: datetime) -> None:
    """Store the objection, to the message's channel or to everything, with its evidence.

    Said again, it changes nothing.
    """
    evidence = f"{sent.message_key} {now:%Y-%m-%dT%H:%M:%S.%fZ}"
    person = {"address": sent.address, "contact_id": sent.contact_id}
    with ledger.write() as connection:
        channel = EVERY_CHANNEL if is_everything else sent.channel
        reason = SuppressionReason.OPT_OUT
        if suppress_within(connection, [person], reason, f"web {evidence}", now, channel):
            revoked = dict.fromkeys([sent.channel, *_INBOXES]) if is_everything else [sent.channel]
            statements = [
                Statement(
                    address=sent.address,
                    contact_id=sent.contact_id,
                    state=ConsentState.REVOKED,
                    source="web",
                    source_key=f"{evidence} {one}" if is_everything else evidence,
                    text_version=f"{way}, everything" if is_everything else way,
                    occurred_at=now,
                    channel=str(one),
                )
                for one in revoked
            ]
            record_within(connection, statements)
    log.info("opt-out by %s for message %s", way, sent.message_key)
