"""What providers report: recorded once, and acted upon at once.

An event proves that its batch was accepted, or, where each message is a request of its own, the message:
so it settles what is in doubt. Hard bounces,
complaints and opt-outs suppress the address before the next batch is claimed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select, update

from kreislauf.ledger.schema import (
    ONE_BY_ONE,
    BatchState,
    Channel,
    SuppressionReason,
    batch,
    event,
    message,
)
from kreislauf.ledger.split import split
from kreislauf.ledger.store import Ledger, chunks, insert_or_skip, utc_now
from kreislauf.ledger.suppressions import suppress_within

_CHUNK = 2_000


class EventType(StrEnum):
    """The events of SendGrid's webhook that concern a message; what other channels report, in its words.

    `close`: a notification or an overlay was put away.
    """

    PROCESSED = "processed"
    DROPPED = "dropped"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCE = "bounce"
    OPEN = "open"
    CLICK = "click"
    SPAM_REPORT = "spamreport"
    UNSUBSCRIBE = "unsubscribe"
    GROUP_UNSUBSCRIBE = "group_unsubscribe"
    GROUP_RESUBSCRIBE = "group_resubscribe"
    CLOSE = "close"


_KNOWN = frozenset(EventType)

_SUPPRESSES = {
    EventType.SPAM_REPORT: SuppressionReason.COMPLAINT,
    EventType.UNSUBSCRIBE: SuppressionReason.OPT_OUT,
    EventType.GROUP_UNSUBSCRIBE: SuppressionReason.OPT_OUT,
}

_DROPPED_BECAUSE = {
    "bounced address": SuppressionReason.HARD_BOUNCE,
    "invalid": SuppressionReason.INVALID_ADDRESS,
    "spam reporting address": SuppressionReason.COMPLAINT,
    "unsubscribed address": SuppressionReason.OPT_OUT,
}
"""A drop says that the address is on the provider's own list; ours follows it."""


@dataclass
class Recorded:
    """What came of a call: counts only."""

    received: int = 0
    new: int = 0
    settled: int = 0
    suppressed: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    """Types that are in no list of ours: kept, without an effect, to be looked at."""


def record(ledger: Ledger, events: Iterable[Mapping[str, Any]]) -> Recorded:
    """Record provider events, given as rows of `raw.mail_events` (sources/streams.py).

    Idempotent by `event_id`: only events not seen before have an effect, in the transaction that
    records them. `occurred_at` without a zone is UTC. An asynchronous bounce has neither
    `message_key` nor `batch_id`; it is known by its address.
    """
    result = Recorded()
    for chunk in chunks(events, _CHUNK):
        with ledger.write() as connection:
            _record_chunk(connection, chunk, result)
    return result


def settle(connection: Connection) -> int:
    """Set batches in doubt to accepted that an event is known of; return how many.

    Of a channel whose messages are sent one by one, only the messages that an event is known of.
    """
    now = utc_now()
    single = sorted(ONE_BY_ONE)
    is_known = select(event.c.event_id).where(event.c.batch_id == batch.c.id)
    whole = connection.execute(
        update(batch)
        .where(batch.c.state == BatchState.IN_DOUBT.value, batch.c.channel.not_in(single), is_known.exists())
        .values(state=BatchState.ACCEPTED.value, settled_by="event", updated_at=now)
    ).rowcount
    return whole + _settle_single(connection, single, now)


def _settle_single(connection: Connection, channels: list[str], now: datetime) -> int:
    """Take proven messages out of their batches; return how many of these have nothing in doubt left."""
    known = (
        select(message.c.batch_id, message.c.message_key)
        .join(batch, batch.c.id == message.c.batch_id)
        .where(
            batch.c.state == BatchState.IN_DOUBT.value,
            batch.c.channel.in_(channels),
            select(event.c.event_id).where(event.c.message_key == message.c.message_key).exists(),
        )
    )
    proven: dict[str, list[str]] = {}
    for row in connection.execute(known):
        proven.setdefault(row.batch_id, []).append(row.message_key)
    for batch_id, keys in proven.items():
        split(connection, batch_id, keys, BatchState.ACCEPTED, now, settled_by="event")
    emptied = update(batch).where(batch.c.id.in_(proven), batch.c.size == 0)
    return connection.execute(emptied.values(state=BatchState.ACCEPTED.value, settled_by="event")).rowcount


def _record_chunk(connection: Connection, chunk: Iterable[Mapping[str, Any]], result: Recorded) -> None:
    now = utc_now()
    given = {row["event_id"]: row for row in chunk}
    sent = _messages(connection, {row["message_key"] for row in given.values() if row.get("message_key")})
    rows = [_row(row, sent, now) for row in given.values()]
    if not rows:
        return
    insert = insert_or_skip(connection, event).returning(event.c.event_id)
    new = {found.event_id for found in connection.execute(insert, rows)}

    to_suppress: dict[tuple[SuppressionReason, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["event_id"] not in new:
            continue
        if row["type"] not in _KNOWN:
            result.unknown[row["type"]] += 1
        reason = _suppression(row["type"], given[row["event_id"]])
        if reason:
            person = sent.get(row["message_key"])
            channel = person.channel if person else Channel.EMAIL.value
            to_suppress.setdefault((reason, channel), []).append(
                {
                    "address": row["address"],
                    "contact_id": person.contact_id if person else None,
                    "source": f"event {row['event_id']}",
                }
            )
    for (reason, channel), people in to_suppress.items():
        result.suppressed += suppress_within(connection, people, reason, "event", now, channel)
    result.received += len(given)
    result.new += len(new)
    result.settled += settle(connection)


def _messages(connection: Connection, keys: set[str]) -> dict[str, Any]:
    if not keys:
        return {}
    columns = [message.c[name] for name in ("message_key", "contact_id", "batch_id", "address", "channel")]
    found = connection.execute(select(*columns).where(message.c.message_key.in_(keys)))
    return {row.message_key: row for row in found}


def _row(given: Mapping[str, Any], sent: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    person = sent.get(given.get("message_key") or "")
    return {
        "event_id": given["event_id"],
        "message_key": given.get("message_key"),
        "batch_id": given.get("batch_id") or (person.batch_id if person else None),
        "address": (given.get("email") or (person.address if person else "")).strip().lower(),
        "type": given["event_type"][:32],
        "bounce_type": given.get("bounce_type"),
        "occurred_at": _aware(given["occurred_at"]),
        "url": given.get("url"),
        "reason": given.get("reason"),
        "is_machine_open": bool(given.get("is_machine_open")),
        "recorded_at": now,
    }


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _suppression(event_type: str, given: Mapping[str, Any]) -> SuppressionReason | None:
    if event_type == EventType.BOUNCE:
        is_blocked = given.get("bounce_type") == "blocked"
        is_permanent = (given.get("status") or "5").startswith("5")
        return SuppressionReason.HARD_BOUNCE if is_permanent and not is_blocked else None
    if event_type == EventType.DROPPED:
        return _DROPPED_BECAUSE.get((given.get("reason") or "").strip().lower())
    return _SUPPRESSES.get(EventType(event_type)) if event_type in _KNOWN else None
