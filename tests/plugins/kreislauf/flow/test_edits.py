"""A flow is edited while people are on their way through it: every journey comes to its end all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from kreislauf.flow import Branch, Email, Flow
from kreislauf.flow.policy import Policy
from kreislauf.ledger.schema import NOT_FINAL, batch, decision, message
from tests.properties.circuit import Circuit, flow_steps

BEGIN = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Policy(("transactional", "cart", "flow"))

HELLO, STORY, OFFER = Email("hello"), Email("story", after="2 days"), Email("offer", after="2 days")
BEFORE = (HELLO, STORY, OFFER)
EDITS = {
    "nothing": (BEFORE, {"hello": "planned", "story": "planned", "offer": "planned"}),
    "a step added": (
        (HELLO, Email("news", after="1 day"), STORY, OFFER),
        {"hello": "planned", "news": "planned", "story": "planned", "offer": "planned"},
    ),
    "the last step removed": ((HELLO, STORY), {"hello": "planned", "story": "planned", "offer": "expired"}),
    "a step removed in between": (
        (HELLO, OFFER),
        {"hello": "planned", "story": "expired", "offer": "planned"},
    ),
    "the first step removed": (
        (STORY, OFFER),
        {"hello": "planned", "story": "planned", "offer": "planned"},
    ),
    "a step renamed": (
        (HELLO, STORY, Email("voucher", after="2 days")),
        {"hello": "planned", "story": "planned", "offer": "expired", "voucher": "planned"},
    ),
    "a shorter delay": (
        (HELLO, Email("story", after="1 hour"), OFFER),
        {"hello": "planned", "story": "planned", "offer": "planned"},
    ),
    "a delay that was over long ago": (
        (HELLO, Email("story", after="1 hour", expires="2 hours"), OFFER),
        {"hello": "planned", "story": "expired", "offer": "expired"},
    ),
    "a branch round them": (
        (HELLO, Branch("drinks_tea", when="interest = tea", then=[STORY], otherwise=[OFFER])),
        {"hello": "planned", "drinks_tea": "branched", "story": "planned", "offer": "other_branch"},
    ),
}


def rows(as_of: datetime, *, has_started: bool = True) -> dict:
    started = {"contact_id": "ada", "occurrence_id": "first", "occurred_at": BEGIN - HOUR, "interest": "tea"}
    return {
        "core.contact_keys": [{"record_id": "ada", "contact_id": "ada"}],
        "core.contacts": [{"contact_id": "ada", "language": "de", "timezone": "Europe/Berlin"}],
        "core.reach": [{"contact_id": "ada", "channel": "email", "address": "ada@example.org"}],
        "core.permissions": [{"contact_id": "ada", "channel": "email", "topic": "marketing"}],
        "triggers.subscribed": [started] if has_started else [],
    }


@pytest.fixture
def live(any_ledger, tmp_path):
    """`live(flow, hours since the beginning, …)`: a run of the flow at each of these moments."""
    return partial(_live, Circuit(any_ledger, POLICY), tmp_path)


@pytest.fixture
def live_here(ledger, tmp_path):
    """The same on the embedded ledger only."""
    return partial(_live, Circuit(ledger, POLICY), tmp_path)


def _live(circuit: Circuit, folder: Path, flow, *moments: float, **world) -> dict[str, str]:
    steps = flow_steps(folder, "welcome", Flow("subscribed", flow))
    for as_of in (BEGIN + hours * HOUR for hours in moments):
        circuit.publish(rows(as_of, **world), as_of)
        run = circuit.run(as_of)
        for step in steps:
            circuit.decide(step, run)
        circuit.send(as_of)
    return dict(circuit.decisions("step", "reason"))


@pytest.mark.parametrize("edit", EDITS)
def test_every_journey_ends(live_here, edit):
    edited, at_the_end = EDITS[edit]
    assert live_here(BEFORE, 0) == {"hello": "planned", "story": "not_due", "offer": "previous_step_open"}
    assert live_here(edited, 13, 50, 75, 100, 150) == at_the_end


def test_a_step_that_is_gone_is_closed_by_the_next_run_and_by_the_flow_as_it_is_now(live, any_ledger):
    live(BEFORE, 0)
    assert live((HELLO,), 1) == {"hello": "planned", "story": "expired", "offer": "expired"}
    with any_ledger.read() as connection:
        found = connection.execute(select(decision).where(decision.c.step == "story")).one()
        hello = connection.execute(select(decision).where(decision.c.step == "hello")).one()
    assert found.is_final and found.run_id == "run-2" and found.as_of == BEGIN + HOUR
    assert found.flow_version != hello.flow_version


def test_who_was_written_to_stays_so(live_here):
    live_here(BEFORE, 0, 60)
    assert live_here((Email("other"),), 61) == {
        "hello": "planned",
        "other": "expired",
        "story": "planned",
        "offer": "expired",
    }


def test_who_got_a_step_sooner_than_it_says_today_gets_the_next_one_whole(live_here, ledger):
    live_here(BEFORE, 0, 50)
    edited = (HELLO, Email("story", after="5 days"), OFFER)
    assert live_here(edited, 100) == {"hello": "planned", "story": "planned", "offer": "planned"}
    with ledger.read() as connection:
        found = connection.execute(select(message.c.merge, batch.c.state).join(batch)).all()
    assert [(merge["interest"], state) for merge, state in found] == [("tea", "accepted")] * 3


def test_a_step_that_runs_from_the_trigger_takes_no_longer_for_the_steps_before(live_here, ledger):
    late = Email("late", after="3 days since trigger")
    assert live_here((HELLO, STORY, late, Email("last", after="1 day")), 0, 50, 75, 99)["last"] == "planned"
    with ledger.read() as connection:
        assert all(row.merge for row in connection.execute(select(message)))


def test_a_run_for_an_earlier_moment_closes_nothing_of_a_later_one(live):
    live((HELLO, STORY), 0, 12)
    live(BEFORE, 24)
    assert live((HELLO, STORY), 13)["offer"] == "previous_step_open"


def test_a_branch_whose_occurrence_is_withdrawn_ends_too(live):
    late = Branch("drinks_tea", when="interest = tea", then=[STORY], otherwise=[OFFER])
    flow = (HELLO, Email("again", after="2 days"), late)
    live(flow, 0)
    ended = live(flow, 24, 40 * 24, has_started=False)
    assert not set(ended.values()) & set(NOT_FINAL), ended
