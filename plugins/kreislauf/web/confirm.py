"""Double opt-in: the link of a confirmation mail (`{{ confirm_url }}`).

GET  /confirm/{token}    a page with a button; changes nothing, so link scanners confirm nothing
POST /confirm/{token}    the consent to marketing mail, with its evidence: when, by which mail

A link counts once, and for `VALID_FOR` after its mail was planned. It takes back an earlier objection to
mail: who confirms has changed their mind since.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from kreislauf.delivery.links import CONFIRM, Links
from kreislauf.ledger.consents import Statement, record_within
from kreislauf.ledger.schema import Channel, ConsentState, batch, message
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.suppressions import lift_within
from kreislauf.web import pages

log = logging.getLogger(__name__)

BASIS = "consent_doi"

VALID_FOR = timedelta(days=30)
"""After that `cleanup.never_confirmed` takes the silence for a no, and so does a link that turns up later."""


def routes(ledger: Ledger, links: Links, clock: Callable[[], datetime]) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/confirm")

    @router.get("/{token}")
    def show(token: str, request: Request) -> HTMLResponse:
        found = _sent(ledger, links, token)
        if not found:
            return pages.not_ours(request)
        if _is_over(found, clock()):
            return HTMLResponse(pages.expired(found.language), 410)
        return HTMLResponse(pages.ask_to_confirm(found.language))

    @router.post("/{token}")
    def confirm(token: str, request: Request) -> HTMLResponse:
        found = _sent(ledger, links, token)
        if not found:
            return pages.not_ours(request)
        if _is_over(found, now := clock()):
            return HTMLResponse(pages.expired(found.language), 410)
        said = Statement(
            address=found.address,
            contact_id=found.contact_id,
            state=ConsentState.GRANTED,
            source="web",
            source_key=f"confirm {found.message_key}",  # pressed twice, said once
            text_version=f"{found.template} {found.template_version}",
            legal_basis=BASIS,
            occurred_at=now,
        )
        with ledger.write() as connection:
            if record_within(connection, [said]):
                lift_within(connection, found.address, said.channel, f"web {said.source_key}", now)
                log.info("consent confirmed for message %s", found.message_key)
        return HTMLResponse(pages.confirmed(found.language))

    return router


def _is_over(sent: Any, now: datetime) -> bool:
    return now - sent.planned_at > VALID_FOR


def _sent(ledger: Ledger, links: Links, token: str) -> Any:
    """The mail a token belongs to; None if it is not ours."""
    if (key := links.message_key(token, CONFIRM)) is None:
        return None
    names = ("message_key", "address", "contact_id", "planned_at")
    columns = [*(message.c[name] for name in names), batch.c.language, batch.c.template]
    joined = select(*columns, batch.c.template_version).join(batch, batch.c.id == message.c.batch_id)
    is_mail = message.c.channel == Channel.EMAIL.value
    with ledger.read() as connection:
        return connection.execute(joined.where(message.c.message_key == key, is_mail)).first()
