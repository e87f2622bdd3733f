"""What the SMS provider tells us: how texts fared, and what people answer.

    POST /sms/status/{token}   a text's status, to the message whose key the token carries
    POST /sms/inbound          an answer: STOP ends the texts to that number, START takes it back

An answer that begins with STOP is one; START has to be all of it, since it is a consent. A request that comes
again, which the signature cannot tell, does nothing: the provider repeats what it got no answer to.

Documented at https://www.twilio.com/docs/usage/security#validating-requests (signature),
https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks and
https://help.twilio.com/articles/223134027 (the words).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from kreislauf.delivery.links import Links
from kreislauf.delivery.sms import STATUS
from kreislauf.ledger import events
from kreislauf.ledger.consents import Statement, record_within
from kreislauf.ledger.schema import Channel, ConsentState, SuppressionReason, message
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.suppressions import lift_within, suppress_within
from kreislauf.web.body import read

log = logging.getLogger(__name__)

STOP_WORDS = frozenset({"STOP", "STOPP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "ABMELDEN"})
START_WORDS = frozenset({"START", "UNSTOP"})
"""The provider's own YES is missing: it may answer anything, and here it would be a consent."""

_EVENTS = {"sent": "processed", "delivered": "delivered", "undelivered": "bounce", "failed": "bounce"}
"""The provider's statuses as events; the others say nothing new."""

_PERMANENT = {"30004", "30005", "30006"}
"""Error codes of a number that cannot be reached for good: blocked, unknown, or a landline."""


def routes(ledger: Ledger, links: Links, token: str, clock: Callable[[], datetime]) -> APIRouter:
    """The routes; `token` is the account's auth token, which signs."""
    router = APIRouter(prefix="/sms")

    async def genuine(request: Request) -> dict[str, str]:
        """The form. Raises HTTPException 403 if the provider has not signed it for this address."""
        pairs = parse_qsl((await read(request)).decode("utf-8", "replace"), keep_blank_values=True)
        url = links.base_url + request.url.path
        given = request.headers.get("X-Twilio-Signature", "")
        if not hmac.compare_digest(given.encode(), sign(token, url, pairs).encode()):
            raise HTTPException(403, "the signature is missing or wrong")
        return dict(pairs)

    @router.post("/status/{message_token}")
    async def receive_status(message_token: str, request: Request) -> Response:
        form = await genuine(request)
        key = links.message_key(message_token, STATUS)
        if key is None:
            raise HTTPException(404)
        if event := _event(key, form, clock()):
            await run_in_threadpool(events.record, ledger, [event])
        return Response(status_code=204)

    @router.post("/inbound")
    async def receive_answer(request: Request) -> Response:
        form = await genuine(request)
        words = [word.strip(".!,\"'").upper() for word in form.get("Body", "").split()]
        is_stop = bool(words) and words[0] in STOP_WORDS
        if form.get("From") and (is_stop or (len(words) == 1 and words[0] in START_WORDS)):
            await run_in_threadpool(_answer, ledger, form, is_stop, clock())
        return Response("<Response/>", media_type="text/xml")

    return router


def sign(token: str, url: str, form: list[tuple[str, str]]) -> str:
    """The provider's signature: HMAC-SHA1 of the URL and the sorted names and values, base64."""
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _event(key: str, form: dict[str, str], now: datetime) -> dict[str, Any] | None:
    status, code = form.get("MessageStatus", ""), form.get("ErrorCode", "")
    if status not in _EVENTS:
        return None
    return {
        "event_id": f"sms {form.get('MessageSid', '')[:64]} {status}",
        "event_type": _EVENTS[status],
        "bounce_type": "blocked" if code and code not in _PERMANENT else None,
        "occurred_at": now,
        "message_key": key,
        "reason": f"code {code}"[:64] if code else None,
    }


def _answer(ledger: Ledger, form: dict[str, str], is_stop: bool, now: datetime) -> None:
    """Store the objection, or that it is taken back, with its evidence. Said again, it changes nothing."""
    number, channel = form["From"], Channel.SMS.value
    evidence = f"sms {form.get('MessageSid', '')[:64]}"
    state = ConsentState.REVOKED if is_stop else ConsentState.GRANTED
    with ledger.write() as connection:
        contact_id = _contact(connection, number)
        said = Statement(number, state, "sms", evidence, now, contact_id, channel=channel)
        if not record_within(connection, [said]):
            return
        if is_stop:
            people = [{"address": number, "contact_id": contact_id}]
            suppress_within(connection, people, SuppressionReason.OPT_OUT, evidence, now, channel)
        else:
            lift_within(connection, number, channel, evidence, now)
    log.info("an answer by text: %s", state)


def _contact(connection: Connection, number: str) -> str | None:
    """Whom the last text to this number was for."""
    mine = (message.c.address == number.lower(), message.c.channel == Channel.SMS.value)
    last = select(message.c.contact_id).where(*mine).order_by(message.c.planned_at.desc()).limit(1)
    return connection.execute(last).scalar()
