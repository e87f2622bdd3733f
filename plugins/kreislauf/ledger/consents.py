"""What people said about being written to: statements, one row each, never changed.

The warehouse decides who may be written to from all sources. This table holds the statements
made to us (the unsubscribe page) and is asked once more in the last moment before a send.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, or_, select

from kreislauf.ledger.schema import MARKETING, SERVICE, Channel, ConsentState, consent
from kreislauf.ledger.store import Ledger, insert_or_skip, utc_now
from kreislauf.ledger.suppressions import EVERY_CHANNEL


@dataclass(frozen=True)
class Statement:
    """One person's statement. `source_key` is unique within `source`: the same one counts once."""

    address: str
    state: ConsentState
    source: str
    source_key: str
    occurred_at: datetime
    contact_id: str | None = None
    topic: str = "marketing"
    channel: str = Channel.EMAIL.value
    legal_basis: str | None = None
    text_version: str | None = None


def record(ledger: Ledger, statements: Iterable[Statement]) -> int:
    """Store statements; return how many are new."""
    with ledger.write() as connection:
        return record_within(connection, statements)


def record_within(connection: Connection, statements: Iterable[Statement]) -> int:
    """`record` within the caller's transaction."""
    now = utc_now()
    rows = [
        {
            **asdict(statement),
            "address": statement.address.strip().lower(),
            "state": ConsentState(statement.state).value,
            "recorded_at": now,
        }
        for statement in statements
    ]
    if not rows:
        return 0
    insert = insert_or_skip(connection, consent).returning(consent.c.id)
    return len(connection.execute(insert, rows).all())


def is_revoked_since(
    address: ColumnElement[str],
    contact_id: ColumnElement[str],
    topic: ColumnElement[str],
    channel: str,
    since: ColumnElement[datetime],
) -> ColumnElement[bool]:
    """SQL: whether consent was revoked after `since` (by our clock) and not granted again later.

    Who objects to marketing objects to every topic of it; messages about a contract go on.
    """
    later = consent.alias("later")
    granted_again = select(later.c.id).where(
        later.c.address == consent.c.address,
        later.c.channel == consent.c.channel,
        later.c.topic == consent.c.topic,
        later.c.state == ConsentState.GRANTED.value,
        later.c.occurred_at > consent.c.occurred_at,
    )
    revoked = select(consent.c.id).where(
        or_(consent.c.address == address, consent.c.contact_id == contact_id),
        consent.c.channel.in_([channel, EVERY_CHANNEL]),
        or_(consent.c.topic == topic, consent.c.topic == MARKETING),
        topic != SERVICE,
        consent.c.state == ConsentState.REVOKED.value,
        consent.c.recorded_at >= since,
        ~granted_again.exists(),
    )
    return revoked.exists()
