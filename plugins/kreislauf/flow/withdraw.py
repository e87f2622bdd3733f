"""Taking back what is planned and has not gone out, once a newer build says that it should not any more.

The claim asks the ledger for what people told us. What they told the shop or the CRM about consent, and that
a journey has reached its goal, is known with the next build; and a message may wait for the morning, for
approval or for the end of a pause meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, select, update

from kreislauf.flow.conditions import Condition, Fact, Member, Stage
from kreislauf.flow.files import find
from kreislauf.flow.model import INBOXES
from kreislauf.ledger.schema import SERVICE, BatchState, Outcome, Reason, batch, decision, message
from kreislauf.ledger.store import Ledger, chunks, paused, utc_now

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import BuildInfo, Engine

_AT_A_TIME = 500

_PERMISSIONS = """
select contact_keys.record_id as contact_id, permissions.channel, permissions.topic
from core.contact_keys as contact_keys
inner join core.permissions as permissions on contact_keys.contact_id = permissions.contact_id
where contact_keys.record_id in ({contacts})
"""

_REACHED = """
with records as (
    -- Who a record or a visitor turned out to be; an unknown visitor goes by its own id.
    select contact_id, record_id from core.contact_keys where record_id in ({contacts})
    union
    select contact_id, visitor_id as record_id from core.visitor_keys where visitor_id in ({contacts})
    union
    select contact_id, contact_id as record_id from {table} where contact_id in ({contacts})
)

select records.record_id as contact_id, {occurrence} as occurrence_id, {moment} as reached_at
from {table} as goal
inner join records on goal.contact_id = records.contact_id
where {which}
group by 1, 2
"""


def goal_of(flow: str) -> Condition | None:
    """The goal of a flow as its file declares it now; None where there is no such file, as of a campaign.

    Raises FlowError if the flow cannot be run as written.
    """
    try:
        return find(flow).steps[0].goal
    except LookupError:
        return None


def withdraw(
    ledger: Ledger,
    engine: Engine,
    build: BuildInfo,
    as_of: datetime,
    flow: str | None = None,
    goal_of: Callable[[str], Condition | None] = goal_of,
) -> int:
    """Skip messages due by `as_of` that were planned before this build, if the journey has reached its goal
    or the build does not know consent any more; of all flows that are not paused, or of one.

    Recorded as `goal_reached` and `no_consent`; their number is returned. Messages about a contract ask no
    consent. Where nothing of the kind waits this is one query of the ledger.
    """
    is_unsent = select(batch.c.id).where(
        batch.c.state == BatchState.PLANNED.value,
        *([batch.c.flow == flow] if flow else []),
        batch.c.send_at <= as_of,
        batch.c.planned_as_of < build.as_of,
        ~paused(batch.c.flow),
    )
    withdrawn = 0
    for name, rows in groupby(_waiting(ledger, is_unsent), key=lambda row: row.flow):
        goal = goal_of(name)
        for some in chunks(rows, _AT_A_TIME):
            reasons = _lacking_consent(engine, build, some)
            if goal is not None:
                reasons |= _at_their_goal(engine, build, goal, some)
            withdrawn += _skip(ledger, reasons, is_unsent)
    return withdrawn


def _waiting(ledger: Ledger, is_unsent: Any) -> Iterator[Any]:
    """The messages left in these batches, a flow after the other, a batch at a time in memory."""
    with ledger.read() as connection:
        batches = select(batch.c.id).where(batch.c.id.in_(is_unsent)).order_by(batch.c.flow, batch.c.id)
        ids = connection.scalars(batches).all()
    same = ("flow", "step", "contact_id", "occurrence_id")
    columns = ("message_key", "flow", "contact_id", "occurrence_id", "channel", "topic")
    waiting = (
        select(*(message.c[name] for name in columns), decision.c.occurred_at)
        .select_from(message.outerjoin(decision, and_(*(decision.c[k] == message.c[k] for k in same))))
        .where(message.c.batch_id == bindparam("batch"), message.c.outcome.is_(None))
        .order_by(message.c.message_key)
    )
    for batch_id in ids:
        yield from _read(ledger, waiting, batch_id)


def _read(ledger: Ledger, statement: Any, batch_id: str) -> Sequence[Any]:
    with ledger.read() as connection:
        return connection.execute(statement, {"batch": batch_id}).all()


def _lacking_consent(engine: Engine, build: BuildInfo, rows: Sequence[Any]) -> dict[str, Reason]:
    asked = [row for row in rows if row.topic != SERVICE and row.channel in INBOXES]
    if not asked:
        return {}
    names, contacts = _contacts(asked)
    found = engine.query(_PERMISSIONS.format(contacts=names), contacts, build_id=build.build_id)
    permitted = {(row["contact_id"], row["channel"], row["topic"]) for row in found}
    lacking = [row for row in asked if (row.contact_id, row.channel, row.topic) not in permitted]
    return {row.message_key: Reason.NO_CONSENT for row in lacking}


def _at_their_goal(
    engine: Engine, build: BuildInfo, goal: Condition, rows: Sequence[Any]
) -> dict[str, Reason]:
    table, which = _goal_table(goal)
    is_fact = isinstance(goal, Fact)
    is_of_occurrence = isinstance(goal, Fact) and goal.is_of_occurrence
    names, parameters = _contacts(rows)
    if is_fact:
        parameters["as_of"] = build.as_of
    sql = _REACHED.format(
        contacts=names,
        table=table,
        which=which,
        occurrence="goal.occurrence_id" if is_of_occurrence else "cast(null as varchar)",
        moment="max(goal.occurred_at)" if is_fact else "cast(null as timestamp)",
    )
    reached = {
        (row["contact_id"], row["occurrence_id"]): row["reached_at"]
        for row in engine.query(sql, parameters, build_id=build.build_id)
    }
    found = {}
    for row in rows:
        key = (row.contact_id, row.occurrence_id if is_of_occurrence else None)
        if key in reached and (not is_fact or _is_since(row.occurred_at, reached[key])):
            found[row.message_key] = Reason.GOAL_REACHED
    return found


def _goal_table(goal: Condition) -> tuple[str, str]:
    """The goal's table, and which of its rows count."""
    match goal:
        case Fact(name):
            return f"conditions.{name}", "goal.occurred_at <= :as_of"
        case Member(segment):
            return f"segments.{segment}", "1 = 1"
        case Stage(stage):
            return "lifecycle.stage", f"goal.stage = '{stage}'"
    raise TypeError(f"{goal!r} is not a goal")


def _is_since(occurred_at: datetime | None, reached_at: datetime) -> bool:
    """Whether the goal was reached since the trigger; when that was is not known of old decisions."""
    return occurred_at is not None and reached_at.replace(tzinfo=UTC) > occurred_at


def _contacts(rows: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """The rows' contacts as parameters of a statement: their names in it, and their values."""
    values = {f"contact_{n}": name for n, name in enumerate(sorted({row.contact_id for row in rows}))}
    return ", ".join(f":{name}" for name in values), values


def _skip(ledger: Ledger, reasons: dict[str, Reason], is_unsent: Any) -> int:
    skipped = 0
    for reason in sorted(set(reasons.values())):
        keys = [key for key, why in reasons.items() if why is reason]
        # A batch that was claimed meanwhile keeps its messages.
        still = (
            message.c.message_key.in_(keys),
            message.c.outcome.is_(None),
            message.c.batch_id.in_(is_unsent),
        )
        values = {"outcome": Outcome.SKIPPED.value, "outcome_reason": reason.value, "updated_at": utc_now()}
        with ledger.write() as connection:
            skipped += connection.execute(update(message).where(*still).values(values)).rowcount
    return skipped
