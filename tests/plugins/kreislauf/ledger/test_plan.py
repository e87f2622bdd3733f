"""Planning: one message an occurrence, in batches, however often and by however many."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import func, insert, select

from kreislauf.ledger.plan import plan
from kreislauf.ledger.schema import batch, candidate, decision, message
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
    plan_people(ledger, ["ada"], expires_at=AS_OF + timedelta(days=1), merge={"voucher_code": "X"})
    with ledger.write() as connection:
        row = {
            "run_id": "run-1",
            "flow": "flow_welcome",
            "step": "hello",
            "contact_id": "ada",
            "occurrence_id": "first",
            "occurred_at": AS_OF,
            "due_at": AS_OF,
            "is_condition_met": True,
            "has_consent": True,
            "address": "other@example.org",
            "language": "de",
            "merge": {},
        }
        connection.execute(insert(candidate).values(row))
        assert plan(connection, "run-1", "flow_welcome", "hello", "welcome/hello", AS_OF) == 0
    (only,) = _messages(ledger)
    assert (only.address, only.merge, only.expires_at) == (
        "ada@example.org",
        {"voucher_code": "X"},
        AS_OF + timedelta(days=1),
    )
    assert len(_batches(ledger)) == 1


def test_only_what_this_run_decided_to_plan_is_planned(ledger: Ledger) -> None:
    plan_people(ledger, ["ada"])
    with ledger.write() as connection:
        connection.execute(decision.update().values(reason="suppressed"))
        connection.execute(message.delete())
        asked = {"run_id": "run-1", "flow": "flow_welcome", "step": "hello", "contact_id": "ada"}
        asked |= {"occurrence_id": "first", "occurred_at": AS_OF, "due_at": AS_OF, "language": "de"}
        asked |= {"is_condition_met": True, "has_consent": True, "address": "ada@example.org", "merge": {}}
        connection.execute(insert(candidate).values(asked))
        assert plan(connection, "run-1", "flow_welcome", "hello", "welcome/hello", AS_OF) == 0


def test_two_planners_at_once_plan_once(ledger: Ledger) -> None:
    """Two runs ask about the same people in the same moment: one message each, no empty batch."""
    people = [f"c{n}" for n in range(300)]
    shared = {"flow": "flow_welcome", "step": "hello", "occurrence_id": "first"}
    asked = {"occurred_at": AS_OF, "due_at": AS_OF, "is_condition_met": True, "has_consent": True}
    asked |= {"language": "de", "merge": {}}
    decided = {"flow_version": "1", "reason": "planned", "is_final": True, "as_of": AS_OF}
    decided |= {"build_id": "b", "updated_at": AS_OF, "run_id": "run-1"}
    with ledger.write() as connection:
        connection.execute(insert(decision), [{**shared, **decided, "contact_id": name} for name in people])
        connection.execute(
            insert(candidate),
            [
                {**shared, **asked, "run_id": "run-1", "contact_id": name, "address": f"{name}@example.org"}
                for name in people
            ],
        )
    planned = []

    def plan_all() -> None:
        with ledger.write() as connection:
            planned.append(plan(connection, "run-1", "flow_welcome", "hello", "welcome/hello", AS_OF, 50))

    planners = [threading.Thread(target=plan_all) for _ in range(3)]
    for planner in planners:
        planner.start()
    for planner in planners:
        planner.join()
    assert sorted(planned) == [0, 0, 300]
    assert [row.size for row in _batches(ledger)] == [50] * 6
