"""Who is not written to any more, why, and how that is taken back.

A suppression is about an address (it bounced), a person (they objected: every address of theirs)
or, for a duplicate, one contact of two that may share an address. It stops one channel, or every
channel that reaches the person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kreislauf.ledger.schema import (
    MARKETING,
    SERVICE,
    Channel,
    SuppressionReason,
    merged_contact,
    suppression,
)
from kreislauf.ledger.store import Ledger, chunks, utc_now

ABOUT_ADDRESS = frozenset(
    {SuppressionReason.HARD_BOUNCE, SuppressionReason.SOFT_BOUNCE, SuppressionReason.INVALID_ADDRESS}
)
"""These end with the address: the person may be written to at another one."""

ABOUT_CONTACT = frozenset({SuppressionReason.DUPLICATE})
"""These stop one contact and not the address, which the kept contact may share."""

LIFTED_BY_HAND = frozenset(SuppressionReason) - {SuppressionReason.OPT_OUT}
"""What a person other than the one concerned may take back; an objection is only the person's own to take
back."""

SAID = frozenset({SuppressionReason.OPT_OUT, SuppressionReason.COMPLAINT})
"""What a person said; the other reasons were found out. It goes on when records become one person."""

EVERY_CHANNEL = "all"
"""Stands for a channel in an objection to everything. The CRM's and our own records may be kept in order
all the same."""

OWN_RECORDS = (Channel.CRM.value, Channel.AUDIENCE.value)
"""Channels that an objection to everything does not stop."""

_CHUNK = 5_000


def suppress(
    ledger: Ledger,
    rows: Iterable[Mapping[str, Any]],
    reason: SuppressionReason | str,
    source: str,
    channel: str = Channel.EMAIL.value,
) -> int:
    """Suppress addresses (`address`, optional `contact_id`) for one reason; return how many are new.

    `source` names the evidence: an event id, a run id, a person. An address that is already
    suppressed for this reason stays as it is; one that was lifted is suppressed again, except by
    the source that was lifted, so a repeated task does not undo a person's correction.
    Raises ValueError for an unknown reason.
    """
    added = 0
    for chunk in chunks(rows, _CHUNK):
        with ledger.write() as connection:
            added += suppress_within(connection, chunk, reason, source, channel=channel)
    return added


def suppress_within(
    connection: Connection,
    rows: Iterable[Mapping[str, Any]],
    reason: SuppressionReason | str,
    source: str,
    now: datetime | None = None,
    channel: str = Channel.EMAIL.value,
) -> int:
    """`suppress` within the caller's transaction. A row may bring its own `source`."""
    reason = SuppressionReason(reason)
    now = now or utc_now()
    values = [
        {
            "address": row["address"].strip().lower(),
            "contact_id": row.get("contact_id"),
            "channel": channel,
            "topic": "all",
            "reason": reason.value,
            "source": row.get("source", source),
            "created_at": now,
            "updated_at": now,
        }
        for row in rows
        if row["address"]
    ]
    if not values:
        return 0
    dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    statement = dialect.insert(suppression)
    statement = statement.on_conflict_do_update(
        index_elements=["address", "channel", "topic", "reason"],
        set_={
            "source": statement.excluded.source,
            "contact_id": func.coalesce(statement.excluded.contact_id, suppression.c.contact_id),
            "created_at": statement.excluded.created_at,
            "updated_at": statement.excluded.updated_at,
            "lifted_at": None,
            "lifted_by": None,
        },
        where=suppression.c.lifted_at.is_not(None) & (suppression.c.source != statement.excluded.source),
    )
    # One row for an address: PostgreSQL refuses to touch a row twice in a statement.
    unique = list({row["address"]: row for row in values}.values())
    return len(connection.execute(statement.returning(suppression.c.id), unique).all())


def lift(ledger: Ledger, source: str, by: str) -> int:
    """Take back everything a source suppressed; return how many. The rows stay, with who lifted them."""
    now = utc_now()
    with ledger.write() as connection:
        return connection.execute(
            update(suppression)
            .where(suppression.c.source == source, suppression.c.lifted_at.is_(None))
            .values(lifted_at=now, lifted_by=by, updated_at=now)
        ).rowcount


def is_about(records: Collection[str], addresses: Collection[str]) -> ColumnElement[bool]:
    """SQL: whether a suppression is about this person, by all contact ids and addresses it is known under."""
    by_address = and_(
        suppression.c.address.in_(addresses),
        or_(suppression.c.reason.not_in(sorted(ABOUT_CONTACT)), suppression.c.contact_id.is_(None)),
    )
    return or_(suppression.c.contact_id.in_(records), by_address)


def lift_by_hand(
    ledger: Ledger,
    whose: ColumnElement[bool],
    reason: SuppressionReason | str,
    channel: str,
    by: str,
    until: datetime,
) -> int:
    """Take back a reason on one channel, or on every one (`EVERY_CHANNEL`); return how many.

    `whose` is `is_about` the person. What was suppressed after `until`, when the person who lifts asked for
    it, stays: so a repeated task does not take back new evidence. Raises ValueError for an unknown reason,
    or one that is not in LIFTED_BY_HAND.
    """
    reason = SuppressionReason(reason)
    if reason not in LIFTED_BY_HAND:
        raise ValueError(
            f"{reason.value} cannot be lifted by hand: only the person's own click takes an objection back, "
            "the one in the mail that confirms a new subscription, or START as a text message"
        )
    now = utc_now()
    where = [whose, suppression.c.reason == reason.value, suppression.c.created_at <= until]
    if channel != EVERY_CHANNEL:
        where.append(suppression.c.channel == channel)
    values = {"lifted_at": now, "lifted_by": by, "updated_at": now}
    with ledger.write() as connection:
        in_force = suppression.c.lifted_at.is_(None)
        return connection.execute(update(suppression).where(*where, in_force).values(values)).rowcount


def lift_within(connection: Connection, address: str, channel: str, by: str, now: datetime) -> int:
    """Take back the opt-out of an address on one channel: the person asked for it. Returns how many."""
    opted_out = (
        suppression.c.address == address.strip().lower(),
        suppression.c.channel == channel,
        suppression.c.reason == SuppressionReason.OPT_OUT.value,
        suppression.c.lifted_at.is_(None),
    )
    values = {"lifted_at": now, "lifted_by": by, "updated_at": now}
    return connection.execute(update(suppression).where(*opted_out).values(values)).rowcount


def is_suppressed(
    address: ColumnElement[str],
    contact_id: ColumnElement[str],
    channel: ColumnElement[str] | str = Channel.EMAIL.value,
    topic: ColumnElement[str] | str = MARKETING,
) -> ColumnElement[bool]:
    """SQL: whether a suppression in force stops this address or this contact on this channel.

    Who has opted out of mail still gets what is about a contract or was just asked for (topic `service`),
    such as the mail that confirms a new subscription. A text message's STOP, and an objection to
    everything, stop that too.
    """
    asked = literal(channel) if isinstance(channel, str) else channel
    is_about_all = (suppression.c.channel == EVERY_CHANNEL) & asked.not_in(OWN_RECORDS)
    in_force = [suppression.c.lifted_at.is_(None), or_(suppression.c.channel == asked, is_about_all)]
    about = literal(topic) if isinstance(topic, str) else topic
    is_of_mail = and_(
        suppression.c.reason == SuppressionReason.OPT_OUT.value, suppression.c.channel == Channel.EMAIL.value
    )
    in_force.append(or_(about != SERVICE, not_(is_of_mail)))
    has_no_contact = suppression.c.contact_id.is_(None)
    by_address = select(suppression.c.id).where(
        *in_force,
        suppression.c.address == address,
        or_(suppression.c.reason.not_in(sorted(ABOUT_CONTACT)), has_no_contact),
    )
    by_contact = select(suppression.c.id).where(
        *in_force,
        suppression.c.contact_id == contact_id,
        suppression.c.reason.not_in(sorted(ABOUT_ADDRESS)),
    )
    by_record = (
        select(merged_contact.c.record_id)
        .join(suppression, suppression.c.contact_id == merged_contact.c.record_id)
        .where(*in_force, merged_contact.c.contact_id == contact_id, suppression.c.reason.in_(sorted(SAID)))
    )
    return or_(by_address.exists(), by_contact.exists(), by_record.exists())
