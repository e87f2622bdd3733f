"""What every transport takes and answers, whatever its channel, and which one sends mail.

A transport sends one batch and says what it knows of the result. It never retries: an answer
that was not understood is `IN_DOUBT`, and only the ledger decides what follows.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from kreislauf.delivery.fields import fill

if TYPE_CHECKING:
    import sqlalchemy

    from kreislauf.connections import Connection

PRODUCTION_SWITCH = "KREISLAUF_PRODUCTION"


class SendingDisabled(Exception):
    """A message would leave the machine, and nobody has switched that on."""


class DeliveryError(Exception):
    """Sending had to stop. The text says why and what to check; nothing of the batch was accepted."""


@dataclass(frozen=True)
class From:
    """Who writes. `shop_url` is where general links lead. A mail needs all but `reply_to`."""

    email: str
    name: str
    postal_address: str
    shop_url: str
    reply_to: str | None = None

    @classmethod
    def of(
        cls, connection: Connection, needs: tuple[str, ...] = ("from_email", "from_name", "postal_address")
    ) -> From:
        """From a connection's extra: what the channel `needs`, and if it has them `shop_url` (default:
        the domain of from_email) and `reply_to`.

        Raises ValueError that names the missing field.
        """
        extra = connection.extra or {}
        for name in needs:
            if not extra.get(name):
                raise ValueError(f"connection {connection.conn_id!r}: extra needs {name!r}")
        email = extra.get("from_email") or ""
        shop_url = extra.get("shop_url") or (f"https://{email.rpartition('@')[2]}" if email else "")
        return cls(
            email,
            extra.get("from_name") or "",
            extra.get("postal_address") or "",
            shop_url.rstrip("/"),
            extra.get("reply_to"),
        )


@dataclass(frozen=True)
class Recipient:
    """One message of a batch: merge tags and their values, and the link that ends the mails."""

    message_key: str
    address: str = field(repr=False)
    substitutions: dict[str, str] = field(repr=False)
    unsubscribe_url: str = field(repr=False)


@dataclass(frozen=True)
class Envelope:
    """A batch ready to send: what was rendered, by part (for a mail subject, html and text), and to whom.

    `attempt` counts from 1: a receiver that knows a message again may be offered it more than once.
    """

    batch_id: str
    flow: str
    step: str
    parts: Mapping[str, str]
    recipients: tuple[Recipient, ...]
    attempt: int = 1

    def without(self, message_keys: AbstractSet[str]) -> Envelope:
        """The same batch without some of its messages."""
        kept = tuple(person for person in self.recipients if person.message_key not in message_keys)
        return replace(self, recipients=kept)

    def parts_for(self, person: Recipient) -> dict[str, str]:
        """One person's parts, with the values in place of the tags."""
        return {name: fill(source, person.substitutions) for name, source in self.parts.items()}


class Kind(StrEnum):
    """What an answer means."""

    ACCEPTED = "accepted"
    SOME_REJECTED = "some_rejected"
    """Refused as a whole because of the messages in `rejected`; the others may be sent again."""
    REFUSED = "refused"
    """Nothing was accepted, and nothing will be until a person acts."""
    LATER = "later"
    """Nothing was accepted now; ask again at `retry_at`."""
    IN_DOUBT = "in_doubt"
    """Nobody can say whether it was accepted."""


@dataclass(frozen=True)
class Answer:
    """What became of a batch. `rejected` and the sets name messages that differ from the rest."""

    kind: Kind
    http_status: int | None = None
    provider_message_id: str | None = None
    error: str | None = None
    """Without addresses: it is stored, logged and shown."""
    rejected: dict[str, str] = field(default_factory=dict)
    in_doubt: AbstractSet[str] = frozenset()
    unsent: AbstractSet[str] = frozenset()
    retry_at: datetime | None = None
    effects: Callable[[sqlalchemy.Connection], None] | None = field(default=None, repr=False)
    """What the answer means for other tables of the ledger; done in the transaction that records it."""


class Transport(Protocol):
    """Sends batches of one channel. `sender` is who writes."""

    sender: From

    def send(self, envelope: Envelope) -> Answer:
        """Hand a batch over. Never raises for what the provider or the network does."""
        ...


def transport_for(connection: Connection) -> Transport:
    """The transport of a mail connection: `sendgrid` (or `http`), `smtp`, `file` (or `fs`; host: a folder).

    Raises ValueError for another conn_type or an incomplete connection, SendingDisabled if it would
    reach beyond this machine and `KREISLAUF_PRODUCTION=yes` is not set.
    """
    if connection.conn_type in {"sendgrid", "http", "https"}:
        from kreislauf.delivery.sendgrid import SendGridTransport

        return SendGridTransport.of(connection)
    if connection.conn_type == "smtp":
        from kreislauf.delivery.smtp import SmtpTransport

        return SmtpTransport.of(connection)
    if connection.conn_type in {"file", "fs"}:
        from kreislauf.delivery.file import FileTransport

        return FileTransport.of(connection)
    raise ValueError(
        f"connection {connection.conn_id!r}: mail is sent by conn_type 'sendgrid', 'smtp' or 'file', "
        f"not {connection.conn_type!r}"
    )


def refuse_to_leave(host: str) -> None:
    """Raise SendingDisabled unless `host` (a name, or a URL) is this machine, a neighbour, or allowed.

    A neighbour is a name without a dot, as the services of a compose file have.
    """
    name = (urlsplit(host).hostname or "") if "://" in host else host
    if is_local(name) or os.environ.get(PRODUCTION_SWITCH) == "yes":
        return
    raise SendingDisabled(
        f"no message leaves this machine: {name!r} is a public host and {PRODUCTION_SWITCH} is not 'yes'. "
        f"Set {PRODUCTION_SWITCH}=yes where mails to real people are meant to go out."
    )


def is_local(name: str) -> bool:
    """Whether a host's name is this machine (RFC 6761: `localhost` and what is below it) or has no dot."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(".localhost"))
