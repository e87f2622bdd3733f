"""Turn decided candidates into messages in batches.

The batch of a message is assigned here, once and for ever: whoever sends later claims one batch
row and writes one batch row, whatever happens to its 1,000 messages.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Connection,
    Integer,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    select,
    true,
    type_coerce,
    update,
)

from kreislauf.ledger.frequency import UNSENT, FrequencyCap
from kreislauf.ledger.hours import ANY_HOUR, Hours
from kreislauf.ledger.schema import BatchState, Moment, Reason, batch, candidate, decision, message, voucher
from kreislauf.ledger.store import insert_or_skip, refresh_statistics, utc_now

if TYPE_CHECKING:
    from kreislauf.flow.decide import Run
    from kreislauf.flow.model import Step

BATCH_SIZE = 1000
"""The most messages in one batch: SendGrid's limit of personalizations in a request."""

_ALIKE = ("variant", "language", "item_count", "send_at")
"""What the messages of a batch share, beside flow and step."""

_FIRST_NUMBER = 10_000_000
"""Batches are numbered from here, so that a number always has eight digits."""


def plan(
    connection: Connection,
    step: Step,
    run: Run,
    caps: Sequence[FrequencyCap] = (),
    hours: Hours = ANY_HOUR,
    batch_size: int = BATCH_SIZE,
) -> int:
    """Insert a message for each candidate of this run whose reason is `planned`; return how many.

    Call it within the transaction that writes the decisions. A candidate that has a message
    (flow, step, contact, occurrence) already is left alone, so planning twice, or two runs at
    once, adds nothing. Within a batch all messages share flow, step, variant, language, number
    of items and the moment to go out, and therefore the rendered template; if `hours` are to be kept, the
    recipient's clock too. More messages than `step.approve_above` wait for a person. `caps` and `hours`
    are asked again when a batch is claimed.

    Message keys are random, 32 hexadecimal characters: they say nothing about the person and
    cannot be guessed. Batch ids are random with a running number.
    """
    refresh_statistics(connection, candidate, decision)
    alike = [*_ALIKE, "timezone", "local_hour"] if hours else list(_ALIKE)
    numbered = _numbered(step, run, alike, batch_size)
    nonce = secrets.token_hex(12)
    batch_id = literal(nonce, String) + cast(numbered.c.number, String)
    of_step = {
        "flow": literal(step.flow),
        "step": literal(step.name),
        "channel": literal(step.channel.value if step.channel else ""),
        "planned_as_of": literal(run.as_of, Moment),
        "updated_at": literal(utc_now(), Moment),
    }

    # Without a test of templates all variants have the one named "".
    which = [(numbered.c.variant == name, path) for name, path in step.templates.items()]
    template = case(*which, else_=step.templates.get(""))
    of_batch = {
        "id": batch_id,
        **{name: func.max(numbered.c[name]) for name in alike},
        "template": func.max(template),
        "size": func.count(),
        "state": literal(_state(connection, step, numbered)),
        "run_id": literal(run.run_id),
        "caps": literal([cap.to_json() for cap in caps], JSON),
        "hours": literal(hours.to_json(), JSON(none_as_null=True)),
        **of_step,
    }
    _insert(connection, batch, of_batch, select(*of_batch.values()).group_by(numbered.c.number))

    copied = ("contact_id", "occurrence_id", "address", "merge", "expires_at", "send_at")
    of_message = {
        "message_key": _random_key(connection),
        "batch_id": batch_id,
        **{name: numbered.c[name] for name in copied},
        "priority": literal(step.priority),
        "topic": literal(step.topic),
        "planned_at": of_step["updated_at"],
        **of_step,
    }
    planned = _insert(connection, message, of_message, select(*of_message.values()))
    if planned:
        refresh_statistics(connection, batch, message)
    if step.voucher:
        _give_vouchers(connection, step)
    return planned


def _numbered(step: Step, run: Run, alike: Sequence[str], batch_size: int) -> Any:
    """The planned candidates that have no message yet, each with the number of its batch."""
    same = ("flow", "step", "contact_id", "occurrence_id")
    has_message = select(message.c.message_key).where(
        *(message.c[name] == candidate.c[name] for name in same)
    )
    group = [candidate.c[name] for name in alike]
    position = func.row_number().over(
        partition_by=group, order_by=[candidate.c.contact_id, candidate.c.occurrence_id]
    )
    rows = (
        select(candidate, (type_coerce(position - 1, Integer) // batch_size).label("chunk"))
        .where(
            candidate.c.run_id == run.run_id,
            candidate.c.flow == step.flow,
            candidate.c.step == step.name,
            candidate.c.reason == Reason.PLANNED.value,
            ~has_message.exists(),
        )
        .subquery()
    )
    order = [rows.c[name] for name in (*alike, "chunk")]
    number = func.dense_rank().over(order_by=order)
    return select(rows, (number + cast(_FIRST_NUMBER, Integer)).label("number")).subquery()


def _state(connection: Connection, step: Step, numbered: Any) -> str:
    if step.approve_above is None:
        return BatchState.PLANNED.value
    messages = connection.execute(select(func.count()).select_from(numbered)).scalar_one()
    is_many = messages > step.approve_above
    return BatchState.WAITING.value if is_many else BatchState.PLANNED.value


def _give_vouchers(connection: Connection, step: Step) -> None:
    """A free code of the pool for each message of the step that is still to be sent and has none yet."""
    has_code = select(voucher.c.code).where(voucher.c.message_key == message.c.message_key)
    needy = (
        select(message.c.message_key, func.row_number().over(order_by=message.c.message_key).label("place"))
        .join(batch, batch.c.id == message.c.batch_id)
        .where(batch.c.flow == step.flow, batch.c.step == step.name, batch.c.state.in_(UNSENT))
        .where(message.c.outcome.is_(None), ~has_code.exists())
        .subquery("needy")
    )
    free = (
        select(voucher.c.code, func.row_number().over(order_by=voucher.c.code).label("place"))
        .where(voucher.c.pool == step.voucher, voucher.c.message_key.is_(None))
        .subquery("free")
    )
    pairs = select(free.c.code, needy.c.message_key).join(needy, needy.c.place == free.c.place).subquery()
    connection.execute(
        update(voucher)
        .where(voucher.c.code == pairs.c.code)
        .values(message_key=pairs.c.message_key, assigned_at=utc_now())
    )


def _random_key(connection: Connection) -> Any:
    if connection.dialect.name == "postgresql":
        return func.replace(cast(func.gen_random_uuid(), String), "-", "")
    return func.lower(func.hex(func.randomblob(16)))


def _insert(connection: Connection, table: Any, columns: Mapping[str, Any], rows: Select[Any]) -> int:
    # SQLite reads ON CONFLICT as a join condition unless the SELECT has a WHERE.
    statement = insert_or_skip(connection, table).from_select(list(columns), rows.where(true()))
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
