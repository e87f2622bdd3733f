"""The frequency cap: at most so many messages to a person within a stretch of time.

The caps of a channel count the messages of all flows on it, a flow's own cap only its own; both by the
moment they go out (`send_at`), so they give the same answer when a night is replayed. A message counts
against those of its own class of priority and of the classes below: a newsletter never keeps a cart
reminder back. The first class, of messages about a contract, is neither capped nor counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from kreislauf.ledger.people import ids_of_people_in, with_person
from kreislauf.ledger.schema import BatchState, batch, message

SENT = (BatchState.CLAIMED.value, BatchState.ACCEPTED.value, BatchState.IN_DOUBT.value)
"""A message in a batch of these states has reached the person, or may have."""

UNSENT = (BatchState.WAITING.value, BatchState.PLANNED.value)


@dataclass(frozen=True)
class FrequencyCap:
    """At most `messages` to one person within `window`: of all flows, or of the one named."""

    messages: int
    window: timedelta
    flow: str | None = None

    def __post_init__(self) -> None:
        if self.messages < 1 or self.window <= timedelta(0):
            raise ValueError("a frequency cap needs at least one message and a window longer than nothing")

    def to_json(self) -> list[Any]:
        """As it stands in `batch.caps`: messages, seconds, flow."""
        return [self.messages, int(self.window.total_seconds()), self.flow]

    @classmethod
    def from_json(cls, given: list[Any]) -> FrequencyCap:
        return cls(given[0], timedelta(seconds=given[1]), given[2])


def recent(cap: FrequencyCap, as_of: datetime, channel: str, priority: int) -> Select[Any]:
    """SQL: `person` (by today's contact id) and `messages` since a window before `as_of`, if at least one.

    For deciding: what is planned and not yet sent counts too, also for later.
    """
    joined, person = with_person(message)
    counted = (
        select(person.label("person"), func.count().label("messages"))
        .select_from(joined.join(batch, batch.c.id == message.c.batch_id))
        .where(
            *_counts(channel, priority),
            batch.c.state.in_((*SENT, *UNSENT)),
            message.c.send_at > as_of - cap.window,
        )
        .group_by(person)
    )
    return counted if cap.flow is None else counted.where(message.c.flow == cap.flow)


def exceeding(connection: Connection, row: Any, goes_out_at: datetime) -> list[str]:
    """Keys of the messages of a claimed batch that would exceed one of its caps, counted in order.

    `row` is the batch. Of other messages only what was sent counts, or two planned ones would stop each
    other.
    """
    if not row.caps:
        return []
    caps = [FrequencyCap.from_json(cap) for cap in row.caps]
    joined, person = with_person(message)
    mine = (
        select(message.c.message_key, message.c.priority, person.label("person"))
        .select_from(joined)
        .where(message.c.batch_id == row.id, message.c.outcome.is_(None))
        .order_by(message.c.contact_id, message.c.occurrence_id)
    )
    left = connection.execute(mine).all()
    if not left:
        return []
    since = goes_out_at - max(cap.window for cap in caps)
    others = connection.execute(_sent_to_people_of(row, left[0].priority, since)).all()
    too_many = []
    for cap in caps:
        sent = Counter(
            other.person
            for other in others
            if other.send_at > goes_out_at - cap.window and cap.flow in {None, other.flow}
        )
        within = []
        for found in left:
            sent[found.person] += 1
            (within if sent[found.person] <= cap.messages else too_many).append(found)
        left = within
    return [found.message_key for found in too_many]


def _sent_to_people_of(row: Any, priority: int, since: datetime) -> Select[Any]:
    """SQL: `person`, `flow` and `send_at` of each other message sent to the people of a batch.

    Whatever the database thinks of the sizes, it has to go by the people: a batch's state is asked of each
    message found, and the flow not at all. Going by state or flow would read all that was ever sent.
    """
    joined, person = with_person(message)
    state = select(batch.c.state).where(batch.c.id == message.c.batch_id).scalar_subquery()
    return (
        select(person.label("person"), message.c.flow, message.c.send_at)
        .select_from(joined)
        .where(
            message.c.contact_id.in_(ids_of_people_in(row.id)),
            message.c.batch_id != row.id,
            *_counts(row.channel, priority),
            message.c.send_at > since,
            state.in_(SENT),
        )
    )


def _counts(channel: str, priority: int) -> list[ColumnElement[bool]]:
    """SQL: whether a message counts against those of this channel and class of priority."""
    return [
        message.c.outcome.is_(None),
        message.c.channel == channel,
        message.c.priority.between(1, priority),
    ]
