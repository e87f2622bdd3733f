"""Each reason of the closed list, found by a flow that runs: an enumeration, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import insert, update

from kreislauf.flow import Branch, Email, Flow, Push
from kreislauf.flow.policy import ChannelPolicy, Policy, Stop
from kreislauf.flow.words import parse_cap
from kreislauf.ledger.batches import approve, message_states
from kreislauf.ledger.hours import QuietHours
from kreislauf.ledger.schema import Channel, Reason, event, message
from kreislauf.ledger.suppressions import suppress
from tests.properties.circuit import Circuit, flow_steps

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = Policy(("transactional", "cart", "flow"))
STEP, BRANCH = Email("one"), Branch("dear", when="total_amount >= 100", then=[Email("one")])


def flow(*steps: Any, **more: Any) -> Flow:
    return Flow("cart_abandoned", steps or (STEP,), **{"goal": "ordered", "relies_on": ["shop"], **more})


def rows(**different: list[dict[str, Any]]) -> dict[str, Any]:
    """Ada left a cart an hour ago, and nothing speaks against a message."""
    given = {
        "core.contact_keys": [{"record_id": "ada", "contact_id": "ada"}],
        "core.contacts": [{"contact_id": "ada", "language": "de", "timezone": "Europe/Berlin"}],
        "core.reach": [{"contact_id": "ada", "channel": "email", "address": "ada@example.org"}],
        "core.permissions": [{"contact_id": "ada", "channel": "email", "topic": "marketing"}],
        "core.source_freshness": [{"source": "shop", "stream": "orders", "fresh_until": NOON}],
        "triggers.cart_abandoned": [
            {"contact_id": "ada", "occurrence_id": "c1", "occurred_at": NOON - HOUR, "total_amount": 50}
        ],
    }
    return given | {name.replace("__", "."): found for name, found in different.items()}


def cart(hours: int, name: str = "c1") -> dict[str, Any]:
    return {
        "contact_id": "ada",
        "occurrence_id": name,
        "occurred_at": NOON - hours * HOUR,
        "total_amount": 50,
    }


def complain(circuit: Circuit) -> None:
    """Ada was sent something by this flow before, and complained."""
    circuit.publish(rows(triggers__cart_abandoned=[cart(2, "old")]), NOON)
    circuit.decide(replace(FIRST[0], name="old"), circuit.run(NOON))
    circuit.send(NOON)
    with circuit.ledger.write() as connection:
        row = {"event_id": "e", "message_key": circuit.sent[0].key, "address": "ada@example.org"}
        row |= {"type": "spamreport", "occurred_at": NOON, "recorded_at": NOON}
        connection.execute(insert(event), row)
        connection.execute(update(message).values(send_at=NOON))


FIRST: list[Any] = []
QUIET = ChannelPolicy(quiet_hours=QuietHours(time(11), time(10)))
NO_CONSENT, NO_REACH = {"core__permissions": []}, {"core__reach": []}
CASES: dict[Reason, tuple[Any, ...]] = {
    # The flow, what differs in the rows, the policy, and what was done before.
    Reason.PLANNED: (flow(),),
    Reason.BRANCHED: (flow(BRANCH),),
    Reason.CONDITION_FALSE: (flow(Email("one", when="total_amount >= 100")),),
    Reason.OTHER_BRANCH: (flow(BRANCH),),
    Reason.GOAL_REACHED: (
        flow(),
        {"conditions__ordered": [{"contact_id": "ada", "occurred_at": NOON - HOUR / 2}]},
    ),
    Reason.EXPIRED: (flow(), {"triggers__cart_abandoned": [cart(72)]}),
    Reason.QUIET_HOURS: (flow(Email("one", expires="2 hours")), {}, {"channels": {Channel.EMAIL: QUIET}}),
    Reason.UNREACHABLE: (flow(), NO_REACH),
    Reason.NO_CONSENT: (flow(), NO_CONSENT),
    Reason.SUPPRESSED: (
        flow(),
        {},
        {},
        lambda circuit: suppress(circuit.ledger, [{"address": "ada@example.org"}], "complaint", "test"),
    ),
    Reason.HOLDOUT: (flow(holdout="100 %"),),
    Reason.NOT_IN_PILOT: (flow(pilot="0 %"),),
    Reason.NOT_DUE: (flow(Email("one", after="2 hours")),),
    Reason.PREVIOUS_STEP_OPEN: (flow(Email("one", after="2 hours"), Email("two")),),
    Reason.FREQUENCY_CAP: (
        flow(),
        {"triggers__cart_abandoned": [cart(1), cart(2, "c2")]},
        {"channels": {Channel.EMAIL: ChannelPolicy((parse_cap("1 per 16 hours"),))}},
    ),
    Reason.RUN_CAP: (flow(), {"triggers__cart_abandoned": [cart(1), cart(2, "c2")]}, {"most_in_a_run": 1}),
    Reason.NO_VOUCHER: (flow(Email("one", voucher="cart")),),
    Reason.QUALITY_GATE: (flow(), {"core__source_freshness": []}),
    Reason.STOPPED: (
        flow(),
        {},
        {"stop": Stop(Fraction(1, 1000), Fraction(1), timedelta(days=7), 1)},
        complain,
    ),
    Reason.PAUSED: (flow(), {}, {}, lambda circuit: circuit.ledger.pause("flow_cart", "test")),
}


def decide(tmp_path, given: Flow, different=(), limits=(), before: Callable[[Circuit], Any] | None = None):
    circuit = Circuit.open(tmp_path, replace(POLICY, **dict(limits)))
    FIRST[:] = steps = flow_steps(tmp_path, "cart", given)
    if before:
        before(circuit)
    circuit.publish(rows(**dict(different)), NOON)
    run = circuit.run(NOON)
    for step in steps:
        circuit.decide(step, run)
    return circuit


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.NOT_APPROVED])
def test_it_is_found_by_running(reason, tmp_path):
    circuit = decide(tmp_path, *CASES[reason])
    found = {Reason(found) for (found,) in circuit.decisions("reason")}
    assert reason in found
    assert bool(circuit.messages()) == (Reason.PLANNED in found)


def test_what_a_person_did_not_approve(tmp_path):
    circuit = decide(tmp_path, flow(approve_above=1), {"triggers__cart_abandoned": [cart(1), cart(2, "c2")]})
    assert circuit.send(NOON) == []
    assert approve(circuit.ledger, "flow_cart", "run-1", is_approved=False) == 2
    with circuit.ledger.read() as connection:
        ((*_, state, reason, messages),) = message_states(connection)
    assert (state, Reason(reason), messages) == ("skipped", Reason.NOT_APPROVED, 2)
    assert circuit.send(NOON) == []


def test_a_closed_channel_leaves_the_other_one_open(tmp_path):
    reach = [{"contact_id": "ada", "channel": name, "address": f"{name}@x"} for name in ("email", "push")]
    granted = [{"contact_id": "ada", "channel": "push", "topic": "marketing"}]
    different = {"core__reach": reach, "core__permissions": granted}
    circuit = decide(tmp_path, flow(STEP, Push("two")), different)
    assert circuit.decisions("step", "reason") == [("one", "no_consent"), ("two", "planned")]
