"""The channels that end in our own ledger: overlays for the site, and audiences.

They ask nobody, so they cannot fail half way: what they write is written in the transaction that records
the batch as accepted, once for each message's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, func, literal, select, update

from kreislauf.delivery.transport import Answer, Envelope, From, Kind
from kreislauf.ledger.schema import Moment, audience_member, message, overlay
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
            asked = select(message.c.message_key, message.c.expires_at).where(_of(envelope))
            rows = [
                {
                    "message_key": sent.message_key,
                    "visitor_id": contents[sent.message_key][0],
                    "content": contents[sent.message_key][1],
                    "created_at": now,
                    "expires_at": sent.expires_at,
                    "updated_at": now,
                }
                for sent in connection.execute(asked)
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
            (_join if is_join else _leave)(connection, audience, _of(envelope))

        return Answer(Kind.ACCEPTED, effects=change)


def _join(connection: sqlalchemy.Connection, audience: str, mine: Any) -> None:
    """Open a membership for whoever has none, unless this message has opened one before."""
    c, member = message.c, audience_member.c
    has_one = select(member.contact_id).where(
        member.audience == audience,
        member.contact_id == c.contact_id,
        member.left_at.is_(None) | (member.entered_by == c.message_key),
    )
    # Several messages to one person are one membership.
    rows = (
        select(
            literal(audience),
            c.contact_id,
            func.min(c.send_at),
            func.min(c.message_key),
            literal(utc_now(), Moment),
        )
        .where(mine, ~has_one.exists())
        .group_by(c.contact_id)
    )
    columns = ["audience", "contact_id", "entered_at", "entered_by", "updated_at"]
    connection.execute(insert_or_skip(connection, audience_member).from_select(columns, rows))


def _leave(connection: sqlalchemy.Connection, audience: str, mine: Any) -> None:
    c, member = message.c, audience_member.c
    of_member = (mine, c.contact_id == member.contact_id)
    connection.execute(
        update(audience_member)
        .where(
            member.audience == audience,
            member.left_at.is_(None),
            member.contact_id.in_(select(c.contact_id).where(mine)),
        )
        .values(
            left_at=select(func.min(c.send_at)).where(*of_member).scalar_subquery(),
            left_by=select(func.min(c.message_key)).where(*of_member).scalar_subquery(),
            updated_at=utc_now(),
        )
    )


def _of(envelope: Envelope) -> ColumnElement[bool]:
    """The ledger's messages of an envelope."""
    return message.c.message_key.in_([person.message_key for person in envelope.recipients])


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
