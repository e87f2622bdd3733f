"""The frequency cap: at most so many messages to a person within a stretch of time.

The caps of a channel count the messages of all flows on it, a flow's own cap only its own; both by the
moment they go out (`send_at`), so they give the same answer when a night is replayed. A message counts
against those of its own class of priority and of the classes below: a newsletter never keeps a cart
reminder back. The first class, of messages about a contract, is neither capped nor counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from kreislauf.ledger.people import with_person
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


def recent(
    cap: FrequencyCap, as_of: datetime, channel: str, priority: int, *, with_planned: bool
) -> Select[Any]:
    """SQL: `person` (by today's contact id) and `messages` since a window before `as_of`, if at least one.

    `with_planned` counts what is planned and not yet sent too, also for later: for deciding. The claim
    counts only what was sent, or two planned messages would stop each other.
    """
    states = (*SENT, *UNSENT) if with_planned else SENT
    joined, person = with_person(message)
    counted = (
        select(person.label("person"), func.count().label("messages"))
        .select_from(joined.join(batch, batch.c.id == message.c.batch_id))
        .where(
            message.c.outcome.is_(None),
            message.c.channel == channel,
            message.c.priority.between(1, priority),
            batch.c.state.in_(states),
            message.c.send_at > as_of - cap.window,
        )
        .group_by(person)
    )
    return counted if cap.flow is None else counted.where(message.c.flow == cap.flow)
