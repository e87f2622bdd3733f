"""A step's portable queries: its candidates, with all that the warehouse knows of them, and their items."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from kreislauf.flow.conditions import Comparison, Condition, Fact, Known, Member, Reaction, Stage
from kreislauf.flow.model import Step
from kreislauf.ledger.schema import NOT_FINAL, SERVICE

_RECORDS = """records as (
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
)"""

_MERGED = """
with {records},

written_to as (
    select distinct contact_id
    from staging.ledger_decisions
    where reason = 'planned'
)

select
    records.record_id,
    records.contact_id
from records
inner join written_to on records.record_id = written_to.contact_id
where records.record_id <> records.contact_id
"""

_ASKED = """
with occurrences as (
    select *
    from {occurrences}
),

{records},

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

asked as (
    select
        occurrences.*,
        coalesce(decided.ledger_id, occurrences.contact_id) as _contact_id
    from occurrences
    left join decided
        on occurrences.contact_id = decided.contact_id
        and occurrences.occurrence_id = decided.occurrence_id
    where coalesce(decided.is_final, 0) = 0
)
"""

_CANDIDATES = """,

drawn as (
    select
        asked.*,
        {variant} as _variant
    from asked
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
order by drawn.occurrence_id, drawn.contact_id
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
inner join asked on items.contact_id = asked.contact_id and items.occurrence_id = asked.occurrence_id
order by items.occurrence_id, items.contact_id, items.position
"""


def merged_query() -> str:
    """Today's contact_id by each other id under which a person was written to."""
    return _MERGED.format(records=_RECORDS)


def of_trigger(step: Step) -> str:
    """The occurrences that a step asks about, as `occurrences` for `query`; `within` gives the parameters."""
    since = " or ".join(f"{moment} > :since" for moment in ("occurred_at", *step.dates))
    return f"triggers.{step.trigger} where ({since}) and occurred_at <= :as_of"


def within(step: Step, as_of: datetime) -> dict[str, Any]:
    """The stretch of time that a step asks about."""
    return {"since": as_of - step.horizon, "as_of": as_of}


def query(step: Step, occurrences: str, global_holdout: Fraction) -> str:
    """A step's candidates by occurrence and contact. `occurrences`: what follows FROM, with contact_id,
    occurrence_id, occurred_at and merge fields; `bound` gives the parameters besides its own."""
    condition = "1" if step.condition is None else _truth(step.condition, "condition", step.is_wanted)
    held_out = [_is_within("holdout", global_holdout), _is_within(f"holdout:{step.flow}", step.holdout)]
    if step.topic == SERVICE:  # what somebody has a right to is nobody's experiment
        held_out = ["1 = 0"]
    local = step.local
    asks_hour = local is not None and local.at is None
    return _asked(occurrences) + _CANDIDATES.format(
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


def items_query(step: Step) -> str:
    """The items of the candidates, in the same order."""
    return _asked(of_trigger(step)) + _ITEMS.format(trigger=step.trigger)


def bound(step: Step) -> dict[str, Any]:
    """The parameters of `query` that come from the step."""
    values = {"flow": step.flow, "step": step.name, "channel": step.channel or "", "topic": step.topic}
    if isinstance(step.condition, Comparison) and not step.condition.is_number:
        values["condition"] = step.condition.value
    return values


def _asked(occurrences: str) -> str:
    """What is not decided for good, as `asked`."""
    return _ASKED.format(
        records=_RECORDS,
        occurrences=occurrences,
        open=", ".join(f"'{reason}'" for reason in sorted(NOT_FINAL)),
    )


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
        is_drawn = _is_within(f"{step.flow}:{step.name}", reached, "asked._contact_id")
        whens.append(f"when {is_drawn} then '{name}'")
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
