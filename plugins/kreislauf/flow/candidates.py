"""Who a step asks about: one query over a build, streamed as rows for the ledger.

The warehouse gives each occurrence of the trigger with all that is known of the person: the variant of a
test, the delay, whether conditions and goal hold, consent and address on the step's channel. What was
decided for good before the build is left out. Only the merge fields are put together here, and only of
those who may be written to now, so that memory does not grow with the number of people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kreislauf.flow.conditions import Comparison, Condition, Fact, Known, Member, Reaction, Stage
from kreislauf.flow.decide import Gate, Run
from kreislauf.flow.model import Step
from kreislauf.ledger.consents import SERVICE
from kreislauf.ledger.schema import NOT_FINAL
from kreislauf.ledger.store import chunks

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

ROWS = 5_000
"""Candidates handed to the ledger at a time."""

_KEYS = ("contact_id", "occurrence_id", "occurred_at")

_OCCURRENCES = "triggers.{trigger} where occurred_at > :since and occurred_at <= :as_of"

_QUERY = """
with occurrences as (
    select *
    from {occurrences}
),

records as (
    -- Every id by which the ledger may know a person: each record's own, and the visitor's from before
    -- anybody knew who it was.
    select
        contact_id,
        record_id
    from core.contact_keys
    union all
    select
        contact_id,
        visitor_id as record_id
    from core.visitor_keys
),

decided as (
    -- The ledger keeps the contact_id of its day. Whose record has joined an older one since goes on
    -- under the id by which this occurrence is known there.
    select
        records.contact_id,
        decisions.occurrence_id,
        min(decisions.contact_id) as ledger_id,
        max(case when decisions.step = :step and decisions.reason not in ({open}) then 1 else 0 end)
            as is_final
    from staging.ledger_decisions as decisions
    inner join records on decisions.contact_id = records.record_id
    where decisions.flow = :flow
    group by records.contact_id, decisions.occurrence_id
),

drawn as (
    select
        occurrences.*,
        coalesce(decided.ledger_id, occurrences.contact_id) as _contact_id,
        {variant} as _variant
    from occurrences
    left join decided
        on occurrences.contact_id = decided.contact_id
        and occurrences.occurrence_id = decided.occurrence_id
    where coalesce(decided.is_final, 0) = 0
)

select
    drawn.*,
    reach.address as _address,
    {language} as _language,
    coalesce(contacts.timezone, 'UTC') as _timezone,
    {local_hour} as _local_hour,
    contacts.salutation as _salutation,
    contacts.first_name as _first_name,
    contacts.last_name as _last_name,
    {delay} as _delay,
    {is_since_trigger} as _is_since_trigger,
    {goal} as _is_goal_reached,
    {condition} as _is_condition_met,
    {consent} as _has_consent,
    {holdout} as _is_held_out,
    {pilot} as _is_in_pilot
from drawn
left join core.contacts as contacts on drawn.contact_id = contacts.contact_id
left join core.reach as reach on drawn.contact_id = reach.contact_id and reach.channel = :channel
{join_hour}
order by drawn.occurrence_id, drawn._contact_id
"""

_JOIN_HOUR = "left join scores.send_time as send_time on drawn.contact_id = send_time.contact_id"

_FACT = """exists (
        select 1
        from conditions.{name} as fact
        where fact.contact_id = drawn.contact_id{occurrence}
            and fact.occurred_at > drawn.occurred_at
            and fact.occurred_at <= :as_of
    )"""

_OF_OCCURRENCE = " and fact.occurrence_id = drawn.occurrence_id"

_MEMBER = "exists (select 1 from segments.{name} as members where members.contact_id = drawn.contact_id)"

_STAGE = """exists (
        select 1 from lifecycle.stage as stages
        where stages.contact_id = drawn.contact_id and stages.stage = '{name}'
    )"""

_CONSENT = """exists (
        select 1 from core.permissions as permissions
        where permissions.contact_id = drawn.contact_id
            and permissions.channel = :channel
            and permissions.topic = :topic
    )"""

_WINNER = """(
            select max(experiments.winner)
            from reports.experiments as experiments
            where experiments.flow = :flow
                and experiments.step = :step
                and experiments.metric = '{metric}'
                and experiments.winner in ({names})
        )"""

_ITEMS = """
select items.*
from triggers.{trigger}_items as items
where exists (
    select 1
    from triggers.{trigger} as occurrences
    where occurrences.occurrence_id = items.occurrence_id
        and occurrences.occurred_at > :since and occurrences.occurred_at <= :as_of
)
order by items.occurrence_id, items.position
"""

_COUNT = """
select count(*) as n
from triggers.{trigger}
where occurred_at > :since and occurred_at <= :as_of
"""

_FRESHNESS = "select source, min(fresh_until) as fresh_until from core.source_freshness group by source"


def candidates(
    engine: Engine, step: Step, run: Run, global_holdout: Fraction
) -> Iterator[list[dict[str, Any]]]:
    """The step's candidates on `run.build_id` as of `run.as_of`, in lists of at most ROWS."""
    parameters = {"since": run.as_of - step.horizon, "as_of": run.as_of}
    occurrences = _OCCURRENCES.format(trigger=step.trigger)
    items = _Items(
        stream(engine, _ITEMS.format(trigger=step.trigger), parameters, run) if step.has_items else iter(())
    )
    rows = stream(engine, query(step, occurrences, global_holdout), parameters | bound(step), run)
    return chunks((candidate(step, run, row, items) for row in rows), ROWS)


def query(step: Step, occurrences: str, global_holdout: Fraction) -> str:
    """The portable query of a step's candidates. `occurrences`: what follows FROM, with contact_id,
    occurrence_id, occurred_at and merge fields; `bound` gives the parameters besides its own."""
    condition = "1" if step.condition is None else _truth(step.condition, "condition", step.is_wanted)
    held_out = [_is_within("holdout", global_holdout), _is_within(f"holdout:{step.flow}", step.holdout)]
    if step.topic == SERVICE:  # what somebody has a right to is nobody's experiment
        held_out = ["1 = 0"]
    local = step.local
    asks_hour = local is not None and local.at is None
    return _QUERY.format(
        occurrences=occurrences,
        open=", ".join(f"'{reason}'" for reason in sorted(NOT_FINAL)),
        variant=_variant(step),
        language=f"coalesce(contacts.language, {'drawn.language, ' if step.has_language else ''}'en')",
        local_hour="send_time.local_hour" if asks_hour else "cast(null as bigint)",
        join_hour=_JOIN_HOUR if asks_hour else "",
        delay=_delay(step),
        is_since_trigger=_by_variant(step, lambda delay: int(delay.is_since_trigger)),
        goal="0" if step.goal is None else _truth(step.goal, "goal"),
        condition=condition,
        consent=_as_number(_CONSENT) if step.needs_consent else "1",
        holdout=_as_number(" or ".join(held_out)),
        pilot=_as_number(_is_within(f"pilot:{step.flow}", step.pilot)),
    )


def bound(step: Step) -> dict[str, Any]:
    """The parameters of `query` that come from the step."""
    values = {"flow": step.flow, "step": step.name, "channel": step.channel or "", "topic": step.topic}
    if isinstance(step.condition, Comparison) and not step.condition.is_number:
        values["condition"] = step.condition.value
    return values


def _truth(condition: Condition, name: str, is_wanted: bool = True) -> str:
    """1 where the condition is as wanted, else 0. What the ledger has to answer counts as 1 here."""
    match condition:
        case Reaction():
            return "1"
        case Fact(fact, is_of_occurrence):
            text = _FACT.format(name=fact, occurrence=_OF_OCCURRENCE if is_of_occurrence else "")
        case Member(segment):
            text = _MEMBER.format(name=segment)
        case Stage(stage):
            text = _STAGE.format(name=stage)
        case Known(column, is_known):
            text = f"drawn.{column} is {'not ' if is_known else ''}null"
        case Comparison(column, operator, value):
            operand = value if condition.is_number else f":{name}"
            text = f"drawn.{column} {operator.replace('!=', '<>')} {operand}"
    # A comparison with NULL is not true; so it is not wanted, or as `unless` it is.
    return _as_number(text) if is_wanted else f"1 - {_as_number(text)}"


def _as_number(truth: str) -> str:
    return f"case when {truth} then 1 else 0 end"


def _variant(step: Step) -> str:
    """The variant by where the digest of flow, step and contact falls: stable, and by the shares.

    Once a test that is to have a winner has one, everybody who is not decided yet gets it.
    """
    *before, last = step.shares or {"": Fraction(1)}
    whens, reached = [], Fraction(0)
    for name in before:
        reached += step.shares[name]
        known_as = "coalesce(decided.ledger_id, occurrences.contact_id)"
        whens.append(f"when {_is_within(f'{step.flow}:{step.name}', reached, known_as)} then '{name}'")
    if not whens:
        return f"'{last}'"
    drawn = f"case {' '.join(whens)} else '{last}' end"
    if step.winner is None:
        return drawn
    names = ", ".join(f"'{name}'" for name in step.shares)
    return f"coalesce({_WINNER.format(metric=step.winner, names=names)}, {drawn})"


def _is_within(salt: str, share: Fraction, contact_id: str = "drawn.contact_id") -> str:
    """Whether the contact is within a share of all; a larger share holds everybody of a smaller one."""
    if share in (0, 1):
        return "1 = 1" if share else "1 = 0"
    return f"left(md5('{salt}:' || {contact_id}), 16) < '{_limit(share)}'"


def _limit(share: Fraction) -> str:
    """The 16 hexadecimal digits below which that share of all digests lies."""
    return f"{int(share * 16**16):016x}"


def _delay(step: Step) -> str:
    whens = []
    for each in step.ranges:
        limits = [f"drawn.{step.delay_by} >= {each.low}"] if each.low else []
        limits += [f"drawn.{step.delay_by} < {each.high}"] if each.high else []
        whens.append(f"when {' and '.join(limits)} then {_seconds(each.delay.span)}")
    otherwise = _by_variant(step, lambda delay: _seconds(delay.span))
    return f"case {' '.join(whens)} else {otherwise} end" if whens else otherwise


def _by_variant(step: Step, value: Any) -> str:
    if len(step.delays) == 1:
        return str(value(next(iter(step.delays.values()))))
    whens = " ".join(f"when '{name}' then {value(delay)}" for name, delay in step.delays.items())
    return f"case drawn._variant {whens} end"


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())


def occurrences(engine: Engine, step: Step, run: Run) -> int:
    """How many occurrences of the trigger lie within the horizon."""
    parameters = {"since": run.as_of - step.horizon, "as_of": run.as_of}
    (row,) = engine.query(_COUNT.format(trigger=step.trigger), parameters, build_id=run.build_id)
    return row["n"]


def gate(engine: Engine, step: Step, run: Run) -> Gate:
    """Whether the warehouse can be trusted for this step: audits and the age of its sources."""
    if not step.relies_on:
        return Gate(engine.blocked())
    rows = engine.query(_FRESHNESS, build_id=run.build_id)
    known = {row["source"]: row["fresh_until"] for row in rows}
    reach = [known.get(source) for source in step.relies_on]
    if None in reach:  # nothing of a source was ever read
        return Gate(engine.blocked(), datetime.min.replace(tzinfo=UTC))
    return Gate(engine.blocked(), min(_aware(moment) for moment in reach))


def candidate(step: Step, run: Run, row: Mapping[str, Any], items: _Items) -> dict[str, Any]:
    """A row for the ledger's table `candidate`, without its run. `row` is one of `query`."""
    occurred_at = _aware(row["occurred_at"])
    # Until the step before is decided, no step is due sooner than all delays before it allow.
    due_at = occurred_at + (timedelta() if row["_is_since_trigger"] else step.earliest)
    due_at += timedelta(seconds=row["_delay"])
    found = items.of(row["occurrence_id"])
    may_be_planned = (
        step.channel is not None
        and due_at <= run.as_of
        and row["_address"] is not None
        and not row["_is_goal_reached"]
        and row["_has_consent"]
    )
    return {
        "flow": step.flow,
        "step": step.name,
        "contact_id": row["_contact_id"],
        "occurrence_id": row["occurrence_id"],
        "occurred_at": occurred_at,
        "due_at": due_at,
        "delay": row["_delay"],
        "is_since_trigger": bool(row["_is_since_trigger"]),
        "variant": row["_variant"],
        "is_goal_reached": bool(row["_is_goal_reached"]),
        "is_condition_met": bool(row["_is_condition_met"]),
        "has_consent": bool(row["_has_consent"]),
        "is_held_out": bool(row["_is_held_out"]),
        "is_in_pilot": bool(row["_is_in_pilot"]),
        "address": row["_address"],
        "language": row["_language"],
        "timezone": row["_timezone"],
        "local_hour": row["_local_hour"],
        "item_count": len(found),
        "merge": merge_fields(step, row, found) if may_be_planned else None,
    }


def merge_fields(step: Step, row: Mapping[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """What a template may use: the person's name, the trigger's columns, its items, the step's fields."""
    fields = {name: _plain(row[f"_{name}"]) for name in ("salutation", "first_name", "last_name")}
    fields |= {
        name: _plain(value) for name, value in row.items() if name not in _KEYS and not name.startswith("_")
    }
    if items:
        hidden = ("occurrence_id", "position")
        fields["items"] = [
            {name: _plain(value) for name, value in item.items() if name not in hidden} for item in items
        ]
    return fields | dict(step.fields)


class _Items:
    """The items of occurrences, read along with them.

    Both come in the order of occurrence_id, and each item's occurrence is among the rows.
    """

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._groups = groupby(rows, key=lambda row: row["occurrence_id"])
        self._is_used = True
        self._occurrence_id, self._items = None, []

    def of(self, occurrence_id: str) -> list[dict[str, Any]]:
        if self._is_used and self._occurrence_id != occurrence_id:
            self._occurrence_id, items = next(self._groups, (None, ()))
            self._items = list(items)
            self._is_used = False
        if self._occurrence_id != occurrence_id:
            return []
        self._is_used = True
        return self._items


def stream(engine: Engine, sql: str, parameters: dict[str, Any], run: Run) -> Iterator[dict[str, Any]]:
    """The rows of a portable query on the run's build, never all of them in memory."""
    for batch in engine.batches(sql, parameters, build_id=run.build_id):
        for start in range(0, batch.num_rows, ROWS):  # as dicts rows take far more memory
            yield from batch.slice(start, ROWS).to_pylist()


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; money stays exact."""
    if isinstance(value, datetime):
        return _aware(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


NO_ITEMS = _Items(iter(()))
"""For what has none, such as an issue of a newsletter."""
