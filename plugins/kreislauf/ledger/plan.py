"""Turn decided candidates into messages in batches.

The batch of a message is assigned here, once and for ever: whoever sends later claims one batch
row and writes one batch row, whatever happens to its 1,000 messages.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    String,
    and_,
    cast,
    func,
    literal,
    select,
    true,
    type_coerce,
)

from kreislauf.ledger.schema import BatchState, Moment, Reason, batch, candidate, decision, message
from kreislauf.ledger.store import insert_or_skip, refresh_statistics, serialise, utc_now

BATCH_SIZE = 1000
"""The most messages in one batch: SendGrid's limit of personalizations in a request."""

_FIRST_NUMBER = 10_000_000
"""Batches are numbered from here, so that a number always has eight digits."""


def plan(
    connection: Connection,
    run_id: str,
    flow: str,
    step: str,
    template: str,
    as_of: datetime,
    batch_size: int = BATCH_SIZE,
) -> int:
    """Insert a message for each candidate of this run that was decided `planned`; return how many.

    Call it within the transaction that writes the decisions. A candidate that has a message
    (flow, step, contact, occurrence) already is left alone, so planning twice, or two runs at
    once, adds nothing. Within a batch all messages share flow, step, variant, language and
    number of items, and therefore the rendered template.

    Message keys are random, 32 hexadecimal characters: they say nothing about the person and
    cannot be guessed. Batch ids are random with a running number.
    """
    serialise(connection, f"plan {flow}/{step}")
    refresh_statistics(connection, candidate, decision, message)
    numbered = _numbered(run_id, flow, step, batch_size)
    nonce = secrets.token_hex(12)
    batch_id = literal(nonce, String) + cast(numbered.c.number, String)
    now = literal(utc_now(), Moment)
    moment = literal(as_of, Moment)
    columns = ["variant", "language", "item_count"]

    batches = select(
        batch_id,
        *(func.max(numbered.c[name]) for name in columns),
        literal(flow),
        literal(step),
        literal(template),
        func.count(),
        literal(BatchState.PLANNED.value),
        literal(run_id),
        moment,
        moment,
        now,
    ).group_by(numbered.c.number)
    _insert(
        connection,
        batch,
        [
            *("id", *columns, "flow", "step", "template", "size", "state", "run_id"),
            *("send_at", "planned_as_of", "updated_at"),
        ],
        batches,
    )

    copied = ["contact_id", "occurrence_id", "address", "merge", "expires_at"]
    messages = select(
        _random_key(connection),
        batch_id,
        *(numbered.c[name] for name in copied),
        literal(flow),
        literal(step),
        literal(0),
        moment,
        moment,
        now,
        now,
    )
    return _insert(
        connection,
        message,
        [
            *("message_key", "batch_id", *copied, "flow", "step", "priority"),
            *("send_at", "planned_as_of", "planned_at", "updated_at"),
        ],
        messages,
    )


def _numbered(run_id: str, flow: str, step: str, batch_size: int) -> Any:
    """The planned candidates that have no message yet, each with the number of its batch."""
    same = ("flow", "step", "contact_id", "occurrence_id")
    decided = and_(
        *(decision.c[name] == candidate.c[name] for name in same),
        decision.c.reason == Reason.PLANNED.value,
        decision.c.run_id == run_id,
    )
    has_message = select(message.c.message_key).where(
        *(message.c[name] == candidate.c[name] for name in same)
    )
    group = [candidate.c.variant, candidate.c.language, candidate.c.item_count]
    position = func.row_number().over(
        partition_by=group, order_by=[candidate.c.contact_id, candidate.c.occurrence_id]
    )
    rows = (
        select(candidate, (type_coerce(position - 1, Integer) // batch_size).label("chunk"))
        .join(decision, decided)
        .where(
            candidate.c.run_id == run_id,
            candidate.c.flow == flow,
            candidate.c.step == step,
            ~has_message.exists(),
        )
        .subquery()
    )
    number = func.dense_rank().over(
        order_by=[rows.c.variant, rows.c.language, rows.c.item_count, rows.c.chunk]
    )
    return select(rows, (number + cast(_FIRST_NUMBER, Integer)).label("number")).subquery()


def _random_key(connection: Connection) -> Any:
    if connection.dialect.name == "postgresql":
        return func.replace(cast(func.gen_random_uuid(), String), "-", "")
    return func.lower(func.hex(func.randomblob(16)))


def _insert(connection: Connection, table: Any, columns: list[str], rows: Select[Any]) -> int:
    # SQLite reads ON CONFLICT as a join condition unless the SELECT has a WHERE.
    statement = insert_or_skip(connection, table).from_select(columns, rows.where(true()))
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
