"""The frequency cap: at most so many messages to a person within a stretch of time.

It counts messages of all flows, by the moment they were planned for (`planned_as_of`), so it
gives the same answer when a night is replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from kreislauf.ledger.schema import BatchState, batch, message

SENT = (BatchState.CLAIMED.value, BatchState.ACCEPTED.value, BatchState.IN_DOUBT.value)
"""A message in a batch of these states has reached the person, or may have."""


@dataclass(frozen=True)
class FrequencyCap:
    """At most `messages` to one person within `window`."""

    messages: int
    window: timedelta

    def __post_init__(self) -> None:
        if self.messages < 1 or self.window <= timedelta(0):
            raise ValueError("a frequency cap needs at least one message and a window longer than nothing")


def recent(cap: FrequencyCap, as_of: datetime, *, with_planned: bool) -> Select[Any]:
    """SQL: `contact_id`, `messages` of the window that ends at `as_of`, for people with at least one.

    `with_planned` counts what is planned and not yet sent too: for deciding. The claim counts only
    what was sent, or two planned messages would stop each other.
    """
    states = (*SENT, BatchState.PLANNED.value) if with_planned else SENT
    return (
        select(message.c.contact_id, func.count().label("messages"))
        .join(batch, batch.c.id == message.c.batch_id)
        .where(
            message.c.outcome.is_(None),
            batch.c.state.in_(states),
            message.c.planned_as_of > as_of - cap.window,
            message.c.planned_as_of <= as_of,
        )
        .group_by(message.c.contact_id)
    )
