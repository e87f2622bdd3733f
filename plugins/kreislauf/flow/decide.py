"""Deciding a step: every candidate gets exactly one reason, set-based, inside the ledger.

One transaction takes the candidates in, finds a reason for each, writes the decisions and plans
the messages. So a run that is killed leaves nothing behind, and one that is repeated, or that runs
beside another, finds what is final already and adds nothing.

The reasons in the order in which they are looked for; the first that holds is the reason. Those with
a star are not final: the candidate is asked again at the next run.

    (final before)        nothing is asked again
    paused*               the kill switch is set for the flow or for everything
    quality_gate*         the warehouse's last build failed its audits
    stopped*              too many of the flow's messages bounced, or brought complaints
    goal_reached          the goal was reached since the trigger: the journey ends
    previous_step_open*   the step before is not decided yet
    other_branch          the step stands on the side of a branch that the person did not take
    (inherited)           the step before ended the journey (expired, holdout, ...): the same reason
    not_due*              the delay is not over
    quality_gate*         the sources this flow relies on do not reach the moment the step is due
    condition_false       of a step with a date of its own: none is known, or it was past before the journey
                          came to the step; the next step goes on from the moment it did
    expired               due for longer than the step allows, or its step was taken out of the flow
    branched              of a branch: the decision's variant is the side
    condition_false       asked when due, not before; the next step goes on from this one's moment
    unreachable           no address on this channel, or none that can exist
    no_consent            to the topic, on this channel
    suppressed
    not_in_pilot          the flow acts on a share of the people only, and this is none of them
    holdout               the person is in the flow's control group, or in that of all flows
    quiet_hours           no hour that the person's night and the step's time of day allow before it expires
    frequency_cap*        enough messages on this channel already
    run_cap*              as many messages as a run, or a day, may have
    no_voucher*           no code is left
    planned               a message is written
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from kreislauf.delivery.channels import WAYS
from kreislauf.flow import reasons
from kreislauf.flow.model import INBOXES, Step
from kreislauf.flow.policy import Policy, Stop
from kreislauf.ledger.frequency import FrequencyCap, recent
from kreislauf.ledger.health import health
from kreislauf.ledger.hours import Hours
from kreislauf.ledger.people import remember, with_person
from kreislauf.ledger.plan import plan
from kreislauf.ledger.schema import NOT_FINAL, Moment, Reason, candidate, decision, message, voucher, window
from kreislauf.ledger.store import Ledger, refresh_statistics, serialise, utc_now

Batches = Iterable[Sequence[Mapping[str, Any]]]
"""Candidate rows, a few thousand at a time."""

KEY = ("flow", "step", "contact_id", "occurrence_id")


@dataclass(frozen=True)
class Run:
    """The run that decides, on which build, as of which moment (aware)."""

    run_id: str
    build_id: str
    as_of: datetime


@dataclass(frozen=True)
class Gate:
    """What the warehouse says of its own trustworthiness, and of what the flow has done.

    :param blocked: why the last build was not published, if it was not
    :param fresh_until: the moment up to which all sources the flow relies on are known
    :param stopped: why the flow may not go on by itself: too many complaints or bounces
    :param merged: today's contact id by each other one that a decision stands under; None: as it was
    """

    blocked: str | None = None
    fresh_until: datetime | None = None
    stopped: str | None = None
    merged: Mapping[str, str] | None = None


class BadCandidates(ValueError):
    """The trigger's rows are not what a flow can work with. Nothing was decided."""


def decide(
    ledger: Ledger,
    step: Step,
    run: Run,
    batches: Batches,
    gate: Gate,
    policy: Policy,
    is_dry: bool = False,
) -> dict[str, int]:
    """Decide every candidate of the step; return how many got which reason in this run.

    `batches` are candidate rows (kreislauf.flow.candidates) a few thousand at a time. Candidates
    whose decision was final before are counted as `decided_before`. A dry run does all and takes it back.
    Raises BadCandidates if a candidate lacks its key or comes twice.
    """
    with ledger.rehearse() if is_dry else ledger.write() as connection:
        return decide_within(connection, step, run, batches, gate, policy)


def decide_within(
    connection: Connection, step: Step, run: Run, batches: Batches, gate: Gate, policy: Policy
) -> dict[str, int]:
    """`decide` within the caller's transaction."""
    serialise(connection, "decide")  # one at a time over all flows: the caps count them all
    gate = replace(gate, stopped=_stopped(connection, step, run, policy.stop))
    if gate.merged is not None:
        remember(connection, gate.merged)
    _take_in(connection, step, run, batches)
    _open_windows(connection, step, run, policy)
    connection.execute(reasons.judge(step, run, gate))
    _cap_frequency(connection, step, run, policy)
    _cap_run(connection, step, run, policy)
    _cap_vouchers(connection, step, run)
    counts = _count(connection, step, run)
    _write(connection, step, run, gate, policy)
    _close_abandoned(connection, step, run)
    _close_removed(connection, step, run)
    if step.channel is not None:
        most = WAYS[step.channel].batch_size
        plan(connection, step, run, _caps(step, policy), _hours(step, policy), most)
    _forget(connection, step, run)
    return counts


def _stopped(connection: Connection, step: Step, run: Run, stop: Stop | None) -> str | None:
    """Why the flow may not go on by itself, if so: in numbers, for the log."""
    if stop is None:
        return None
    found = health(connection, step.flow, run.as_of, stop.within)
    if found.messages < stop.at_least:
        return None
    for count, limit, what in (
        (found.complaints, stop.complaint_rate, "complaints"),
        (found.bounces, stop.bounce_rate, "bounces"),
    ):
        if found.rate(count) > limit:
            return f"{count} {what} of {found.messages} messages, more than {float(limit):.1%}"
    return None


def _take_in(connection: Connection, step: Step, run: Run, batches: Batches) -> None:
    _forget(connection, step, run)
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
    if step.is_sequel:
        was_decided = select(decision.c.id).where(
            decision.c.step.in_([previous.step for previous in step.previous]),
            decision.c.is_final,
            *(decision.c[name] == candidate.c[name] for name in ("flow", "contact_id", "occurrence_id")),
        )
        mine = reasons.is_of_run(candidate, step, run)
        connection.execute(delete(candidate).where(mine, ~was_decided.exists()))


def _forget(connection: Connection, step: Step, run: Run) -> None:
    for table in (candidate, window):
        connection.execute(delete(table).where(reasons.is_of_run(table, step, run)))


def _open_windows(connection: Connection, step: Step, run: Run, policy: Policy) -> None:
    """For each time zone (and hour of reading) among the candidates: when a message may go out."""
    hour = func.coalesce(candidate.c.local_hour, -1)
    asked = select(candidate.c.timezone, hour).where(reasons.is_of_run(candidate, step, run)).distinct()
    hours = _hours(step, policy)
    rows = [
        {
            "run_id": run.run_id,
            "flow": step.flow,
            "step": step.name,
            "timezone": timezone,
            "local_hour": local_hour,
            "send_at": hours.first_open(run.as_of, timezone, None if local_hour < 0 else local_hour),
        }
        for timezone, local_hour in connection.execute(asked)
    ]
    if rows:
        connection.execute(insert(window), rows)


def _hours(step: Step, policy: Policy) -> Hours:
    quiet = policy.channel(step.channel).quiet_hours if step.channel in INBOXES else None
    return Hours(step.local, quiet)


def _caps(step: Step, policy: Policy) -> Sequence[FrequencyCap]:
    """The channel's caps and the flow's own; none for messages about a contract."""
    if step.channel not in INBOXES or step.priority == 0:
        return ()
    caps = policy.channel(step.channel).caps
    return (*caps, step.cap) if step.cap else caps


def _cap_frequency(connection: Connection, step: Step, run: Run, policy: Policy) -> None:
    """A person's youngest occurrence comes first; the others wait."""
    joined, person = with_person(candidate)
    for cap in _caps(step, policy):
        written = recent(cap, run.as_of, step.channel, step.priority).subquery("written")
        position = func.row_number().over(
            partition_by=person,
            order_by=[candidate.c.occurred_at.desc(), candidate.c.occurrence_id],
        )
        ranked = (
            select(
                candidate.c.contact_id,
                candidate.c.occurrence_id,
                (position + func.coalesce(written.c.messages, 0)).label("messages"),
            )
            .select_from(joined.outerjoin(written, written.c.person == person))
            .where(_is_planned(step, run))
            .subquery("ranked")
        )
        _hold(connection, step, run, ranked, ranked.c.messages > cap.messages, Reason.FREQUENCY_CAP)


def _cap_run(connection: Connection, step: Step, run: Run, policy: Policy) -> None:
    """The hard caps of a run and of a day, over all flows: who has been due for longest comes first."""
    if step.channel not in INBOXES:
        return
    left = []
    if policy.most_in_a_run is not None:
        of_run = select(func.count()).where(decision.c.run_id == run.run_id, _was_planned())
        left.append(policy.most_in_a_run - connection.execute(of_run).scalar_one())
    if policy.most_in_a_day is not None:
        since = run.as_of - timedelta(days=1)
        of_day = select(func.count()).where(
            message.c.channel.in_(sorted(INBOXES)),
            message.c.planned_as_of > since,
            message.c.planned_as_of <= run.as_of,
        )
        left.append(policy.most_in_a_day - connection.execute(of_day).scalar_one())
    if left:
        _keep_first(connection, step, run, min(left), Reason.RUN_CAP)


def _was_planned() -> ColumnElement[bool]:
    return and_(decision.c.reason == Reason.PLANNED.value, decision.c.channel.in_(sorted(INBOXES)))


def _cap_vouchers(connection: Connection, step: Step, run: Run) -> None:
    if step.voucher is None:
        return
    free = select(func.count()).where(voucher.c.pool == step.voucher, voucher.c.message_key.is_(None))
    _keep_first(connection, step, run, connection.execute(free).scalar_one(), Reason.NO_VOUCHER)


def _keep_first(connection: Connection, step: Step, run: Run, most: int, otherwise: Reason) -> None:
    order = [candidate.c.due_at, candidate.c.contact_id, candidate.c.occurrence_id]
    ranked = (
        select(
            candidate.c.contact_id,
            candidate.c.occurrence_id,
            func.row_number().over(order_by=order).label("place"),
        )
        .where(_is_planned(step, run))
        .subquery("ranked")
    )
    _hold(connection, step, run, ranked, ranked.c.place > most, otherwise)


def _hold(
    connection: Connection, step: Step, run: Run, ranked: Any, which: ColumnElement[bool], reason: Reason
) -> None:
    """Give those of the planned candidates for whom `which` holds another reason."""
    connection.execute(
        update(candidate)
        .where(
            _is_planned(step, run),
            candidate.c.contact_id == ranked.c.contact_id,
            candidate.c.occurrence_id == ranked.c.occurrence_id,
            which,
        )
        .values(reason=reason.value)
    )


def _is_planned(step: Step, run: Run) -> ColumnElement[bool]:
    return and_(reasons.is_of_run(candidate, step, run), candidate.c.reason == Reason.PLANNED.value)


def _count(connection: Connection, step: Step, run: Run) -> dict[str, int]:
    name = func.coalesce(candidate.c.reason, "decided_before")
    counted = select(name, func.count()).where(reasons.is_of_run(candidate, step, run)).group_by(name)
    return dict(sorted(connection.execute(counted).tuples()))


def _write(connection: Connection, step: Step, run: Run, gate: Gate, policy: Policy) -> None:
    """Insert the decisions; one that is there changes only if it is open and has another reason."""
    c = candidate.c
    values = {
        **{name: c[name] for name in (*KEY, "variant", "occurred_at", "due_at", "reason")},
        "send_at": case((c.reason == Reason.PLANNED.value, c.send_at)),
        "channel": literal(step.channel.value if step.channel else ""),
        "is_final": c.reason.not_in(sorted(NOT_FINAL)),
        "flow_version": literal(step.flow_version),
        "as_of": literal(run.as_of, Moment),
        "inputs_until": literal(gate.fresh_until, Moment),
        "policy_version": literal(policy.version),
        "build_id": literal(run.build_id),
        "run_id": literal(run.run_id),
        "updated_at": literal(utc_now(), Moment),
    }
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    rows = select(*values.values()).where(reasons.is_of_run(candidate, step, run), c.reason.is_not(None))
    statement = dialect.insert(decision).from_select(list(values), rows)
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
    still_asked = select(candidate.c.contact_id).where(
        reasons.is_of_run(candidate, step, run), *(candidate.c[name] == decision.c[name] for name in KEY)
    )
    is_past = decision.c.due_at < run.as_of - (step.expires or step.horizon)
    mine = (decision.c.flow == step.flow, decision.c.step == step.name)
    _close(connection, step, run, *mine, is_past, ~still_asked.exists())


def _close_removed(connection: Connection, step: Step, run: Run) -> None:
    """Open decisions of steps that the flow does not have any more come to an end, with its first step.

    A step under another name is a new step. What was decided as of a later moment is left alone: there
    the flow may have had the step.
    """
    if step.previous or not step.flow_steps:
        return
    is_removed = decision.c.step.not_in(step.flow_steps)
    _close(connection, step, run, decision.c.flow == step.flow, is_removed, decision.c.as_of <= run.as_of)


def _close(connection: Connection, step: Step, run: Run, *which: ColumnElement[bool]) -> None:
    connection.execute(
        update(decision)
        .where(*which, decision.c.is_final == false())
        .values(
            reason=Reason.EXPIRED,
            is_final=True,
            flow_version=step.flow_version,
            as_of=run.as_of,
            build_id=run.build_id,
            run_id=run.run_id,
            updated_at=utc_now(),
        )
    )
