"""Taking back what is planned and has not gone out, once a newer build says that consent is gone.

The claim asks the ledger for what people told us. What they told the shop or the CRM is known with the next
build, and a message may wait for the morning meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from kreislauf.flow.model import INBOXES
from kreislauf.ledger.consents import SERVICE
from kreislauf.ledger.frequency import UNSENT
from kreislauf.ledger.schema import Outcome, Reason, batch, message
from kreislauf.ledger.store import Ledger, chunks, utc_now

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import BuildInfo, Engine

_AT_A_TIME = 500

_PERMISSIONS = """
select contact_keys.record_id as contact_id, permissions.channel, permissions.topic
from core.contact_keys as contact_keys
inner join core.permissions as permissions on contact_keys.contact_id = permissions.contact_id
where contact_keys.record_id in ({contacts})
"""


def withdraw(ledger: Ledger, engine: Engine, build: BuildInfo, as_of: datetime) -> int:
    """Skip messages due by `as_of` that were planned before this build and whose consent it does not know.

    Recorded as `no_consent`; their number is returned. Messages about a contract ask no consent.
    """
    is_unsent = select(batch.c.id).where(
        batch.c.state.in_(UNSENT), batch.c.send_at <= as_of, batch.c.planned_as_of < build.as_of
    )
    waiting = select(message.c.message_key, message.c.contact_id, message.c.channel, message.c.topic).where(
        message.c.batch_id.in_(is_unsent),
        message.c.outcome.is_(None),
        message.c.topic != SERVICE,
        message.c.channel.in_(sorted(INBOXES)),
    )
    with ledger.read() as connection:
        rows = list(connection.execute(waiting.order_by(message.c.message_key)))
    withdrawn = 0
    for some in chunks(rows, _AT_A_TIME):
        permitted = _permitted(engine, build, some)
        keys = [row.message_key for row in some if (row.contact_id, row.channel, row.topic) not in permitted]
        skipped = {"outcome": Outcome.SKIPPED.value, "outcome_reason": Reason.NO_CONSENT.value}
        still = (message.c.message_key.in_(keys), message.c.outcome.is_(None))
        with ledger.write() as connection:  # a batch that was claimed meanwhile keeps its messages
            found = update(message).where(*still, message.c.batch_id.in_(is_unsent))
            withdrawn += connection.execute(found.values(skipped | {"updated_at": utc_now()})).rowcount
    return withdrawn


def _permitted(engine: Engine, build: BuildInfo, rows: list[Any]) -> set[tuple[str, str, str]]:
    contacts = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted({r.contact_id for r in rows}))
    found = engine.query(_PERMISSIONS.format(contacts=contacts), build_id=build.build_id)
    return {(row["contact_id"], row["channel"], row["topic"]) for row in found}
