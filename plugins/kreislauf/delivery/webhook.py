"""Outgoing webhooks: one signed POST a message, to a receiver that knows a message again by its key.

Because the receiver drops what it has, no answer and 5xx are simply offered again, with growing
waits. After `TRIES` a message is in doubt, or the flow stops if the receiver cannot be reached at all.
The signature is that of Stripe's webhooks (https://docs.stripe.com/webhooks#verify-manually):
HMAC-SHA256 over "<seconds>.<body>".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from kreislauf.delivery.single import TIMEOUT, Single, no_answer, offer_each, retry_at
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, Recipient, refuse_to_leave
from kreislauf.ledger.store import utc_now

if TYPE_CHECKING:
    from kreislauf.connections import Connection

SIGNATURE_HEADER = "Kreislauf-Signature"
KEY_HEADER = "Idempotency-Key"

TRIES = 6
FIRST_WAIT = timedelta(seconds=10)
"""Doubled with each try: 10 s, 20 s, … 160 s."""

_NOT_THIS_MESSAGE = {401, 403, 404, 405, 410}
"""The receiver does not want anything from us, or not there: a person has to look."""


@dataclass(frozen=True)
class WebhookTransport:
    """Posts to one URL."""

    sender: From
    url: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, connection: Connection) -> WebhookTransport:
        """From a connection: host: the receiver's URL, password: the secret that signs."""
        refuse_to_leave(connection.url)
        return cls(From.of(connection, needs=()), connection.url, connection.secret())

    def send(self, envelope: Envelope) -> Answer:
        """One request a message; the same message may be offered in several rounds."""
        with httpx.Client(timeout=TIMEOUT) as client:

            def offer(person: Recipient) -> Single:
                body = self._body(envelope, person)
                headers = {
                    "Content-Type": "application/json",
                    SIGNATURE_HEADER: sign(self.secret, body, int(time.time())),
                    KEY_HEADER: person.message_key,
                }
                try:
                    response = client.post(self.url, content=body, headers=headers)
                except httpx.TransportError as error:
                    return _again(envelope, no_answer(error, "the webhook's receiver", "webhook"))
                return _judge(response, envelope)

            return offer_each(envelope, offer)

    def _body(self, envelope: Envelope, person: Recipient) -> bytes:
        content = {
            "id": person.message_key,
            "type": f"{envelope.flow}.{envelope.step}",
            "contact_id": person.address,
            "data": envelope.parts_for(person),
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def sign(secret: str, body: bytes, seconds: int) -> str:
    """The header's value: `t=<seconds since 1970>,v1=<hex>`."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


def _judge(response: httpx.Response, envelope: Envelope) -> Single:
    status = response.status_code
    if response.is_success:
        return Single(Kind.ACCEPTED, status=status)
    if status >= 500 or status == 408:
        error = f"the webhook's receiver failed with {status}"
        return _again(envelope, Single(Kind.IN_DOUBT, error, status))
    if status in {425, 429}:
        text = f"the webhook's receiver asks to wait ({status})"
        return Single(Kind.LATER, text, status, retry_at(response))
    if status in _NOT_THIS_MESSAGE or status < 400:
        text = f"the webhook's receiver refuses ({status}); check host and password of connection 'webhook'"
        return Single(Kind.REFUSED, text, status)
    return Single(Kind.SOME_REJECTED, f"the webhook's receiver refused it ({status})", status)


def _again(envelope: Envelope, failed: Single) -> Single:
    """Later, as long as there are tries left."""
    if envelope.attempt >= TRIES:
        return failed
    wait = FIRST_WAIT * 2 ** (envelope.attempt - 1)
    return Single(Kind.LATER, failed.error, failed.status, utc_now() + wait, is_for_all=False)
