"""Every flow of dags/flow/: fires for the right contact and for nobody else, once, and asks each guard."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from kreislauf.flow.conditions import Fact, Member, Stage
from kreislauf.flow.files import read_all
from kreislauf.flow.model import INBOXES, Step
from kreislauf.flow.policy import Policy
from kreislauf.ledger.schema import Channel, voucher
from kreislauf.ledger.suppressions import suppress
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from tests.properties.circuit import Circuit

REPOSITORY = Path(__file__).parents[3]
FLOWS = {flow.short: list(flow.steps) for flow in read_all().values()}
ENDING_AT_A_GOAL = {name: steps for name, steps in FLOWS.items() if steps[0].goal}
of_all = pytest.mark.parametrize("steps", FLOWS.values(), ids=FLOWS)
of_those_with_a_goal = pytest.mark.parametrize("steps", ENDING_AT_A_GOAL.values(), ids=ENDING_AT_A_GOAL)
MORNING = datetime(2026, 3, 10, 8, tzinfo=UTC)
NOON = MORNING + timedelta(hours=4)
POLICY = Policy(("transactional", "cart", "flow", "newsletter"))
OPEN = {"not_due", "previous_step_open"}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(load_models(REPOSITORY / "include" / "sql"))


@pytest.fixture
def circuit(tmp_path) -> Circuit:
    opened = Circuit.open(tmp_path, POLICY)
    with opened.ledger.write() as connection:
        codes = [
            {"code": f"{pool}-{number}", "pool": pool, "created_at": MORNING}
            for pool in ("welcome", "cart", "winback", "birthday")
            for number in range(3)
        ]
        connection.execute(insert(voucher), codes)
    return opened


def rows(steps: list[Step], schema: Schema, **different: Any) -> dict[str, Any]:
    """Two people who are alike but for the trigger, which one of them has set off. All agreed to all."""
    trigger, people = steps[0].trigger, ("right", "wrong")
    topics = {step.topic for step in steps}
    texts = [name for name, type_ in schema[f"triggers.{trigger}"].items() if type_ == "VARCHAR"]
    occurrence = dict.fromkeys(texts, "x") | {
        "contact_id": "right",
        "occurrence_id": "o1",
        "occurred_at": MORNING,
    }
    return {
        "core.contact_keys": [{"record_id": name, "contact_id": name} for name in people],
        "core.contacts": [{"contact_id": name, "language": "de", "timezone": "UTC"} for name in people],
        "core.reach": [
            {"contact_id": name, "channel": channel.value, "address": f"{name}@{channel}"}
            for name in people
            for channel in Channel
        ],
        "core.permissions": [
            {"contact_id": name, "channel": channel.value, "topic": topic}
            for name in people
            for channel in INBOXES
            for topic in sorted(topics)
        ],
        "core.source_freshness": [
            {"source": source, "stream": "all", "fresh_until": NOON + timedelta(days=400)}
            for source in ("shop", "crm", "site", "mail", "files")
        ],
        f"triggers.{trigger}": [occurrence],
    } | different


def decide(circuit: Circuit, steps: list[Step], given: dict[str, Any], at: datetime = NOON) -> set[str]:
    """Decide all steps; the reasons of those that act or branch and are due."""
    circuit.publish(given, at)
    run = circuit.run(at)
    for step in steps:
        circuit.decide(step, run)
    return {reason for (reason,) in circuit.decisions("reason")} - OPEN


def live(circuit: Circuit, steps: list[Step], given: dict[str, Any]) -> None:
    """The flow runs whenever something is due, until everything is decided."""
    at = MORNING
    for _ in range(12 * len(steps)):
        decide(circuit, steps, given, at)
        found = circuit.decisions("is_final", "reason", "due_at")
        if all(is_final for is_final, *_ in found):
            return
        due = [due_at for _, reason, due_at in found if reason == "not_due"]
        at = max(at + timedelta(hours=1), min(due, default=at))


@of_all
def test_it_fires_for_the_right_contact_once_and_comes_to_an_end(steps, schema, circuit):
    given = rows(steps, schema)
    live(circuit, steps, given)
    found = circuit.decisions("step", "contact_id", "reason", "is_final")
    assert {contact for _, contact, *_ in found} == {"right"}
    assert Counter(step for step, *_ in found) == Counter(step.name for step in steps)
    assert all(is_final for *_, is_final in found), found
    messages = circuit.messages()
    assert messages and {row.contact_id for row in messages} == {"right"}
    decide(circuit, steps, given, NOON)
    assert len(circuit.messages()) == len(messages), "the same fact again fires nothing"


@of_those_with_a_goal
def test_it_ends_at_its_goal(steps, schema, circuit):
    goal = steps[0].goal
    reached = {"contact_id": "right", "occurred_at": MORNING + timedelta(minutes=1)}
    match goal:
        case Fact(name, is_of_occurrence):
            told = {f"conditions.{name}": [reached | ({"occurrence_id": "o1"} if is_of_occurrence else {})]}
        case Member(segment):
            told = {f"segments.{segment}": [{"contact_id": "right"}]}
        case Stage(name):
            told = {"lifecycle.stage": [{"contact_id": "right", "stage": name}]}
    assert decide(circuit, steps, rows(steps, schema) | told) == {"goal_reached"}
    assert circuit.messages() == []


def held(steps: list[Step], **different: Any) -> list[Step]:
    return [replace(step, **different) for step in steps]


@of_all
def test_each_guard_gives_its_reason_and_lets_nothing_through(steps, schema, tmp_path):
    """Each in a world of its own, in which the flow acts at once on its first step that acts."""
    given = rows(steps, schema)
    first = next(step for step in steps if step.channel is not None)
    asked = first.channel in INBOXES
    at_once = replace(first, previous=(), earliest=timedelta(), side=None, condition=None, ranges=())
    at_once = replace(
        at_once, delays={name: replace(d, span=timedelta(), local=None) for name, d in first.delays.items()}
    )
    guards: dict[str, tuple[Any, ...]] = {
        "paused": (at_once, given, lambda circuit: circuit.ledger.pause(first.flow, "test")),
        "unreachable": (at_once, given | {"core.reach": []}, None),
        "not_in_pilot": (replace(at_once, pilot=Fraction(0)), given, None),
        "expired": (at_once, given, None),
    }
    if first.relies_on:
        guards["quality_gate"] = (at_once, given | {"core.source_freshness": []}, None)
    if first.needs_consent:
        guards["no_consent"] = (at_once, given | {"core.permissions": []}, None)
    if first.topic != "service":
        guards["holdout"] = (replace(at_once, holdout=Fraction(1)), given, None)
    if asked:
        row = {"address": f"right@{first.channel}", "contact_id": "right"}
        guards["suppressed"] = (
            at_once,
            given,
            lambda circuit: suppress(circuit.ledger, [row], "hard_bounce", "test", channel=first.channel),
        )
    for reason, (step, world, before) in guards.items():
        (tmp_path / reason).mkdir()
        circuit = Circuit.open(tmp_path / reason, POLICY)
        if before:
            before(circuit)
        at = MORNING + step.expires + timedelta(hours=1) if reason == "expired" else NOON
        assert decide(circuit, [step], world, at) == {reason}
        assert circuit.messages() == []
