"""Text messages: Twilio's Messages API, one request a message.

Documented at https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/api/errors. It knows no idempotency key, so a request without an answer is in
doubt; the status callback, which carries the message's signed key, settles it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import sqlalchemy

from kreislauf.delivery.links import Links
from kreislauf.delivery.single import TIMEOUT, Single, no_answer, offer_each, retry_at
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, Recipient, refuse_to_leave
from kreislauf.ledger.schema import Channel, SuppressionReason
from kreislauf.ledger.suppressions import suppress_within

if TYPE_CHECKING:
    from kreislauf.connections import Connection

DEFAULT_HOST = "https://api.twilio.com"
STATUS = "sms status"
"""What the token of a status callback is signed for."""

ABOUT_NUMBER = {
    21211: SuppressionReason.INVALID_ADDRESS,
    21217: SuppressionReason.INVALID_ADDRESS,
    21614: SuppressionReason.INVALID_ADDRESS,
    21610: SuppressionReason.OPT_OUT,
}
"""Twilio's error codes that say: never again to this number."""

_ABOUT_MESSAGE = {21612, 21408, 21617, 21602, 30450}
"""Codes that concern one message: no route, a region, too long, no text."""


@dataclass(frozen=True)
class SmsTransport:
    """Sends through an account. `origin` is a number (E.164) or the id of a messaging service (MG…)."""

    sender: From
    host: str
    account: str
    token: str = field(repr=False)
    origin: str
    links: Links

    @classmethod
    def of(cls, connection: Connection, links: Links) -> SmsTransport:
        """From a connection: host (default Twilio's), login: account SID, password: auth token, extra
        `from`: number or messaging service, `from_name`, and if there is one `shop_url`."""
        host = connection.url if connection.host else DEFAULT_HOST
        refuse_to_leave(host)
        if not connection.login:
            raise ValueError(f"connection {connection.conn_id!r}: login must be the account SID")
        sender = From.of(connection, needs=("from", "from_name"))
        return cls(sender, host, connection.login, connection.secret(), connection.extra["from"], links)

    def send(self, envelope: Envelope) -> Answer:
        """One request a message, a few at once. What Twilio says of a number is remembered."""
        gone: dict[str, tuple[SuppressionReason, str]] = {}
        with httpx.Client(timeout=TIMEOUT, auth=(self.account, self.token)) as client:

            def offer(person: Recipient) -> Single:
                try:
                    response = client.post(self._url, data=self._form(envelope, person))
                except httpx.TransportError as error:
                    return no_answer(error, "the SMS provider", "sms")
                code = _body(response).get("code")
                if response.status_code == 400 and code in ABOUT_NUMBER:
                    gone[person.message_key] = (ABOUT_NUMBER[code], person.address)
                return _judge(response, code)

            return offer_each(envelope, offer, lambda connection: _suppress(connection, gone))

    @property
    def _url(self) -> str:
        return f"{self.host}/2010-04-01/Accounts/{self.account}/Messages.json"

    def _form(self, envelope: Envelope, person: Recipient) -> dict[str, str]:
        token = self.links.token(person.message_key, STATUS)
        sender = "MessagingServiceSid" if self.origin.startswith("MG") else "From"
        return {
            "To": person.address,
            sender: self.origin,
            "Body": envelope.parts_for(person)["text"],
            "StatusCallback": f"{self.links.base_url}/sms/status/{token}",
        }


def _judge(response: httpx.Response, code: Any) -> Single:
    status = response.status_code
    if status == 201:
        return Single(Kind.ACCEPTED, status=status)
    if status >= 500:
        return Single(Kind.IN_DOUBT, f"the SMS provider failed with {status}", status)
    if status == 429:
        return Single(Kind.LATER, "the SMS provider throttles (429)", status, retry_at(response))
    if status == 400 and (code in ABOUT_NUMBER or code in _ABOUT_MESSAGE):
        return Single(Kind.SOME_REJECTED, f"the SMS provider refused it (code {code})", status)
    hint = "check login and password" if status in {401, 403} else "check the host and extra 'from'"
    text = f"the SMS provider refuses the request ({status}, code {code}); {hint} of the connection 'sms'"
    return Single(Kind.REFUSED, text, status)


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _suppress(connection: sqlalchemy.Connection, gone: dict[str, tuple[SuppressionReason, str]]) -> None:
    for key, (reason, address) in gone.items():
        suppress_within(
            connection, [{"address": address}], reason, f"message {key}", channel=Channel.SMS.value
        )
