"""Every candidate gets exactly one reason, and nothing is ever decided, or planned, twice."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from kreislauf.connections import Connection
from kreislauf.flow.candidates import LONG_AGO
from kreislauf.flow.conditions import Reaction
from kreislauf.flow.decide import BadCandidates, Gate, Run, decide
from kreislauf.flow.model import Previous, Step
from kreislauf.flow.policy import Policy
from kreislauf.flow.words import Delay, parse_cap
from kreislauf.ledger.batches import claim
from kreislauf.ledger.schema import Channel, batch, candidate, decision, event, message, metadata
from kreislauf.ledger.store import EVERYTHING, Ledger
from kreislauf.ledger.suppressions import suppress

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = Step("flow_cart", "v1", "first", "left", templates={"": "cart/first"}, expires=2 * DAY, priority=2)
SECOND = replace(
    FIRST,
    name="second",
    templates={"": "cart/second"},
    delays={"": Delay(DAY)},
    previous=(Previous("first"),),
)
NO_LIMITS = Policy(("transactional", "cart", "flow"))
RUN = Run("run-1", "build-1", NOON)


def person(number: int = 1, step: Step = FIRST, **different: Any) -> dict[str, Any]:
    """A candidate who is due since an hour and about whom nothing speaks against a message."""
    row = {
        "flow": step.flow,
        "step": step.name,
        "contact_id": f"shop-{number}",
        "occurrence_id": f"cart-{number}",
        "occurred_at": NOON - HOUR,
        "due_at": NOON - HOUR,
        "delay": int(step.delays[""].span.total_seconds()),
        "is_since_trigger": False,
        "variant": "",
        "is_goal_reached": False,
        "is_condition_met": True,
        "has_consent": True,
        "is_held_out": False,
        "is_in_pilot": True,
        "address": f"person{number}@example.org",
        "language": "de",
        "timezone": "Europe/Berlin",
        "local_hour": None,
        "item_count": 0,
        "merge": {"first_name": "Ada"},
    }
    return row | different


def ask(
    ledger: Ledger,
    *people: dict[str, Any],
    step: Step = FIRST,
    run: Run = RUN,
    gate: Gate | None = None,
    policy: Policy = NO_LIMITS,
    **more,
):
    return decide(ledger, step, run, [list(people)], gate or Gate(), policy, **more)


def reasons(ledger: Ledger) -> dict[tuple[str, str], str]:
    with ledger.read() as connection:
        rows = connection.execute(select(decision.c.step, decision.c.contact_id, decision.c.reason))
        return {(step, contact): reason for step, contact, reason in rows}


def count(ledger: Ledger, table) -> int:
    with ledger.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


# ------------------------------------------------------------------------------ reasons


def test_nothing_speaks_against_it(any_ledger):
    assert ask(any_ledger, person()) == {"planned": 1}
    assert count(any_ledger, message) == 1
    assert count(any_ledger, candidate) == 0


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"is_goal_reached": True}, "goal_reached"),
        ({"due_at": NOON + timedelta(seconds=1)}, "not_due"),
        ({"due_at": NOON - 2 * DAY - timedelta(seconds=1)}, "expired"),
        ({"due_at": NOON - 2 * DAY}, "planned"),
        ({"due_at": NOON}, "planned"),
        ({"is_condition_met": False}, "condition_false"),
        ({"address": None}, "unreachable"),
        ({"has_consent": False}, "no_consent"),
    ],
)
def test_a_candidates_own_reason(any_ledger, different, reason):
    assert ask(any_ledger, person(**different)) == {reason: 1}
    assert count(any_ledger, message) == (reason == "planned")


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"is_goal_reached": True, "due_at": NOON + HOUR}, "goal_reached"),
        ({"due_at": NOON + HOUR, "is_condition_met": False}, "not_due"),
        ({"due_at": NOON - 3 * DAY, "is_condition_met": False}, "expired"),
        ({"is_condition_met": False, "address": None}, "condition_false"),
        ({"address": None, "has_consent": False}, "unreachable"),
    ],
)
def test_the_first_reason_counts(ledger, different, reason):
    assert ask(ledger, person(**different)) == {reason: 1}


def test_the_kill_switch_comes_before_everything(ledger):
    ledger.pause("flow_cart", by="test")
    assert ask(ledger, person(is_goal_reached=True)) == {"paused": 1}
    ledger.resume("flow_cart", by="test")
    ledger.pause(EVERYTHING, by="test")
    assert ask(ledger, person(2)) == {"paused": 1}
    ledger.resume(EVERYTHING, by="test")
    assert ask(ledger, person(), person(2), run=replace(RUN, run_id="run-2")) == {"planned": 2}


def test_a_failed_audit_stops_everyone_and_stale_sources_stop_who_is_due_later(ledger):
    assert ask(ledger, person(), gate=Gate(blocked="core.orders: keys are not unique")) == {"quality_gate": 1}
    stale = Gate(fresh_until=NOON - 2 * HOUR)
    people = [person(1), person(2, due_at=NOON - 3 * HOUR)]
    assert ask(ledger, *people, gate=stale) == {"planned": 1, "quality_gate": 1}
    assert reasons(ledger) == {("first", "shop-1"): "quality_gate", ("first", "shop-2"): "planned"}
    assert ask(ledger, *people, gate=Gate(fresh_until=NOON)) == {"decided_before": 1, "planned": 1}


def test_the_suppressed_are_not_written_to(any_ledger):
    suppress(any_ledger, [{"address": "person1@example.org"}], "hard_bounce", "test")
    suppress(any_ledger, [{"address": "old@example.org", "contact_id": "shop-2"}], "opt_out", "test")
    assert ask(any_ledger, person(1), person(2), person(3)) == {"planned": 1, "suppressed": 2}


@pytest.mark.parametrize(
    ("reason", "channel", "result"),
    [
        ("opt_out", "email", "planned"),
        ("opt_out", "all", "suppressed"),
        ("complaint", "email", "suppressed"),
        ("hard_bounce", "email", "suppressed"),
    ],
)
def test_who_opted_out_of_mail_still_gets_what_is_about_a_contract(any_ledger, reason, channel, result):
    stopped = [{"address": "person1@example.org", "contact_id": "shop-1"}]
    suppress(any_ledger, stopped, reason, "test", channel)
    service = replace(FIRST, topic="service")
    assert ask(any_ledger, person(), step=service) == {result: 1}
    claimed = claim(any_ledger, service.flow, service.name, "me", NOON)
    assert (claimed is not None and len(claimed.messages) == 1) == (result == "planned")
    assert ask(any_ledger, person(occurrence_id="next")) == {"suppressed": 1}


def test_a_stop_by_text_message_stops_every_text_message(ledger):
    suppress(ledger, [{"address": "person1@example.org"}], "opt_out", "test", "sms")
    step = replace(FIRST, channel=Channel.SMS, topic="service", templates={"": "cart/sms"})
    assert ask(ledger, person(), step=step) == {"suppressed": 1}


# ------------------------------------------------------------------------------ later steps


def test_the_next_step_counts_from_the_moment_the_one_before_was_planned(any_ledger):
    ask(any_ledger, person())
    second = person(step=SECOND, due_at=NOON - 9 * DAY)

    early = Run("run-2", "build-2", NOON + DAY - timedelta(seconds=1))
    assert ask(any_ledger, second, step=SECOND, run=early) == {"not_due": 1}
    assert ask(any_ledger, second, step=SECOND, run=Run("run-3", "build-3", NOON + DAY)) == {"planned": 1}


def test_the_next_step_waits_while_the_one_before_is_open(ledger):
    assert ask(ledger, person(step=SECOND), step=SECOND) == {"previous_step_open": 1}
    ask(ledger, person(due_at=NOON + HOUR))
    assert ask(ledger, person(step=SECOND), step=SECOND) == {"previous_step_open": 1}


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"due_at": NOON - 3 * DAY}, "expired"),
        ({"has_consent": False}, "no_consent"),
        ({"address": None}, "unreachable"),
        ({"is_goal_reached": True}, "goal_reached"),
    ],
)
def test_a_journey_that_ended_stays_ended_for_the_same_reason(ledger, different, reason):
    ask(ledger, person(**different))
    later = Run("run-2", "build-2", NOON + 2 * DAY)
    assert ask(ledger, person(step=SECOND), step=SECOND, run=later) == {reason: 1}
    assert count(ledger, message) == 0


def test_a_step_skipped_by_its_condition_lets_the_next_one_go_on(ledger):
    ask(ledger, person(is_condition_met=False))
    later = Run("run-2", "build-2", NOON + DAY)
    assert ask(ledger, person(step=SECOND), step=SECOND, run=later) == {"planned": 1}


@pytest.mark.parametrize(
    ("asked", "is_wanted", "type_", "is_machine", "reason"),
    [
        ("click", False, "click", False, "condition_false"),
        ("click", False, "open", False, "planned"),
        ("click", True, "click", False, "planned"),
        ("click", True, "open", False, "condition_false"),
        ("click", True, "click", True, "condition_false"),
        # Who has clicked has opened.
        ("open", True, "open", False, "planned"),
        ("open", True, "click", False, "planned"),
        ("open", True, "open", True, "condition_false"),
        ("open", True, "delivered", False, "condition_false"),
    ],
)
def test_a_reaction_to_the_message_before(any_ledger, asked, is_wanted, type_, is_machine, reason):
    ask(any_ledger, person())
    with any_ledger.write() as connection:
        key = connection.execute(select(message.c.message_key)).scalar_one()
        row = {
            "event_id": "e1",
            "message_key": key,
            "address": "person1@example.org",
            "type": type_,
            "occurred_at": NOON + HOUR,
            "is_machine_open": is_machine,
            "recorded_at": NOON + HOUR,
        }
        connection.execute(insert(event), row)
    step = replace(SECOND, condition=Reaction(asked, ("first",)), is_wanted=is_wanted)
    later = Run("run-2", "build-2", NOON + DAY)
    assert ask(any_ledger, person(step=SECOND), step=step, run=later) == {reason: 1}


def test_an_occurrence_that_was_withdrawn_comes_to_an_end(any_ledger):
    ask(any_ledger, person(due_at=NOON + HOUR), person(2, due_at=NOON + HOUR))
    ask(any_ledger, person(2, due_at=NOON + HOUR), run=Run("run-2", "build-2", NOON + DAY))
    assert reasons(any_ledger)["first", "shop-1"] == "not_due"
    ask(any_ledger, run=Run("run-3", "build-3", NOON + HOUR + 2 * DAY + HOUR))
    assert reasons(any_ledger)["first", "shop-1"] == "expired"


# ------------------------------------------------------------------------------ a date of the step's own

DATED = replace(SECOND, delays={"": Delay(-DAY, date="starts_at")}, expires=DAY)
"""A reminder a day before what the first step invites to; a candidate's `due_at` is that moment."""


def test_a_reminder_is_due_at_its_own_moment_whenever_the_step_before_was(any_ledger):
    ask(any_ledger, person())
    reminder = person(step=DATED, due_at=NOON + 9 * DAY)
    early = Run("run-2", "build-2", NOON + 9 * DAY - HOUR)
    assert ask(any_ledger, reminder, step=DATED, run=early) == {"not_due": 1}
    late = Run("run-3", "build-3", NOON + 10 * DAY)
    assert ask(any_ledger, reminder, step=DATED, run=late) == {"planned": 1}
    with any_ledger.read() as connection:
        found = connection.execute(select(message.c.expires_at).where(message.c.step == "second"))
        assert found.scalar_one() == NOON + 10 * DAY, "not sent once it has begun"


def test_a_reminder_that_waited_until_its_moment_was_over_is_expired(ledger):
    ask(ledger, person())
    reminder = person(step=DATED, due_at=NOON + 9 * DAY)
    late = Run("run-2", "build-2", NOON + 10 * DAY + timedelta(seconds=1))
    assert ask(ledger, reminder, step=DATED, run=late) == {"expired": 1}


@pytest.mark.parametrize("due_at", [NOON - timedelta(seconds=1), LONG_AGO])
def test_a_moment_that_was_past_when_the_journey_came_to_it_is_skipped(any_ledger, due_at):
    third = replace(SECOND, name="third", previous=(Previous("second"),))
    ask(any_ledger, person())  # goes out at NOON
    late = Run("run-2", "build-2", NOON + 30 * DAY)
    assert ask(any_ledger, person(step=DATED, due_at=due_at), step=DATED, run=late) == {"condition_false": 1}
    # The journey goes on, a day after it came to the reminder.
    soon = Run("run-3", "build-3", NOON + DAY - timedelta(seconds=1))
    assert ask(any_ledger, person(step=third), step=third, run=soon) == {"not_due": 1}
    then = Run("run-4", "build-4", NOON + DAY)
    assert ask(any_ledger, person(step=third), step=third, run=then) == {"planned": 1}


@pytest.mark.parametrize(
    ("due_at", "reason"), [(NOON - HOUR, "planned"), (NOON - 2 * HOUR, "condition_false")]
)
def test_the_first_step_comes_with_the_trigger(ledger, due_at, reason):
    first = replace(DATED, name="first", previous=(), templates={"": "cart/first"})
    assert ask(ledger, person(step=first, due_at=due_at), step=first) == {reason: 1}


# ------------------------------------------------------------------------------ frequency cap


def test_the_cap_counts_all_flows_and_lets_go_when_the_window_has_passed(any_ledger):
    capped = replace(FIRST, cap=parse_cap("1 per 16 hours"))
    ask(any_ledger, person(flow="flow_other"), step=replace(FIRST, flow="flow_other"))

    assert ask(any_ledger, person(), person(2), step=capped) == {"frequency_cap": 1, "planned": 1}
    later = Run("run-2", "build-2", NOON + 16 * HOUR)
    assert ask(any_ledger, person(), person(2), step=capped, run=later) == {"decided_before": 1, "planned": 1}


def test_of_two_carts_the_younger_is_written_about(any_ledger):
    capped = replace(FIRST, cap=parse_cap("1 per 16 hours"))
    old = person(occurrence_id="old", occurred_at=NOON - 3 * HOUR)
    young = person(occurrence_id="young", occurred_at=NOON - 2 * HOUR)
    assert ask(any_ledger, old, young, step=capped) == {"frequency_cap": 1, "planned": 1}
    with any_ledger.read() as connection:
        assert connection.execute(select(message.c.occurrence_id)).scalar_one() == "young"


def test_who_was_written_to_under_another_id_has_got_that_message(any_ledger):
    capped = replace(FIRST, cap=parse_cap("1 per 1 day"))
    ask(any_ledger, person(1, flow="flow_other"), step=replace(FIRST, flow="flow_other"))
    merged = Gate(merged={"shop-1": "shop-9", "shop-2": "shop-9"})
    # 2 goes on under an older id of the same person.
    people = [person(2, occurred_at=NOON - 2 * HOUR), person(3), person(9)]
    assert ask(any_ledger, *people, step=capped, gate=merged) == {"frequency_cap": 2, "planned": 1}
    later = Run("run-2", "build-2", NOON + DAY)
    assert ask(any_ledger, *people, step=capped, run=later) == {
        "decided_before": 1,
        "frequency_cap": 1,
        "planned": 1,
    }
    assert reasons(any_ledger)["first", "shop-9"] == "planned"
    # Taken apart again they are two people.
    last = Run("run-3", "build-3", NOON + DAY)
    apart = ask(any_ledger, *people, step=capped, run=last, gate=Gate(merged={}))
    assert apart == {"decided_before": 2, "planned": 1}


# ------------------------------------------------------------------------------ again, at once, dry


def test_what_is_final_stays_and_what_is_open_is_asked_again(ledger):
    ask(ledger, person(has_consent=False), person(2, due_at=NOON + HOUR))
    later = Run("run-2", "build-2", NOON + HOUR)
    counts = ask(ledger, person(), person(2, due_at=NOON + HOUR), run=later)
    assert counts == {"decided_before": 1, "planned": 1}
    assert reasons(ledger) == {("first", "shop-1"): "no_consent", ("first", "shop-2"): "planned"}


def test_an_unchanged_open_decision_is_not_written_again(ledger):
    def written():
        with ledger.read() as connection:
            return connection.execute(select(decision.c.updated_at, decision.c.run_id)).one()

    ask(ledger, person(due_at=NOON + HOUR))
    before = written()
    ask(ledger, person(due_at=NOON + HOUR), run=Run("run-2", "build-2", NOON + timedelta(minutes=1)))
    assert written() == before


def test_a_dry_run_counts_and_writes_nothing(any_ledger):
    people = [person(1), person(2, has_consent=False)]
    assert ask(any_ledger, *people, is_dry=True) == {"no_consent": 1, "planned": 1}
    assert [count(any_ledger, table) for table in (candidate, decision, message, batch)] == [0, 0, 0, 0]


def test_a_run_that_dies_leaves_nothing(ledger):
    def dying():
        yield [person(1)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decide(ledger, FIRST, RUN, dying(), Gate(), NO_LIMITS)
    assert [count(ledger, table) for table in (candidate, decision, message, batch)] == [0, 0, 0, 0]
    assert ask(ledger, person(1)) == {"planned": 1}


def test_an_occurrence_that_comes_twice_is_an_error_without_personal_data(any_ledger):
    with pytest.raises(BadCandidates, match=r"flow_cart, step first: a row of triggers\.left") as error:
        ask(any_ledger, person(1), person(2), person(1))
    assert "example.org" not in "".join(traceback.format_exception(error.value))
    assert count(any_ledger, candidate) == 0


def test_two_runs_at_once_plan_everyone_once(any_ledger):
    people = [person(number) for number in range(300)]
    found, start = [], threading.Barrier(4)

    def run(name: str) -> None:
        shuffled = sorted(people, key=lambda row: hash((name, row["contact_id"])))
        start.wait()
        found.append(decide(any_ledger, FIRST, Run(name, "build", NOON), [shuffled], Gate(), NO_LIMITS))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b", "c", "a")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum((Counter(counts) for counts in found), Counter()) == {"planned": 300, "decided_before": 900}
    assert count(any_ledger, message) == 300
    assert count(any_ledger, decision) == 300
    assert count(any_ledger, batch) == 1


def test_two_flows_at_once_keep_to_the_cap_together(any_ledger):
    cap = parse_cap("1 per 1 day")
    steps = [replace(FIRST, flow=f"flow_{name}", cap=cap) for name in "abcd"]
    start = threading.Barrier(len(steps))

    def run(step: Step) -> None:
        def together():
            with contextlib.suppress(threading.BrokenBarrierError):
                start.wait(1)  # everybody is inside the transaction, unless they have to queue for it
            yield [person(number, step) for number in range(200)]

        decide(any_ledger, step, RUN, together(), Gate(), NO_LIMITS)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(any_ledger, message) == 200
    assert count(any_ledger, decision) == 800


# ------------------------------------------------------------------------------ whatever the world

_hours = st.integers(-80, 80).map(lambda hours: NOON + hours * HOUR)
_people = st.lists(
    st.builds(
        lambda contact, cart, **different: person(contact, occurrence_id=f"cart-{cart}", **different),
        contact=st.integers(1, 6),
        cart=st.integers(1, 3),
        occurred_at=_hours,
        due_at=_hours,
        is_goal_reached=st.sampled_from([True, False, False]),
        is_condition_met=st.sampled_from([True, True, False]),
        has_consent=st.sampled_from([True, True, False]),
        language=st.sampled_from(["de", "en"]),
        item_count=st.integers(0, 2),
    ),
    max_size=12,
    unique_by=lambda row: (row["contact_id"], row["occurrence_id"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=_people,
    suppressed=st.sets(st.integers(1, 6), max_size=2),
    cap=st.sampled_from([None, "1 per 16 hours", "2 per 1 day"]),
    later=st.integers(0, 100),
)
def test_invariants(people, suppressed, cap, later, tmp_path_factory):
    ledger = Ledger.open(Connection("ledger", "sqlite", str(tmp_path_factory.mktemp("world") / "ledger.db")))
    metadata.create_all(ledger.engine)
    stopped = {f"person{number}@example.org" for number in suppressed}
    suppress(ledger, [{"address": address} for address in stopped], "complaint", "test")
    first, second = replace(FIRST, cap=parse_cap(cap) if cap else None), replace(SECOND, cap=None)
    seconds = [row | {"step": "second", "delay": 86400} for row in people]

    def everything(run: Run) -> None:
        ask(ledger, *people, step=first, run=run)
        ask(ledger, *seconds, step=second, run=run)

    def state() -> tuple[list[Any], list[Any]]:
        columns = (decision.c.step, decision.c.contact_id, decision.c.occurrence_id, decision.c.reason)
        texts = (message.c.step, message.c.contact_id, message.c.occurrence_id, message.c.address)
        with ledger.read() as connection:
            return (
                sorted(tuple(row) for row in connection.execute(select(*columns))),
                sorted(tuple(row) for row in connection.execute(select(*texts))),
            )

    everything(RUN)
    decisions, messages = state()
    assert Counter(row[:3] for row in decisions) == Counter(
        (row["step"], row["contact_id"], row["occurrence_id"]) for row in people + seconds
    ), "each candidate has exactly one decision"

    everything(RUN)
    everything(replace(RUN, run_id="run-2"))
    assert state() == (decisions, messages), "again, and in another run: nothing changes"

    everything(Run("run-3", "build-3", NOON + later * HOUR))
    decisions_later, messages = state()
    final = {row[:3] for row in decisions if row[3] in ("planned", "expired", "no_consent", "suppressed")}
    assert {row for row in decisions if row[:3] in final} <= set(decisions_later), "final decisions stay"
    planned = [row[:3] for row in decisions_later if row[3] == "planned"]
    assert sorted(row[:3] for row in messages) == sorted(planned), "a message exists if and only if planned"
    assert not {row[3] for row in messages} & stopped, "nobody suppressed is written to"
    if cap:
        at_once = Counter(row[1] for row in decisions if row[0] == "first" and row[3] == "planned")
        assert max(at_once.values(), default=0) <= parse_cap(cap).messages
    with ledger.read() as connection:
        sizes = (
            select(batch.c.id, batch.c.size, func.count(message.c.message_key))
            .join(message)
            .group_by(batch.c.id)
        )
        assert all(size == found for _, size, found in connection.execute(sizes))
