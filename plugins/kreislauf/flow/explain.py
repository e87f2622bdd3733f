"""What `why` found, in plain words: decision by decision, and the flows that decided nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kreislauf.flow.files import FlowFile
from kreislauf.flow.model import Step
from kreislauf.flow.sentences import EVENTS, MESSAGES, REASONS
from kreislauf.flow.why import Person, Statement, Told, last_decided
from kreislauf.flow.words import span_in_words
from kreislauf.ledger.schema import Outcome, Reason
from kreislauf.ledger.store import Ledger
from kreislauf.places import INCLUDE

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import BuildInfo, Engine
    from kreislauf.warehouse.model import Model

_GOES_ON = {
    reason.value for reason in (Reason.PLANNED, Reason.BRANCHED, Reason.CONDITION_FALSE, Reason.QUIET_HOURS)
}

_OCCURRENCES = """
select occurrence_id, occurred_at
from {trigger}
where contact_id in ({records})
order by occurred_at desc, occurrence_id
"""
_COLUMNS = "select * from {table} limit 0"
_ROWS = "select count(*) as n from {table} where contact_id in ({records})"


def explain(person: Person, told: Sequence[Told], flows: Mapping[str, FlowFile]) -> Iterator[str]:
    """All decisions as lines of text, newest first."""
    yield f"{person.contact_id}, decisions: {len(told)}. Times are the person's own: {person.timezone}."
    if len(person.records) > 1:
        others = ", ".join(record for record in person.records if record != person.contact_id)
        yield f"  the same person: {others}"
    reasons = {_place(one.decision): one.decision.reason for one in told}
    for one in told:
        yield ""
        yield from _decision(one, person, flows.get(one.decision.flow), reasons)


def _decision(
    told: Told, person: Person, flow: FlowFile | None, reasons: Mapping[tuple[str, ...], str]
) -> Iterator[str]:
    row, zone = told.decision, ZoneInfo(person.timezone)
    step = next((step for step in flow.steps if step.name == row.step), None) if flow else None
    variant = f", variant {row.variant}" if row.variant else ""
    yield f"{row.flow}  {row.step} ({row.channel or 'branch'}{variant}): {row.reason}{_then(told.message)}"
    yield f"  {REASONS[Reason(row.reason)]}"
    if flow is not None and step is None:
        yield "  This step is not in the flow's file any more."
    elif flow is None or step is None:  # a campaign
        pass
    elif row.flow_version != step.flow_version:
        yield "  The flow's file has changed since."
    elif row.reason == Reason.CONDITION_FALSE:
        yield f"  The step says: {step.words}."
    elif row.reason == Reason.GOAL_REACHED:
        yield f"  The goal is: {flow.flow.goal}."
    if step is not None and (before := _inherited_from(told, step, reasons)):
        yield f"  The journey had ended with the step {before}, for the same reason."
    if not row.is_final:
        yield "  Not final: it is asked again at the flow's next run."
    facts = {
        "occurrence": _occurrence(row, step, zone),
        "due": _due(row, zone),
        "decided": f"as of {_local(row.as_of, zone)} on build {row.build_id}, by run {row.run_id}",
        "inputs": _inputs(row, zone),
        "versions": f"flow {row.flow_version}, policy {row.policy_version or 'not recorded'}",
        "message": _message(told, zone),
        "consents": _consents(told.consents, zone),
        "stopped": _suppressions(told, zone),
    }
    yield from (f"  {name:<10}  {text}" for name, text in facts.items() if text)


def _then(sent: Any) -> str:
    """What became of a planned message, in a word: the decision alone would look like a message received."""
    if sent is None:
        return ""
    reason = f" ({sent.outcome_reason})" if sent.state == Outcome.SKIPPED else ""
    return f", then {sent.state}{reason}"


def _place(row: Any, step: str | None = None) -> tuple[str, ...]:
    return (row.flow, step or row.step, row.contact_id, row.occurrence_id)


def _inherited_from(told: Told, step: Step, reasons: Mapping[tuple[str, ...], str]) -> str | None:
    """The step before that ended the journey, if this one has its reason from there."""
    row = told.decision
    if row.reason in _GOES_ON or not row.is_final:
        return None
    for previous in step.previous:
        if reasons.get(_place(row, previous.step)) == row.reason:
            return previous.step
    return None


def _occurrence(row: Any, step: Step | None, zone: ZoneInfo) -> str:
    trigger = f" of triggers.{step.trigger}" if step and step.trigger else ""
    when = f", {_local(row.occurred_at, zone)}" if row.occurred_at else ""
    return f"{row.occurrence_id}{trigger}{when}"


def _due(row: Any, zone: ZoneInfo) -> str:
    due = _local(row.due_at, zone) if row.due_at else "not known"
    if row.reason == Reason.PREVIOUS_STEP_OPEN:
        due += " at the earliest"
    return due + (f", to go out {_local(row.send_at, zone)}" if row.send_at else "")


def _inputs(row: Any, zone: ZoneInfo) -> str:
    if row.inputs_until is None:
        return "the flow relies on no source" if row.policy_version else "not recorded"
    age = row.as_of - row.inputs_until
    return f"known up to {_local(row.inputs_until, zone)}, {_age(age)} before"


def _age(age: timedelta) -> str:
    minutes = max(age, timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(minutes, 60)
    if not minutes:
        return "less than a minute"
    return span_in_words(timedelta(minutes=minutes)) if not rest or not hours else f"{hours} h {rest} min"


def _message(told: Told, zone: ZoneInfo) -> str:
    if (sent := told.message) is None:
        return ""
    state = MESSAGES[sent.state]
    if sent.outcome_reason:
        known = REASONS.get(sent.outcome_reason)
        state += f": {sent.outcome_reason}" + (f". {known}" if known else "")
    elif sent.answered_at:
        state += f" {_local(sent.answered_at, zone)}"
    parts = [state]
    for event in told.events:
        machine = " (by a machine)" if event.is_machine_open else ""
        parts.append(f"{EVENTS.get(event.type, event.type)} {_local(event.occurred_at, zone)}{machine}")
    return " · ".join(parts)


def _consents(statements: Iterable[Statement], zone: ZoneInfo) -> str:
    found = []
    for one in statements:
        basis = f", {one.basis}" if one.basis else ""
        found.append(
            f"{one.channel} {one.topic}: {one.state} {_local(one.said_at, zone)} ({one.source}{basis})"
        )
    return "; ".join(found) or "no statement was known"


def _suppressions(told: Told, zone: ZoneInfo) -> str:
    """Each but once: an objection has a row for each of the person's addresses."""
    found = [f"{one.channel}: {one.reason} since {_local(one.created_at, zone)}" for one in told.suppressions]
    return ", ".join(dict.fromkeys(found)) or "no suppression was in force"


def _local(moment: datetime, zone: ZoneInfo) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(zone):%Y-%m-%d %H:%M}"


# ------------------------------------------------------------------------- where nothing was decided


def undecided(ledger: Ledger, engine: Engine | None, flow: FlowFile, person: Person) -> Iterator[str]:
    """Why a flow has decided nothing about the person, as far as the published build can tell.

    The first line sums it up, the others say what it rests on.
    """
    lines = list(_undecided(ledger, engine, flow, person))
    yield f"{flow.name}: nothing was decided; {lines[0]}"
    yield from (f"  {line}" for line in lines[1:])


def _undecided(ledger: Ledger, engine: Engine | None, flow: FlowFile, person: Person) -> Iterator[str]:
    build = engine.published() if engine else None
    if engine is None or build is None:
        yield "no build is published here, so nothing more can be said: run build_warehouse"
        return
    trigger, zone = f"triggers.{flow.flow.trigger}", ZoneInfo(person.timezone)
    if trigger not in build.tables:
        yield f"the published build is from before {trigger}"
        return
    names, records = _bound(person)
    found = engine.query(_OCCURRENCES.format(trigger=trigger, records=names), records)
    if not found:
        yield from _no_occurrence(engine, build, trigger, person)
        return
    last = last_decided(ledger, flow.name)
    horizon = flow.steps[0].horizon
    yield f"{trigger} has rows about this person: {len(found)}"
    for row in found:
        at = row["occurred_at"].replace(tzinfo=UTC)
        said = f"{row['occurrence_id']}, {_local(at, zone)}:"
        if at <= build.as_of - horizon:
            yield f"{said} too long ago, the flow asks about {horizon.days} days"
        elif at > build.as_of:
            yield f"{said} still to come on the day of this build; the first run after that decides"
        elif last is None:
            yield f"{said} the flow has never run"
        elif at > last:
            yield f"{said} the flow ran last as of {_local(last, zone)}; its next run decides"
        else:
            yield f"{said} the build has it only since the flow ran last; its next run decides"


def _no_occurrence(engine: Engine, build: BuildInfo, trigger: str, person: Person) -> Iterator[str]:
    model = _models()[trigger]
    yield f"{trigger} has no row about this person"
    yield f"it holds: {model.sentence}"
    names, records = _bound(person)
    for table in model.depends_on:
        if table not in build.tables:
            continue
        if "contact_id" in engine.arrow(_COLUMNS.format(table=table)).column_names:
            (row,) = engine.query(_ROWS.format(table=table, records=names), records)
            yield f"made from {table}: {row['n']} rows of this person"
        else:
            yield f"made from {table}: {build.tables[table]} rows in all"


def _bound(person: Person) -> tuple[str, dict[str, str]]:
    """The person's ids as parameters of a statement: their names in it, and their values."""
    values = {f"record_{number}": record for number, record in enumerate(person.records)}
    return ", ".join(f":{name}" for name in values), values


def _models() -> Mapping[str, Model]:
    from kreislauf.warehouse.models import load_models

    return load_models(INCLUDE / "sql", check=False)
