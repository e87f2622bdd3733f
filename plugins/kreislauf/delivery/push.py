"""Web push: encrypted notifications (RFC 8291) to push services (RFC 8030), signed by VAPID (RFC 8292).

A message's address is the id of a row of `push_subscription`. A push service knows no idempotency key:
a request without an answer is in doubt. 404 and 410 say that the browser has taken its permission back.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import sqlalchemy
from sqlalchemy import select, update

from kreislauf.delivery.links import Links
from kreislauf.delivery.single import TIMEOUT, Single, no_answer, offer_each, retry_at
from kreislauf.delivery.transport import Answer, Envelope, From, Kind, Recipient, is_local, refuse_to_leave
from kreislauf.ledger.schema import push_subscription
from kreislauf.ledger.store import Ledger, utc_now

if TYPE_CHECKING:
    from kreislauf.connections import Connection

BEACON = "push"
"""What the token in a notification is signed for."""

TIME_TO_LIVE = timedelta(hours=12)
"""How long the push service keeps a notification for a browser that is off."""

SERVICES = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "web.push.apple.com",
    "notify.windows.com",
)
"""The push services of the browsers. Endpoints come from the public: no request goes to another host."""

_TOKEN_LIFE = timedelta(hours=12)  # RFC 8292 allows 24


@dataclass(frozen=True)
class PushTransport:
    """Sends to the subscriptions of the ledger. `subject`: a mailto: or https: address for the services."""

    sender: From
    private_key: str = field(repr=False)
    subject: str
    services: tuple[str, ...]
    ledger: Ledger = field(repr=False)
    links: Links = field(repr=False)

    @classmethod
    def of(cls, connection: Connection, ledger: Ledger, links: Links) -> PushTransport:
        """From a connection: password: the VAPID private key (base64url, 32 bytes), extra `subject`, and
        if there are others than the browsers' own `services` (list of hosts).

        Raises ValueError if the connection is incomplete.
        """
        services = tuple(connection.extra.get("services") or SERVICES)
        for host in services:
            refuse_to_leave(host)
        sender = From.of(connection, needs=("subject",))
        key = connection.secret()
        public_key(key)
        return cls(sender, key, connection.extra["subject"], services, ledger, links)

    def send(self, envelope: Envelope) -> Answer:
        """One request a notification. A subscription that is gone is revoked with the answer."""
        from pywebpush import WebPusher

        known = self._subscriptions(envelope)
        gone: list[str] = []
        headers = {self._origin(row.endpoint): {} for row in known.values()}
        headers = {origin: self._vapid(origin) for origin in headers}
        missing = {
            person.message_key: Single(Kind.SOME_REJECTED, "the browser's subscription was taken back")
            for person in envelope.recipients
            if person.address not in known
        }
        with httpx.Client(timeout=TIMEOUT) as client:

            def offer(person: Recipient) -> Single:
                row = known[person.address]
                if not is_service(row.endpoint, self.services):
                    return Single(Kind.SOME_REJECTED, "its endpoint is not at a known push service")
                if not are_keys(row.p256dh, row.auth):
                    return Single(Kind.SOME_REJECTED, "nothing can be encrypted with the browser's keys")
                keys = {"endpoint": row.endpoint, "keys": {"p256dh": row.p256dh, "auth": row.auth}}
                body = WebPusher(keys).encode(self._payload(envelope, person), "aes128gcm")["body"]
                try:
                    response = client.post(
                        row.endpoint,
                        content=body,
                        headers=headers[self._origin(row.endpoint)] | _headers(envelope.parts_for(person)),
                    )
                except httpx.TransportError as error:
                    return no_answer(error, "the push service", "push")
                if response.status_code in {404, 410}:
                    gone.append(row.id)
                return _judge(response)

            return offer_each(envelope, offer, lambda connection: _revoke(connection, gone), missing)

    def _subscriptions(self, envelope: Envelope) -> dict[str, Any]:
        wanted = [person.address for person in envelope.recipients]
        open_ones = select(push_subscription).where(
            push_subscription.c.id.in_(wanted), push_subscription.c.revoked_at.is_(None)
        )
        with self.ledger.read() as connection:
            return {row.id: row for row in connection.execute(open_ones)}

    def _payload(self, envelope: Envelope, person: Recipient) -> bytes:
        parts = {name: text for name, text in envelope.parts_for(person).items() if text}
        token = self.links.token(person.message_key, BEACON)
        content = parts | {"token": token, "beacon": f"{self.links.base_url}/push/{token}"}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def _vapid(self, origin: str) -> dict[str, str]:
        from py_vapid import Vapid02

        claims = {
            "sub": self.subject,
            "aud": origin,
            "exp": int(time.time() + _TOKEN_LIFE.total_seconds()),
        }
        return dict(Vapid02.from_string(self.private_key).sign(claims))

    @staticmethod
    def _origin(endpoint: str) -> str:
        found = urlsplit(endpoint)
        return f"{found.scheme}://{found.netloc}"


def is_service(endpoint: str, services: tuple[str, ...]) -> bool:
    """Whether an endpoint is at one of the services, or below: https, but for this machine."""
    try:
        found = urlsplit(endpoint)
        host = found.hostname or ""
    except ValueError:
        return False
    is_known = any(host == service or host.endswith(f".{service}") for service in services)
    return is_known and (found.scheme == "https" or (found.scheme == "http" and is_local(host)))


def are_keys(p256dh: str, auth: str) -> bool:
    """Whether a browser's keys are what RFC 8291 says: a point of P-256, and 16 bytes."""
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(p256dh))
        return len(_decoded(auth)) == 16
    except ValueError:
        return False


def public_key(private_key: str) -> str:
    """The key that the site hands to browsers (`applicationServerKey`), base64url.

    Raises ValueError if the private key is none.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        number = int.from_bytes(_decoded(private_key))
        key = ec.derive_private_key(number, ec.SECP256R1()).public_key()
    except ValueError:
        raise ValueError("connection 'push': password must be a VAPID private key, base64url") from None
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _headers(parts: Mapping[str, str]) -> dict[str, str]:
    headers = {
        "TTL": str(int(TIME_TO_LIVE.total_seconds())),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    # A later notification with the same tag takes the place of one that still waits (RFC 8030, 5.4).
    return headers | {"Topic": parts["tag"]} if parts.get("tag") else headers


def _judge(response: httpx.Response) -> Single:
    status = response.status_code
    if status in {200, 201, 202}:
        return Single(Kind.ACCEPTED, status=status)
    if status in {404, 410}:
        return Single(Kind.SOME_REJECTED, "the browser's subscription is gone", status)
    if status in {400, 413}:
        return Single(Kind.SOME_REJECTED, f"the push service refused it ({status})", status)
    if status == 429:
        return Single(Kind.LATER, "the push service throttles (429)", status, retry_at(response))
    if status >= 500:
        return Single(Kind.IN_DOUBT, f"the push service failed with {status}", status)
    text = f"the push service does not accept our key ({status}); check the connection 'push'"
    return Single(Kind.REFUSED, text, status)


def _revoke(connection: sqlalchemy.Connection, gone: list[str]) -> None:
    now = utc_now()
    revoked = update(push_subscription).where(push_subscription.c.id.in_(gone))
    connection.execute(revoked.values(revoked_at=now, updated_at=now))
