"""Who a step asks about: one query over a build, streamed as rows for the ledger.

The warehouse gives each occurrence of the trigger with all that is known of the person: the variant of a
test, the delay, whether conditions and goal hold, consent and address on the step's channel. What was
decided for good before the build is left out. Only the merge fields are put together here, and only of
those who may be written to now, so that memory does not grow with the number of people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kreislauf.flow.decide import Gate, Run
from kreislauf.flow.model import Step
from kreislauf.flow.query import bound, items_query, merged_query, of_trigger, query, within
from kreislauf.ledger.store import chunks

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

ROWS = 5_000
"""Candidates handed to the ledger at a time."""

_KEYS = ("contact_id", "occurrence_id", "occurred_at")
_ITEM_KEYS = ("contact_id", "occurrence_id", "position")

_COUNT = "select count(*) as n from {occurrences}"

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Stands for a moment that is not there."""

_FRESHNESS = "select source, min(fresh_until) as fresh_until from core.source_freshness group by source"


def candidates(
    engine: Engine, step: Step, run: Run, global_holdout: Fraction
) -> Iterator[list[dict[str, Any]]]:
    """The step's candidates on `run.build_id` as of `run.as_of`, in lists of at most ROWS."""
    parameters = within(step, run.as_of) | bound(step)
    items = _Items(stream(engine, items_query(step), parameters, run)) if step.has_items else NO_ITEMS
    rows = stream(engine, query(step, of_trigger(step), global_holdout), parameters, run)
    return chunks((candidate(step, run, row, items) for row in rows), ROWS)


def occurrences(engine: Engine, step: Step, run: Run) -> int:
    """How many occurrences of the trigger lie within the horizon."""
    count = _COUNT.format(occurrences=of_trigger(step))
    (row,) = engine.query(count, within(step, run.as_of), build_id=run.build_id)
    return row["n"]


def gate(engine: Engine, step: Step, run: Run) -> Gate:
    """What the build says for a step: its audits, the age of its sources, and (once a flow) who is who."""
    merged = None if step.previous else _merged(engine, run)
    return Gate(engine.blocked(), _fresh_until(engine, step, run), merged=merged)


def _merged(engine: Engine, run: Run) -> dict[str, str]:
    rows = engine.query(merged_query(), build_id=run.build_id)
    return {row["record_id"]: row["contact_id"] for row in rows}


def _fresh_until(engine: Engine, step: Step, run: Run) -> datetime | None:
    if not step.relies_on:
        return None
    rows = engine.query(_FRESHNESS, build_id=run.build_id)
    known = {row["source"]: row["fresh_until"] for row in rows}
    reach = [known.get(source) for source in step.relies_on]
    if None in reach:  # nothing of a source was ever read
        return LONG_AGO
    return min(_aware(moment) for moment in reach)


def candidate(step: Step, run: Run, row: Mapping[str, Any], items: _Items) -> dict[str, Any]:
    """A row for the ledger's table `candidate`, without its run. `row` is one of `query`."""
    due_at = _due_at(step, row)
    found = items.of(row["occurrence_id"], row["contact_id"])
    # The step before may have gone out sooner than its delay says today, if the flow was edited since.
    soonest = due_at if step.date else _aware(row["occurred_at"]) + timedelta(seconds=row["_delay"])
    may_be_planned = (
        step.channel is not None
        and soonest <= run.as_of
        and row["_address"] is not None
        and not row["_is_goal_reached"]
        and row["_has_consent"]
    )
    return {
        "flow": step.flow,
        "step": step.name,
        "contact_id": row["_contact_id"],
        "occurrence_id": row["occurrence_id"],
        "occurred_at": _aware(row["occurred_at"]),
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


def _due_at(step: Step, row: Mapping[str, Any]) -> datetime:
    delay = timedelta(seconds=row["_delay"])
    if step.date is not None:
        date_ = row[step.date]
        return LONG_AGO if date_ is None else _begin(date_, row["_timezone"]) + delay
    # Until the step before is decided, no step is due sooner than all delays before it allow.
    since = timedelta() if row["_is_since_trigger"] else step.earliest
    return _aware(row["occurred_at"]) + since + delay


def _begin(given: date, timezone: str) -> datetime:
    """A timestamp's moment; of a date its midnight by the clock of that zone."""
    if isinstance(given, datetime):
        return _aware(given)
    return datetime.combine(given, time(), ZoneInfo(timezone)).astimezone(UTC)


def merge_fields(step: Step, row: Mapping[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """What a template may use: the person's name, the trigger's columns, its items, the step's fields."""
    fields = {name: _plain(row[f"_{name}"]) for name in ("salutation", "first_name", "last_name")}
    fields |= {
        name: _plain(value) for name, value in row.items() if name not in _KEYS and not name.startswith("_")
    }
    if items:
        fields["items"] = [
            {name: _plain(value) for name, value in item.items() if name not in _ITEM_KEYS} for item in items
        ]
    return fields | dict(step.fields)


class _Items:
    """The items of occurrences, read along with them.

    Both come in the order of occurrence and contact, and each item's occurrence is among the rows.
    """

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._groups = groupby(rows, key=lambda row: (row["occurrence_id"], row["contact_id"]))
        self._next = self._read()

    def of(self, occurrence_id: str, contact_id: str) -> list[dict[str, Any]]:
        key, items = self._next
        if key != (occurrence_id, contact_id):
            return []
        self._next = self._read()
        return items

    def _read(self) -> tuple[Any, list[dict[str, Any]]]:
        key, items = next(self._groups, (None, ()))
        return key, list(items)


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
