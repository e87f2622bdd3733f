"""SendGrid: one request to /v3/mail/send a batch, up to 1,000 personalizations.

Documented at https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send. SendGrid knows no
idempotency key, so a request without an answer is in doubt.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from kreislauf.delivery.single import DEFAULT_WAIT, LONGEST_WAIT
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, Recipient, refuse_to_leave
from kreislauf.ledger.store import utc_now

if TYPE_CHECKING:
    from kreislauf.connections import Connection

TIMEOUT_SECONDS = 60
"""The library's own default is to wait for ever."""

# At level DEBUG the library logs the API key and every address.
logging.getLogger("python_http_client").setLevel(logging.WARNING)

DEFAULT_HOST = "https://api.sendgrid.com"
_PERSONALIZATION = re.compile(r"personalizations\.(\d+)")
_SECONDS = re.compile(r"[0-9]{1,11}")
_ADDRESS = re.compile(r"[^\s<>\"',;:]+@[^\s<>\"',;:]+")

_REFUSALS = {
    401: "SendGrid does not accept the API key (401); check the password of the connection 'sendgrid'",
    403: "SendGrid forbids sending (403); check the key's right to send mail and that the sender is verified",
    404: "SendGrid does not know the address asked (404); check the host of the connection 'sendgrid'",
    413: "SendGrid finds the request too large (413); make the template or the batch smaller",
}


@dataclass(frozen=True)
class SendGridTransport:
    """Sends through SendGrid's API. `asm_group_id` is an unsubscribe group, if the account uses one."""

    sender: From
    host: str
    api_key: str = field(repr=False)
    asm_group_id: int | None = None
    timeout_seconds: float = TIMEOUT_SECONDS

    @classmethod
    def of(cls, connection: Connection) -> SendGridTransport:
        """From a connection: host (default https://api.sendgrid.com), password: the API key."""
        host = connection.url if connection.host else DEFAULT_HOST
        refuse_to_leave(host)
        group = connection.extra.get("asm_group_id")
        return cls(From.of(connection), host, connection.secret(), int(group) if group else None)

    def send(self, envelope: Envelope) -> Answer:
        """One request. See `Kind` for what the answer means."""
        from python_http_client.exceptions import HTTPError
        from sendgrid import SendGridAPIClient

        api = SendGridAPIClient(api_key=self.api_key, host=self.host)
        api.client.timeout = self.timeout_seconds
        try:
            response = api.client.mail.send.post(request_body=self._request(envelope))
        except HTTPError as error:
            return _refusal(error.status_code, error.headers or {}, error.body, envelope)
        except (URLError, HTTPException, OSError) as error:
            return _no_answer(error)
        return Answer(Kind.ACCEPTED, response.status_code, response.headers.get("X-Message-Id"))

    def _request(self, envelope: Envelope) -> dict[str, Any]:
        sender: dict[str, Any] = {"from": {"email": self.sender.email, "name": self.sender.name}}
        if self.sender.reply_to:
            sender["reply_to"] = {"email": self.sender.reply_to}
        if self.asm_group_id:
            sender["asm"] = {"group_id": self.asm_group_id}
        return {
            **sender,
            "subject": envelope.parts["subject"],
            "content": [
                {"type": "text/plain", "value": envelope.parts["text"]},
                {"type": "text/html", "value": envelope.parts["html"]},
            ],
            "categories": [envelope.flow, f"{envelope.flow}/{envelope.step}"],
            "personalizations": [
                _personalization(person, envelope.batch_id) for person in envelope.recipients
            ],
            "tracking_settings": {
                "click_tracking": {"enable": True, "enable_text": False},
                "open_tracking": {"enable": True},
                "subscription_tracking": {"enable": False},
                "ganalytics": {"enable": False},
            },
        }


def _personalization(person: Recipient, batch_id: str) -> dict[str, Any]:
    return {
        "to": [{"email": person.address}],
        "substitutions": person.substitutions,
        "custom_args": {"mk": person.message_key, "bk": batch_id},
        "headers": {
            "List-Unsubscribe": f"<{person.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }


def _refusal(status: int, headers: Mapping[str, str], body: Any, envelope: Envelope) -> Answer:
    if status >= 500:
        return Answer(Kind.IN_DOUBT, status, error=f"SendGrid failed with {status}")
    if status == 429:
        return Answer(Kind.LATER, status, error="SendGrid throttles (429)", retry_at=_retry_at(headers))
    problems = _problems(body)
    if status == 400:
        rejected = {}
        for problem in problems:
            found = _PERSONALIZATION.search(str(problem.get("field") or ""))
            if found and int(found[1]) < len(envelope.recipients):
                rejected[envelope.recipients[int(found[1])].message_key] = _text(problem)
        if rejected:
            text = next(iter(rejected.values()))
            return Answer(Kind.SOME_REJECTED, status, error=text, rejected=rejected)
    detail = "; ".join(_text(problem) for problem in problems[:3])
    text = _REFUSALS.get(status, f"SendGrid refuses the request ({status})")
    return Answer(Kind.REFUSED, status, error=f"{text}: {detail}" if detail else text)


def _no_answer(error: Exception) -> Answer:
    """Nothing was sent if the connection was never made; all else may have been accepted."""
    cause = error.reason if isinstance(error, URLError) else error
    text = f"{type(cause).__name__} while talking to SendGrid"
    if isinstance(cause, ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError):
        return Answer(
            Kind.REFUSED,
            error=f"SendGrid cannot be reached ({text}); check the host of the connection 'sendgrid'",
        )
    return Answer(Kind.IN_DOUBT, error=text)


def _problems(body: Any) -> list[dict[str, Any]]:
    try:
        found = json.loads(body or b"{}").get("errors") or []
    except (ValueError, AttributeError):
        return []
    return [problem for problem in found if isinstance(problem, dict)]


def _text(problem: Mapping[str, Any]) -> str:
    """SendGrid's words without addresses: they are stored and logged."""
    return _ADDRESS.sub("<address>", str(problem.get("message") or "no reason given"))[:200]


def _retry_at(headers: Mapping[str, str]) -> datetime:
    """`X-RateLimit-Reset` is a moment in seconds since 1970, `Retry-After` a number of seconds."""
    now = utc_now()
    for name, base in (("X-RateLimit-Reset", datetime.fromtimestamp(0, UTC)), ("Retry-After", now)):
        value = headers.get(name) or ""
        if _SECONDS.fullmatch(value):
            return min(max(base + timedelta(seconds=int(value)), now), now + LONGEST_WAIT)
    return now + DEFAULT_WAIT
