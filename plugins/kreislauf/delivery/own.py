"""The channels that end in our own ledger: overlays for the site, and audiences.

They ask nobody, so they cannot fail half way: what they write is written in the transaction that records
the batch as accepted, once for each message's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import insert, select, update

from kreislauf.delivery.transport import Answer, Envelope, From, Kind
from kreislauf.ledger.schema import audience_member, message, overlay
from kreislauf.ledger.store import insert_or_skip, utc_now

if TYPE_CHECKING:
    from kreislauf.connections import Connection


@dataclass(frozen=True)
class OnsiteTransport:
    """Overlays for visitors; a message's address is the visitor's id. The web app gives them to the site."""

    sender: From

    @classmethod
    def of(cls, connection: Connection) -> OnsiteTransport:
        """From the connection of the web app."""
        return cls(From.of(connection, needs=()))

    def send(self, envelope: Envelope) -> Answer:
        """Accepted; the overlays are there when the answer is recorded."""
        contents = {
            person.message_key: (person.address, _content(envelope.parts_for(person)))
            for person in envelope.recipients
        }

        def show(connection: sqlalchemy.Connection) -> None:
            now = utc_now()
            rows = [
                {
                    "message_key": sent.message_key,
                    "visitor_id": contents[sent.message_key][0],
                    "content": contents[sent.message_key][1],
                    "created_at": now,
                    "expires_at": sent.expires_at,
                    "updated_at": now,
                }
                for sent in _messages(connection, envelope)
            ]
            if rows:
                connection.execute(insert_or_skip(connection, overlay), rows)

        return Answer(Kind.ACCEPTED, effects=show)


@dataclass(frozen=True)
class AudienceTransport:
    """Puts people into audiences, and takes them out."""

    sender: From

    @classmethod
    def of(cls, connection: Connection) -> AudienceTransport:
        """From the connection of the web app."""
        return cls(From.of(connection, needs=()))

    def send(self, envelope: Envelope) -> Answer:
        """Accepted; the change is made when the answer is recorded."""
        audience, is_join = envelope.parts["audience"], envelope.parts["do"] == "join"

        def change(connection: sqlalchemy.Connection) -> None:
            now = utc_now()
            for sent in _messages(connection, envelope):
                who = (sent.message_key, sent.contact_id)
                _join(connection, audience, *who, now) if is_join else _leave(connection, audience, *who, now)

        return Answer(Kind.ACCEPTED, effects=change)


def _join(connection: sqlalchemy.Connection, audience: str, key: str, contact_id: str, now: datetime) -> None:
    """Open a membership, unless one is open or this message has opened one before."""
    c = audience_member.c
    mine = select(c.contact_id).where(c.audience == audience, c.contact_id == contact_id)
    if connection.execute(mine.where(c.left_at.is_(None) | (c.entered_by == key))).first():
        return
    row = {"audience": audience, "contact_id": contact_id, "entered_at": now}
    connection.execute(insert(audience_member).values(**row, entered_by=key, updated_at=now))


def _leave(
    connection: sqlalchemy.Connection, audience: str, key: str, contact_id: str, now: datetime
) -> None:
    c = audience_member.c
    opened = (c.audience == audience, c.contact_id == contact_id, c.left_at.is_(None))
    values = {"left_at": now, "left_by": key, "updated_at": now}
    connection.execute(update(audience_member).where(*opened).values(values))


def _messages(connection: sqlalchemy.Connection, envelope: Envelope) -> list[Any]:
    columns = (message.c.message_key, message.c.contact_id, message.c.expires_at)
    keys = [person.message_key for person in envelope.recipients]
    return list(connection.execute(select(*columns).where(message.c.message_key.in_(keys))))


def _content(parts: dict[str, str]) -> dict[str, Any]:
    """The parts as the site reads them: numbers, true and false, and lists."""
    content: dict[str, Any] = {name: text for name, text in parts.items() if text}
    if "answers" in content:
        content["answers"] = content["answers"].split("\n")
    if "delay_seconds" in content:
        content["delay_seconds"] = int(content["delay_seconds"])
    if "exit_intent" in content:
        content["exit_intent"] = content["exit_intent"] == "true"
    return content
