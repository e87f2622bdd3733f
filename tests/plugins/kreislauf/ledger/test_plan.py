"""Planning: one message an occurrence, in batches, however often and by however many."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import func, insert, select, update

from kreislauf.ledger.schema import BatchState, batch, message, voucher
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.testing import AS_OF, plan_people


def _batches(ledger: Ledger) -> list:
    with ledger.read() as connection:
        return connection.execute(select(batch).order_by(batch.c.id)).all()


def _messages(ledger: Ledger) -> list:
    with ledger.read() as connection:
        return connection.execute(select(message)).all()


def test_batches_are_full_and_alike(ledger: Ledger) -> None:
    assert plan_people(ledger, [f"de{n}" for n in range(25)], language="de", batch_size=10) == 25
    assert plan_people(ledger, ["en1"], run_id="run-2") == 1
    assert plan_people(ledger, ["two1", "two2"], run_id="run-3", item_count=2, variant="short") == 2

    found = [(row.language, row.item_count, row.variant, row.size) for row in _batches(ledger)]
    assert sorted(found) == sorted(
        [("de", 0, "", 10), ("de", 0, "", 10), ("de", 0, "", 5), ("en", 0, "", 1), ("en", 2, "short", 2)]
    )
    with ledger.read() as connection:
        counted = connection.execute(
            select(batch.c.size, func.count())
            .join(message, message.c.batch_id == batch.c.id)
            .group_by(batch.c.id, batch.c.size)
        )
        assert all(size == number for size, number in counted)


def test_keys_are_opaque_and_all_different(ledger: Ledger) -> None:
    plan_people(ledger, [f"c{n}" for n in range(200)])
    keys = {row.message_key for row in _messages(ledger)}
    assert len(keys) == 200
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in keys)


def test_what_has_a_message_gets_no_second_one(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"], expires_at=AS_OF + timedelta(days=1), merge={"size": 38})
    again = {"run_id": "run-2", "address": "other@example.org", "language": "de"}
    assert plan_people(ledger, ["ada"], **again) == 0
    (only,) = _messages(ledger)
    found = (only.address, only.merge, only.expires_at)
    assert found == ("ada@example.org", {"size": 38}, AS_OF + timedelta(days=1))
    assert len(_batches(ledger)) == 1


def test_only_what_this_run_decided_to_plan_is_planned(ledger: Ledger) -> None:
    assert plan_people(ledger, ["ada"], reason="suppressed") == 0
    assert plan_people(ledger, ["ada"], reason=None) == 0
    assert _messages(ledger) == _batches(ledger) == []


def test_codes_are_for_what_is_still_to_be_sent(ledger: Ledger) -> None:
    old, new = [f"old{n}" for n in range(20)], ["ada", "bob", "cy"]
    plan_people(ledger, old)
    with ledger.write() as connection:
        connection.execute(update(batch).values(state=BatchState.ACCEPTED.value))
        codes = [{"code": f"c{n}", "pool": "welcome", "created_at": AS_OF} for n in range(len(new))]
        connection.execute(insert(voucher), codes)
    plan_people(ledger, new, run_id="run-2", voucher="welcome")
    with ledger.read() as connection:
        given = connection.scalars(
            select(message.c.contact_id).join(voucher, voucher.c.message_key == message.c.message_key)
        )
        assert sorted(given) == new


def test_a_test_of_delays_has_one_template(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"], variant="short", templates={"": "welcome/hello"})
    plan_people(ledger, ["bob"], run_id="run-2", variant="b", templates={"a": "welcome/a", "b": "welcome/b"})
    assert {row.template for row in _batches(ledger)} == {"welcome/hello", "welcome/b"}


def test_two_planners_at_once_plan_once(ledger: Ledger) -> None:
    """Runs that plan the same people in the same moment, queued as deciding is: one message each."""
    planned = []

    def plan_all(run_id: str) -> None:
        people = [f"c{n}" for n in range(300)]
        planned.append(plan_people(ledger, people, run_id=run_id, batch_size=50))

    planners = [threading.Thread(target=plan_all, args=(f"run-{n}",)) for n in range(3)]
    for planner in planners:
        planner.start()
    for planner in planners:
        planner.join()
    assert sorted(planned) == [0, 0, 300]
    assert [row.size for row in _batches(ledger)] == [50] * 6
