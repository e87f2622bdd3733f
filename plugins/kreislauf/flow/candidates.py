"""Who a step asks about: one query over a build, streamed as rows for the ledger.

The warehouse gives the occurrences of the trigger with the person, the goal and the condition; the
variant of a split test and the merge fields are added here, row by row, so that a run's memory does
not grow with the number of people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kreislauf.flow.decide import Gate, Run
from kreislauf.flow.model import BUILT_IN_CONDITIONS, Step
from kreislauf.ledger.store import chunks

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

ROWS = 5_000
"""Candidates handed to the ledger at a time."""

_KEYS = ("contact_id", "occurrence_id", "occurred_at")

_OCCURRENCES = """
with occurrences as (
    select *
    from triggers.{trigger}
    where occurred_at > :since and occurred_at <= :as_of
)
"""

_GOAL = """,
goal as (
    select
        occurrences.contact_id,
        occurrences.occurrence_id,
        min(reached.occurred_at) as goal_at
    from occurrences
    inner join conditions.{goal} as reached
        on reached.contact_id = occurrences.contact_id
        and reached.occurred_at > occurrences.occurred_at
        and reached.occurred_at <= :as_of
    group by occurrences.contact_id, occurrences.occurrence_id
)
"""

_CONDITION = """
{is_not}exists (
    select 1
    from conditions.{condition} as fact
    where fact.contact_id = occurrences.contact_id
        and fact.occurred_at > occurrences.occurred_at
        and fact.occurred_at <= :as_of
)
"""

_SELECT = """
select
    occurrences.*,
    contacts.email as _address,
    coalesce(contacts.language, 'en') as _language,
    contacts.salutation as _salutation,
    contacts.first_name as _first_name,
    contacts.last_name as _last_name,
    case when contacts.email_consent = 'granted' then 1 else 0 end as _consent,
    {goal_at} as _goal_at,
    case when {condition} then 1 else 0 end as _condition
from occurrences
left join core.contacts on contacts.contact_id = occurrences.contact_id
{join_goal}
order by occurrences.occurrence_id, occurrences.contact_id
"""

_JOIN_GOAL = """
left join goal
    on goal.contact_id = occurrences.contact_id
    and goal.occurrence_id = occurrences.occurrence_id
"""

_ITEMS = """
select items.*
from triggers.{trigger}_items as items
where exists (select 1 from occurrences where occurrences.occurrence_id = items.occurrence_id)
order by items.occurrence_id, items.position
"""

_COUNT = """
select count(*) as n
from triggers.{trigger}
where occurred_at > :since and occurred_at <= :as_of
"""

_FRESHNESS = "select source, min(fresh_until) as fresh_until from core.source_freshness group by source"


def candidates(engine: Engine, step: Step, run: Run) -> Iterator[list[dict[str, Any]]]:
    """The step's candidates on `run.build_id` as of `run.as_of`, in lists of at most ROWS."""
    parameters = _parameters(step, run)
    items = _Items(stream(engine, _items_sql(step), parameters, run) if step.has_items else iter(()))
    rows = stream(engine, _candidates_sql(step), parameters, run)
    return chunks((candidate(step, row, items.of(row["occurrence_id"])) for row in rows), ROWS)


def occurrences(engine: Engine, step: Step, run: Run) -> int:
    """How many occurrences of the trigger lie within the horizon."""
    (row,) = engine.query(_COUNT.format(trigger=step.trigger), _parameters(step, run), build_id=run.build_id)
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


def candidate(step: Step, row: Mapping[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """A row for the ledger's table `candidate`, without its run. `row` is one of `_SELECT`."""
    contact_id, occurred_at = row["contact_id"], _aware(row["occurred_at"])
    variant = step.variant(contact_id)
    due_at = occurred_at + step.earliest + step.delays[variant]
    return {
        "flow": step.flow,
        "step": step.name,
        "contact_id": contact_id,
        "occurrence_id": row["occurrence_id"],
        "occurred_at": occurred_at,
        "due_at": due_at,
        "expires_at": None if step.expires is None else due_at + step.expires,
        "variant": variant,
        "goal_at": None if row["_goal_at"] is None else _aware(row["_goal_at"]),
        "is_condition_met": bool(row["_condition"]),
        "has_consent": bool(row["_consent"]),
        "address": row["_address"],
        "language": row["_language"],
        "item_count": len(items),
        "merge": merge_fields(step, row, items),
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


def _parameters(step: Step, run: Run) -> dict[str, datetime]:
    return {"since": run.as_of - step.horizon, "as_of": run.as_of}


def _candidates_sql(step: Step) -> str:
    return (
        _OCCURRENCES.format(trigger=step.trigger)
        + (_GOAL.format(goal=step.goal) if step.goal else "")
        + _SELECT.format(
            goal_at="goal.goal_at" if step.goal else "cast(null as timestamp)",
            condition=_condition_sql(step),
            join_goal=_JOIN_GOAL if step.goal else "",
        )
    )


def _condition_sql(step: Step) -> str:
    if step.condition is None or step.condition in BUILT_IN_CONDITIONS:
        return "1 = 1"  # the built-in ones are asked in the ledger, which knows the events
    return _CONDITION.format(condition=step.condition, is_not="" if step.is_wanted else "not ")


def _items_sql(step: Step) -> str:
    return (_OCCURRENCES + _ITEMS).format(trigger=step.trigger)


def stream(engine: Engine, sql: str, parameters: dict[str, Any], run: Run) -> Iterator[dict[str, Any]]:
    """The rows of a portable query on the run's build, never all of them in memory."""
    for batch in engine.batches(sql, parameters, build_id=run.build_id):
        yield from batch.to_pylist()


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; money stays exact."""
    if isinstance(value, datetime):
        return _aware(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
