"""Which reason a candidate gets: one UPDATE over all of a run, in the order that decide.py lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)

from kreislauf.flow.conditions import Reaction
from kreislauf.flow.model import INBOXES, Previous, Step
from kreislauf.flow.moments import plus_seconds
from kreislauf.ledger.schema import Moment, Reason, candidate, decision, event, message, window
from kreislauf.ledger.store import paused
from kreislauf.ledger.suppressions import is_suppressed

if TYPE_CHECKING:
    from kreislauf.flow.decide import Gate, Run

_CONTINUES = (Reason.PLANNED, Reason.BRANCHED, Reason.CONDITION_FALSE, Reason.QUIET_HOURS)
"""After these a journey goes on with the next step."""

_CLOSED_CHANNEL = (Reason.UNREACHABLE, Reason.NO_CONSENT, Reason.SUPPRESSED)
"""After these it goes on with a step on another channel. After every other final reason it is over."""

_SIGNS = {"click": ("click",), "open": ("open", "click")}
"""Who has clicked has opened, also where the pictures that tell of it were not loaded."""


def judge(step: Step, run: Run, gate: Gate) -> Update:
    """Sets due_at, expires_at, send_at, reason (and a branch's side as variant) of the run's candidates
    that are not decided for good."""
    timed = _timed(step, run).subquery("timed")
    found = case(*_reasons(step, run, gate, timed), else_=Reason.PLANNED.value)
    values = {
        "due_at": timed.c.new_due_at,
        "expires_at": timed.c.new_expires_at,
        "send_at": timed.c.new_send_at,
        "reason": found,
    }
    if step.sides and not step.shares:
        values["variant"] = case((_is_met(step, run, timed), step.sides[0]), else_=step.sides[1])
    mine = [candidate.c[name] == timed.c[name] for name in ("contact_id", "occurrence_id")]
    return update(candidate).where(is_of_run(candidate, step, run), *mine).values(values)


def is_of_run(table: Any, step: Step, run: Run) -> ColumnElement[bool]:
    """The rows of a run's table that are about this step."""
    return and_(table.c.run_id == run.run_id, table.c.flow == step.flow, table.c.step == step.name)


def _timed(step: Step, run: Run) -> Select[Any]:
    """The candidates without a final decision, with the step before and the moments that follow from it."""
    c, before = candidate.c, decision.alias("before")
    source: Any = candidate.outerjoin(
        window,
        and_(
            is_of_run(window, step, run),
            window.c.timezone == c.timezone,
            window.c.local_hour == func.coalesce(c.local_hour, -1),
        ),
    )
    if step.previous:
        source = source.outerjoin(before, _comes_before(step, before))
        # A message's delay runs from the moment it goes out, a skipped step's from when it was due.
        anchor = case((before.c.reason == Reason.PLANNED, before.c.send_at), else_=before.c.due_at)
        follows = _continues(step, before.c.reason, before.c.channel)
        reached_at = case((follows, anchor), else_=c.occurred_at)
        is_anchored = and_(c.is_since_trigger == false(), follows)
        due_at = case((is_anchored, plus_seconds(anchor, c.delay)), else_=c.due_at)
        known = {"before_id": before.c.id, "before_reason": before.c.reason}
        known |= {"before_final": before.c.is_final, "before_variant": before.c.variant}
        known |= {"before_channel": before.c.channel}
    else:
        due_at, reached_at, known = c.due_at, c.occurred_at, {}
    if step.date is not None:  # on its own date, unless that was past when the journey came to the step
        known["is_past"] = c.due_at < reached_at
        due_at = case((c.due_at < reached_at, reached_at), else_=c.due_at)
    is_closed = select(decision.c.id).where(
        *(decision.c[name] == c[name] for name in ("flow", "step", "contact_id", "occurrence_id")),
        decision.c.is_final,
    )
    return (
        select(
            *(column for column in c if column.name not in {"merge", "run_id", "reason"}),
            *(column.label(name) for name, column in known.items()),
            due_at.label("new_due_at"),
            (cast(null(), Moment) if step.expires is None else plus_seconds(due_at, step.expires)).label(
                "new_expires_at"
            ),
            window.c.send_at.label("new_send_at"),
        )
        .select_from(source)
        .where(is_of_run(candidate, step, run), ~is_closed.exists())
    )


def _comes_before(step: Step, before: Any) -> ColumnElement[bool]:
    c = candidate.c
    same = (before.c.flow == step.flow, before.c.contact_id == c.contact_id)
    same += (before.c.occurrence_id == c.occurrence_id,)
    if len(step.previous) == 1:
        return and_(*same, _is(step.previous[0], before))
    # Where branches come together only the side taken counts.
    taken = [_is(previous, before) for previous in step.previous]
    return and_(*same, or_(*taken), before.c.reason != Reason.OTHER_BRANCH)


def _is(previous: Previous, before: Any) -> ColumnElement[bool]:
    is_step = before.c.step == previous.step
    return is_step if previous.variant is None else and_(is_step, before.c.variant == previous.variant)


def _continues(step: Step, reason: Any, channel: Any) -> ColumnElement[bool]:
    """Whether a journey goes on after a step that was decided with this reason, on this channel."""
    is_another = channel != (step.channel.value if step.channel else "")
    return or_(reason.in_(_CONTINUES), and_(reason.in_(_CLOSED_CHANNEL), is_another))


def _reasons(step: Step, run: Run, gate: Gate, timed: Any) -> list[tuple[ColumnElement[bool], Any]]:
    c, as_of = timed.c, literal(run.as_of, Moment)
    found: list[tuple[ColumnElement[bool], Any]] = [(paused(step.flow), Reason.PAUSED.value)]
    if gate.blocked:
        found.append((true(), Reason.QUALITY_GATE.value))
    if gate.stopped:
        found.append((true(), Reason.STOPPED.value))
    found.append((c.is_goal_reached, Reason.GOAL_REACHED.value))
    found += _of_the_step_before(step, timed)
    found.append((c.new_due_at > as_of, Reason.NOT_DUE.value))
    if gate.fresh_until is not None:
        found.append((c.new_due_at > literal(gate.fresh_until, Moment), Reason.QUALITY_GATE.value))
    if step.sides:
        return [*found, (true(), Reason.BRANCHED.value)]
    if step.date is not None:
        found.append((c.is_past, Reason.CONDITION_FALSE.value))
    found += [
        (c.new_expires_at < as_of, Reason.EXPIRED.value),
        (~_is_met(step, run, timed), Reason.CONDITION_FALSE.value),
        (c.address.is_(None), Reason.UNREACHABLE.value),
        (c.has_consent == false(), Reason.NO_CONSENT.value),
    ]
    if step.channel in INBOXES:
        is_stopped = is_suppressed(c.address, c.contact_id, step.channel, step.topic)
        found.append((is_stopped, Reason.SUPPRESSED.value))
    return [
        *found,
        (c.is_in_pilot == false(), Reason.NOT_IN_PILOT.value),
        (c.is_held_out, Reason.HOLDOUT.value),
        (c.new_send_at > c.new_expires_at, Reason.QUIET_HOURS.value),
    ]


def _of_the_step_before(step: Step, timed: Any) -> list[tuple[ColumnElement[bool], Any]]:
    if not step.previous:
        return []
    c = timed.c
    found: list[tuple[ColumnElement[bool], Any]] = []
    if len(step.previous) > 1:  # none of the sides was taken: the branches stand on a side themselves
        found.append((_are_all_on_another_side(step, timed), Reason.OTHER_BRANCH.value))
    found.append((or_(c.before_id.is_(None), c.before_final == false()), Reason.PREVIOUS_STEP_OPEN.value))
    if step.side is not None:
        found.append(
            (
                and_(c.before_reason == Reason.BRANCHED, c.before_variant != step.side),
                Reason.OTHER_BRANCH.value,
            )
        )
    goes_on = _continues(step, c.before_reason, c.before_channel)
    return [*found, (~goes_on, c.before_reason)]


def _are_all_on_another_side(step: Step, timed: Any) -> ColumnElement[bool]:
    skipped = select(func.count()).where(
        decision.c.flow == step.flow,
        decision.c.contact_id == timed.c.contact_id,
        decision.c.occurrence_id == timed.c.occurrence_id,
        decision.c.step.in_({previous.step for previous in step.previous}),
        decision.c.reason == Reason.OTHER_BRANCH,
    )
    return skipped.scalar_subquery() == len({previous.step for previous in step.previous})


def _is_met(step: Step, run: Run, timed: Any) -> ColumnElement[bool]:
    """Whether the condition is as the step wants it."""
    if not isinstance(step.condition, Reaction):
        return timed.c.is_condition_met == true()
    reacted = (
        select(event.c.event_id)
        .join(message, message.c.message_key == event.c.message_key)
        .where(
            message.c.flow == step.flow,
            message.c.step.in_(step.condition.steps),
            message.c.contact_id == timed.c.contact_id,
            message.c.occurrence_id == timed.c.occurrence_id,
            event.c.type.in_(_SIGNS[step.condition.event]),
            event.c.is_machine_open == false(),
            event.c.occurred_at <= run.as_of,
        )
        .exists()
    )
    return reacted if step.is_wanted else ~reacted
