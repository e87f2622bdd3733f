"""The life of a batch: claims, last questions, answers, doubt."""

from __future__ import annotations

import threading
from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kreislauf.ledger import batches, consents
from kreislauf.ledger.batches import LEASE, Claimed, Verdict
from kreislauf.ledger.consents import Statement
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.hours import Hours, QuietHours
from kreislauf.ledger.people import remember
from kreislauf.ledger.schema import BatchState, ConsentState, batch, message
from kreislauf.ledger.store import EVERYTHING, Ledger, utc_now
from kreislauf.ledger.suppressions import suppress
from kreislauf.ledger.testing import AS_OF, plan_people

WEEKLY = FrequencyCap(1, timedelta(days=7))


def _claim(ledger: Ledger, flow: str = "flow_welcome", **options: Any) -> Claimed | None:
    return batches.claim(ledger, flow, "hello", "me", options.pop("now", utc_now()), **options)


def _states(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as connection:
        rows = batches.message_states(connection)
    return {f"{row.state} {row.reason}".strip(): row.messages for row in rows}


def _batch(ledger: Ledger) -> Any:
    with ledger.read() as connection:
        return connection.execute(select(batch)).one()


def test_a_batch_is_claimed_once(ledger: Ledger) -> None:
    plan_people(ledger, [f"c{n}" for n in range(40)], batch_size=2)
    claimed: list[str] = []

    def claim_all() -> None:
        while found := _claim(ledger):
            claimed.append(found.id)

    claimers = [threading.Thread(target=claim_all) for _ in range(4)]
    for claimer in claimers:
        claimer.start()
    for claimer in claimers:
        claimer.join()
    assert len(claimed) == len(set(claimed)) == 20


def test_the_kill_switch_stops_the_next_claim(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    ledger.pause(EVERYTHING, "eve")
    assert _claim(ledger) is None
    ledger.resume(EVERYTHING, "eve")
    ledger.pause("flow_other", "eve")
    assert _claim(ledger) is not None


def test_who_was_suppressed_after_planning_is_skipped(ledger: Ledger) -> None:
    plan_people(ledger, ["ada", "bob", "cy"])
    suppress(ledger, [{"address": "ada@example.org"}], "complaint", "event")
    suppress(ledger, [{"address": "old@example.org", "contact_id": "bob"}], "opt_out", "web")
    claimed = _claim(ledger)
    assert [row.address for row in claimed.messages] == ["cy@example.org"]
    assert claimed.skipped == {"suppressed": 2}
    assert _states(ledger) == {"claimed": 1, "skipped suppressed": 2}


def test_who_revoked_consent_after_planning_is_skipped(ledger: Ledger) -> None:
    plan_people(ledger, ["ada", "bob"])

    def say(name: str, state: ConsentState, key: str, minutes: int) -> Statement:
        when = utc_now() + timedelta(minutes=minutes)
        return Statement(f"{name}@example.org", state, "shop", key, when)

    statements = [
        say("ada", ConsentState.REVOKED, "1", 0),
        say("bob", ConsentState.REVOKED, "2", 0),
        say("bob", ConsentState.GRANTED, "3", 1),
    ]
    assert consents.record(ledger, statements) == 3
    assert consents.record(ledger, statements) == 0
    assert [row.address for row in _claim(ledger).messages] == ["bob@example.org"]
    assert _states(ledger) == {"claimed": 1, "skipped no_consent": 1}


def test_a_revocation_known_when_it_was_planned_is_the_planners_business(ledger: Ledger) -> None:
    long_ago = utc_now() - timedelta(days=400)
    consents.record(ledger, [Statement("ada@example.org", ConsentState.REVOKED, "shop", "1", long_ago)])
    plan_people(ledger, ["ada"])
    assert len(_claim(ledger).messages) == 1


def test_of_several_caps_each_counts_its_own_window_and_flow(ledger: Ledger) -> None:
    day = timedelta(days=1)
    caps = [FrequencyCap(1, day), FrequencyCap(2, 7 * day), FrequencyCap(1, 7 * day, "flow_welcome")]
    before = {
        "ada": [("flow_cart", 2)],
        "bob": [("flow_cart", 0.5)],
        "cy": [("flow_cart", 2), ("flow_cart", 3)],
        "dot": [("flow_welcome", 2)],
        "eve": [("flow_welcome", 8), ("flow_cart", 8)],
    }
    for name, sent in before.items():
        for number, (flow, days) in enumerate(sent):
            as_of = AS_OF - days * day
            plan_people(ledger, [name], flow=flow, as_of=as_of, occurrence=f"{number}", run_id="before")
            batches.answer(ledger, _claim(ledger, flow), Verdict(BatchState.ACCEPTED))
    plan_people(ledger, before, run_id="run-2", caps=caps)
    claimed = _claim(ledger, as_of=AS_OF)
    assert sorted(row.contact_id for row in claimed.messages) == ["ada", "eve"]
    assert claimed.skipped == {"frequency_cap": 3}


def test_the_cap_counts_messages_of_other_flows(ledger: Ledger) -> None:
    plan_people(ledger, ["ada", "bob"], flow="flow_cart", as_of=AS_OF - timedelta(days=2))
    suppress(ledger, [{"address": "bob@example.org"}], "soft_bounce", "x")
    sent = _claim(ledger, "flow_cart")
    batches.answer(ledger, sent, Verdict(BatchState.ACCEPTED))
    plan_people(ledger, ["ada", "cy"], run_id="run-2", caps=[WEEKLY])
    claimed = _claim(ledger)
    assert [row.address for row in claimed.messages] == ["cy@example.org"]
    assert claimed.skipped == {"frequency_cap": 1}


def test_the_cap_forgets_and_does_not_count_what_was_refused(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"], flow="flow_cart", as_of=AS_OF - timedelta(days=8))
    batches.answer(ledger, _claim(ledger, "flow_cart"), Verdict(BatchState.ACCEPTED))
    plan_people(ledger, ["ada"], flow="flow_tips", run_id="run-2", as_of=AS_OF - timedelta(days=1))
    batches.answer(ledger, _claim(ledger, "flow_tips"), Verdict(BatchState.REJECTED))
    plan_people(ledger, ["ada"], run_id="run-3", caps=[WEEKLY])
    assert len(_claim(ledger).messages) == 1


def test_the_cap_counts_within_a_batch(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"], caps=[WEEKLY])
    plan_people(ledger, ["ada"], run_id="run-2", occurrence="second", caps=[WEEKLY])
    with ledger.write() as connection:  # two occurrences of one person in one batch
        first = connection.execute(select(batch.c.id).order_by(batch.c.id)).scalars().first()
        connection.execute(message.update().values(batch_id=first))
    assert _claim(ledger).skipped == {"frequency_cap": 1}


def test_what_waited_too_long_is_not_sent(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"], expires_at=AS_OF + timedelta(hours=1))
    claimed = _claim(ledger, as_of=AS_OF + timedelta(days=3))
    assert claimed.messages == []
    assert _states(ledger) == {"skipped expired": 1}
    assert _batch(ledger).state == "rejected"  # closed: nothing is left open
    assert _claim(ledger) is None


def test_what_is_late_waits_for_the_night_to_end(ledger: Ledger) -> None:
    night = Hours(quiet=QuietHours(time(22), time(6)))
    plan_people(ledger, ["ada"], hours=night, timezone="Europe/Berlin")
    plan_people(ledger, ["bob"], run_id="run-2", hours=night, timezone="America/New_York")
    late = AS_OF.replace(hour=23)  # midnight in Berlin, six in the evening in New York
    assert [row.address for row in _claim(ledger, as_of=late).messages] == ["bob@example.org"]
    assert _claim(ledger, as_of=late) is None
    assert _states(ledger) == {"planned": 1, "claimed": 1}

    morning = AS_OF + timedelta(hours=23)
    assert _claim(ledger, as_of=morning - timedelta(seconds=1)) is None
    claimed = _claim(ledger, as_of=morning)
    assert ([row.address for row in claimed.messages], claimed.attempt) == (["ada@example.org"], 1)


def test_the_cap_counts_what_was_late_when_it_went_out(ledger: Ledger) -> None:
    """Monday's mail was held back until Sunday; a mail of the Monday after comes too soon."""
    plan_people(ledger, ["ada"], flow="flow_cart")
    _claim(ledger, "flow_cart", as_of=AS_OF + timedelta(days=6))
    plan_people(ledger, ["ada"], run_id="run-2", as_of=AS_OF + timedelta(days=8), caps=[WEEKLY])
    assert _claim(ledger, as_of=AS_OF + timedelta(days=8)).skipped == {"frequency_cap": 1}


def test_a_throttled_batch_waits(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    now = utc_now()
    later = now + timedelta(minutes=5)
    batches.answer(ledger, _claim(ledger), Verdict(BatchState.PLANNED, http_status=429, not_before=later))
    assert _claim(ledger, now=now) is None
    assert _claim(ledger, now=later).attempt == 2


def test_an_answer_to_an_older_claim_changes_nothing(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    first = _claim(ledger)
    batches.answer(ledger, first, Verdict(BatchState.PLANNED))
    _claim(ledger)
    batches.answer(ledger, first, Verdict(BatchState.PLANNED))
    assert _batch(ledger).state == "claimed"


def test_a_dead_senders_batch_is_in_doubt_after_its_lease_and_stays_there(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    now = utc_now()
    claimed = _claim(ledger, now=now)
    assert batches.sweep(ledger, now + LEASE - timedelta(seconds=1)) == 0
    assert batches.sweep(ledger, now + LEASE + timedelta(seconds=1)) == 1
    assert _batch(ledger).state == "in_doubt"
    assert _claim(ledger) is None
    batches.answer(ledger, claimed, Verdict(BatchState.ACCEPTED, 202))  # it was only slow
    assert _batch(ledger).state == "accepted"


def test_a_person_settles_doubt(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    claimed = _claim(ledger)
    with pytest.raises(ValueError, match="not in doubt"):
        batches.resolve(ledger, claimed.id, "accepted", "eve")
    batches.answer(ledger, claimed, Verdict(BatchState.IN_DOUBT))
    with pytest.raises(ValueError, match="not claimed"):
        batches.resolve(ledger, claimed.id, "claimed", "eve")
    batches.resolve(ledger, claimed.id, "planned", "eve")
    assert (_batch(ledger).state, _batch(ledger).settled_by) == ("planned", "eve")
    assert _claim(ledger) is not None


def test_an_answer_can_divide_a_batch(ledger: Ledger) -> None:
    plan_people(ledger, ["ada", "bob", "cy", "di"])
    claimed = _claim(ledger)
    keys = {row.address[:2]: row.message_key for row in claimed.messages}
    verdict = Verdict(
        BatchState.ACCEPTED,
        rejected={keys["ad"]: "550"},
        in_doubt={keys["bo"]},
        unsent={keys["cy"]},
    )
    batches.answer(ledger, claimed, verdict)
    assert _states(ledger) == {"accepted": 1, "in_doubt": 1, "planned": 1, "rejected 550": 1}
    assert [row.address for row in _claim(ledger).messages] == ["cy@example.org"]


def test_the_cap_counts_a_person_and_not_an_id(ledger: Ledger) -> None:
    for flow, people in (("flow_a", ["ada"]), ("flow_b", ["ada-of-crm", "bob"]), ("flow_c", ["ada-of-shop"])):
        plan_people(ledger, people, flow=flow, caps=[WEEKLY])
    with ledger.write() as connection:
        remember(connection, {"ada-of-crm": "ada", "ada-of-shop": "ada"})
    sent = {}
    for flow in ("flow_a", "flow_b", "flow_c"):
        claimed = _claim(ledger, flow, as_of=AS_OF)
        assert claimed is not None
        sent[flow] = [row.contact_id for row in claimed.messages]
        if claimed.messages:
            batches.answer(ledger, claimed, Verdict(BatchState.ACCEPTED))
    assert sent == {"flow_a": ["ada"], "flow_b": ["bob"], "flow_c": []}
