"""Deciding a step: every candidate gets exactly one reason, set-based, inside the ledger.

One transaction takes the candidates in, finds a reason for each, writes the decisions and plans
the messages. So a run that is killed leaves nothing behind, and one that is repeated, or that runs
beside another, finds what is final already and adds nothing.

The reasons in the order in which they are looked for; the first that holds is the reason:

    (final before)      nothing is asked again
    paused              the kill switch is set for the flow or for everything
    quality_gate        the warehouse's last build failed its audits
    goal_reached        the goal was reached since the trigger: the journey ends
    previous_step_open  the step before is not decided yet
    (inherited)         the step before ended the journey (expired, suppressed, ...): the same reason
    not_due             the delay is not over
    quality_gate        the sources this flow relies on do not reach the moment the step is due
    expired             due for longer than the step allows
    condition_false     asked when due, not before; the next step goes on from this one's moment
    unreachable         no address, or none that can exist
    no_consent
    suppressed
    frequency_cap       enough messages within the window already; asked again until it expires
    planned             a message is written
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from kreislauf.flow.model import BUILT_IN_CONDITIONS, Step
from kreislauf.flow.moments import plus_seconds
from kreislauf.ledger.frequency import recent
from kreislauf.ledger.plan import plan
from kreislauf.ledger.schema import (
    NOT_FINAL,
    Moment,
    Reason,
    candidate,
    decision,
    event,
    message,
)
from kreislauf.ledger.store import Ledger, paused, refresh_statistics, serialise, utc_now
from kreislauf.ledger.suppressions import is_suppressed

Batches = Iterable[Sequence[Mapping[str, Any]]]
"""Candidate rows, a few thousand at a time."""

KEY = ("flow", "step", "contact_id", "occurrence_id")

_CONTINUES = (Reason.PLANNED, Reason.CONDITION_FALSE)
"""After these a journey goes on with the next step; after every other final reason it is over."""

_EVENT_OF = dict(zip(BUILT_IN_CONDITIONS, ("click", "open"), strict=True))


@dataclass(frozen=True)
class Run:
    """The run that decides, on which build, as of which moment (aware)."""

    run_id: str
    build_id: str
    as_of: datetime


@dataclass(frozen=True)
class Gate:
    """What the warehouse says of its own trustworthiness.

    :param blocked: why the last build was not published, if it was not
    :param fresh_until: the moment up to which all sources the flow relies on are known
    """

    blocked: str | None = None
    fresh_until: datetime | None = None


class BadCandidates(ValueError):
    """The trigger's rows are not what a flow can work with. Nothing was decided."""


def decide(
    ledger: Ledger,
    step: Step,
    run: Run,
    batches: Batches,
    gate: Gate,
    is_dry: bool = False,
) -> dict[str, int]:
    """Decide every candidate of the step; return how many got which reason in this run.

    `batches` are candidate rows (kreislauf.flow.candidates) a few thousand at a time. Candidates
    whose decision was final before are counted as `decided_before`. A dry run writes nothing.
    Raises BadCandidates if a candidate lacks its key or comes twice.
    """
    with ledger.write() as connection:
        serialise(connection, "decide")  # one at a time over all flows: the frequency cap counts them all
        _take_in(connection, step, run, batches)
        if step.previous:
            _anchor_at_previous(connection, step, run)
        counts = _count(connection, step, run, gate)
        if not is_dry:
            _write(connection, step, run, gate)
            _close_abandoned(connection, step, run)
            plan(connection, run.run_id, step.flow, step.name, step.template, run.as_of)
        connection.execute(delete(candidate).where(_of_run(step, run)))
    return counts


def _take_in(connection: Connection, step: Step, run: Run, batches: Batches) -> None:
    connection.execute(delete(candidate).where(_of_run(step, run)))
    for rows in batches:
        if rows:
            try:
                connection.execute(insert(candidate), [{"run_id": run.run_id, **row} for row in rows])
            except IntegrityError:
                # Its own text would hold the rows, with names and addresses.
                raise BadCandidates(
                    f"{step.flow}, step {step.name}: a row of triggers.{step.trigger} has no contact_id or "
                    "occurrence_id, or two rows have the same; each pair must be there once"
                ) from None
    refresh_statistics(connection, candidate)


def _anchor_at_previous(connection: Connection, step: Step, run: Run) -> None:
    """A later step's delay runs from the moment the step before was planned (or skipped)."""
    before = decision.alias()
    planned_at = case((before.c.reason == Reason.PLANNED, before.c.as_of), else_=before.c.due_at)
    anchor = (
        select(planned_at)
        .where(_is_previous(before, step), before.c.reason.in_(_CONTINUES))
        .scalar_subquery()
    )
    for variant, delay in step.delays.items():
        due_at = plus_seconds(anchor, delay)
        expires_at = null() if step.expires is None else plus_seconds(anchor, delay + step.expires)
        connection.execute(
            update(candidate)
            .where(_of_run(step, run), candidate.c.variant == variant, anchor.is_not(None))
            .values(due_at=due_at, expires_at=expires_at)
        )


def _count(connection: Connection, step: Step, run: Run, gate: Gate) -> dict[str, int]:
    asked = _asked(step, run, gate).subquery()
    found = connection.execute(select(asked.c.reason, func.count()).group_by(asked.c.reason)).all()
    everyone = select(func.count()).select_from(candidate).where(_of_run(step, run))
    counts = {Reason(reason).value: count for reason, count in sorted(found)}
    before = connection.execute(everyone).scalar_one() - sum(counts.values())
    return {"decided_before": before, **counts} if before else counts


def _write(connection: Connection, step: Step, run: Run, gate: Gate) -> None:
    """Insert the decisions; one that is there changes only if it is open and has another reason."""
    asked = _asked(step, run, gate).subquery()
    values = {
        "flow": asked.c.flow,
        "step": asked.c.step,
        "contact_id": asked.c.contact_id,
        "occurrence_id": asked.c.occurrence_id,
        "variant": asked.c.variant,
        "due_at": asked.c.due_at,
        "reason": asked.c.reason,
        "is_final": asked.c.reason.not_in(sorted(NOT_FINAL)),
        "flow_version": literal(step.flow_version),
        "as_of": literal(run.as_of, Moment),
        "build_id": literal(run.build_id),
        "run_id": literal(run.run_id),
        "updated_at": literal(utc_now(), Moment),
    }
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    statement = dialect.insert(decision).from_select(list(values), select(*values.values()).where(true()))
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(KEY),
            set_={name: new[name] for name in values if name not in KEY},
            where=and_(
                decision.c.is_final == false(),
                or_(
                    decision.c.reason != new.reason,
                    decision.c.due_at.is_distinct_from(new.due_at),
                    decision.c.variant != new.variant,
                ),
            ),
        )
    )


def _close_abandoned(connection: Connection, step: Step, run: Run) -> None:
    """Open decisions whose occurrence is not among the candidates any more come to an end.

    The trigger withdrew it (a cart was completed or merged) or it fell out of the horizon.
    """
    if step.expires is None:
        return
    still_asked = select(candidate.c.contact_id).where(_of_run(step, run), _is_same(candidate, decision))
    connection.execute(
        update(decision)
        .where(
            decision.c.flow == step.flow,
            decision.c.step == step.name,
            decision.c.is_final == false(),
            decision.c.due_at < run.as_of - step.expires,
            ~still_asked.exists(),
        )
        .values(
            reason=Reason.EXPIRED,
            is_final=True,
            as_of=run.as_of,
            build_id=run.build_id,
            run_id=run.run_id,
            updated_at=utc_now(),
        )
    )


def _asked(step: Step, run: Run, gate: Gate) -> Any:
    """The candidates without a final decision, each with its reason."""
    is_closed = select(decision.c.id).where(_is_same(decision, candidate), decision.c.is_final)
    before = decision.alias("before")
    source = candidate.outerjoin(before, _is_previous(before, step)) if step.previous else candidate
    reason = case(*_reasons(step, run, gate, before), else_=Reason.PLANNED.value)
    columns = (*KEY, "variant", "due_at", "occurred_at")
    judged = (
        select(*(candidate.c[name] for name in columns), reason.label("reason"))
        .select_from(source)
        .where(_of_run(step, run), ~is_closed.exists())
        .subquery("judged")
    )
    return _capped(step, run, judged)


def _reasons(step: Step, run: Run, gate: Gate, before: Any) -> list[tuple[ColumnElement[bool], Any]]:
    c = candidate.c
    as_of = literal(run.as_of, Moment)
    reasons: list[tuple[ColumnElement[bool], Any]] = [(paused(step.flow), Reason.PAUSED.value)]
    if gate.blocked:
        reasons.append((true(), Reason.QUALITY_GATE.value))
    reasons.append((c.goal_at.is_not(None), Reason.GOAL_REACHED.value))
    if step.previous:
        is_open = or_(before.c.id.is_(None), before.c.is_final == false())
        reasons.append((is_open, Reason.PREVIOUS_STEP_OPEN.value))
        reasons.append((before.c.reason.not_in(_CONTINUES), before.c.reason))
    reasons.append((c.due_at > as_of, Reason.NOT_DUE.value))
    if gate.fresh_until is not None:
        reasons.append((c.due_at > literal(gate.fresh_until, Moment), Reason.QUALITY_GATE.value))
    reasons += [
        (c.expires_at < as_of, Reason.EXPIRED.value),
        (_condition_met(step, run) == false(), Reason.CONDITION_FALSE.value),
        (c.address.is_(None), Reason.UNREACHABLE.value),
        (c.has_consent == false(), Reason.NO_CONSENT.value),
        (is_suppressed(c.address, c.contact_id), Reason.SUPPRESSED.value),
    ]
    return reasons


def _condition_met(step: Step, run: Run) -> ColumnElement[bool]:
    if step.condition not in _EVENT_OF:
        return candidate.c.is_condition_met
    reacted = (
        select(event.c.event_id)
        .join(message, message.c.message_key == event.c.message_key)
        .where(
            message.c.flow == step.flow,
            message.c.step == step.previous,
            message.c.contact_id == candidate.c.contact_id,
            message.c.occurrence_id == candidate.c.occurrence_id,
            event.c.type == _EVENT_OF[step.condition],
            event.c.is_machine_open == false(),
            event.c.occurred_at <= run.as_of,
        )
        .exists()
    )
    return reacted if step.is_wanted else ~reacted


def _capped(step: Step, run: Run, judged: Any) -> Any:
    """The judged candidates after the frequency cap: a person's youngest occurrence comes first."""
    columns = [judged.c[name] for name in (*KEY, "variant", "due_at")]
    if step.cap is None:
        return select(*columns, judged.c.reason)
    position = func.row_number().over(
        partition_by=[judged.c.contact_id, judged.c.reason],
        order_by=[judged.c.occurred_at.desc(), judged.c.occurrence_id],
    )
    written = recent(step.cap, run.as_of, with_planned=True).subquery("written")
    is_too_many = position + func.coalesce(written.c.messages, 0) > step.cap.messages
    reason = case(
        (and_(judged.c.reason == Reason.PLANNED.value, is_too_many), Reason.FREQUENCY_CAP.value),
        else_=judged.c.reason,
    )
    source = judged.outerjoin(written, written.c.contact_id == judged.c.contact_id)
    return select(*columns, reason.label("reason")).select_from(source)


def _of_run(step: Step, run: Run) -> ColumnElement[bool]:
    c = candidate.c
    return and_(c.run_id == run.run_id, c.flow == step.flow, c.step == step.name)


def _is_same(left: Any, right: Any) -> ColumnElement[bool]:
    return and_(*(left.c[name] == right.c[name] for name in KEY))


def _is_previous(before: Any, step: Step) -> ColumnElement[bool]:
    return and_(
        before.c.flow == step.flow,
        before.c.step == step.previous,
        before.c.contact_id == candidate.c.contact_id,
        before.c.occurrence_id == candidate.c.occurrence_id,
    )
