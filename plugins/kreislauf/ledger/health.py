"""How what a flow sends is received: complaints and bounces among what was accepted lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy import Connection, func, select

from kreislauf.ledger.schema import BatchState, batch, event, message


@dataclass(frozen=True)
class Health:
    """Messages accepted by the provider, and how many of them bounced or brought a complaint."""

    messages: int
    bounces: int
    complaints: int

    def rate(self, count: int) -> Fraction:
        """A count as a share of the messages; 0 without any."""
        return Fraction(count, self.messages) if self.messages else Fraction(0)


def health(connection: Connection, flow: str, as_of: datetime, within: timedelta) -> Health:
    """Of the messages of a flow that went out within the time before `as_of`."""
    sent = (
        select(message.c.message_key)
        .join(batch, batch.c.id == message.c.batch_id)
        .where(
            message.c.flow == flow,
            message.c.outcome.is_(None),
            batch.c.state == BatchState.ACCEPTED.value,
            message.c.send_at > as_of - within,
            message.c.send_at <= as_of,
        )
        .subquery("sent")
    )

    def told(type_: str) -> int:
        found = (
            select(func.count(event.c.message_key.distinct()))
            .join(sent, sent.c.message_key == event.c.message_key)
            .where(event.c.type == type_, event.c.occurred_at <= as_of)
        )
        return connection.execute(found).scalar_one()

    messages = connection.execute(select(func.count()).select_from(sent)).scalar_one()
    return Health(messages, told("bounce"), told("spamreport"))
