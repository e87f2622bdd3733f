"""A message that waits is taken back when a newer build knows no consent any more, or a goal reached."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.event import listen

from kreislauf.flow.conditions import Fact, Member, Stage
from kreislauf.flow.withdraw import goal_of, withdraw
from kreislauf.ledger.batches import message_states
from kreislauf.ledger.schema import decision, message
from kreislauf.ledger.store import utc_now
from kreislauf.ledger.testing import AS_OF, plan_people
from kreislauf.warehouse.engines.base import BuildInfo
from tests.properties.circuit import Tables

LATER = AS_OF + timedelta(hours=8)
ROWS = {
    "core.contact_keys": [
        {"record_id": "ada", "contact_id": "ada"},
        {"record_id": "bob", "contact_id": "bob"},
        {"record_id": "o'cy", "contact_id": "ada"},
    ],
    "core.permissions": [
        {"contact_id": "ada", "channel": "email", "topic": "marketing"},
        {"contact_id": "bob", "channel": "sms", "topic": "marketing"},
        {"contact_id": "bob", "channel": "email", "topic": "recipes"},
    ],
}


def states(ledger) -> dict[str, int]:
    with ledger.read() as connection:
        return {f"{row.state} {row.reason}".strip(): row.messages for row in message_states(connection)}


@pytest.mark.parametrize(
    ("built_at", "due_by", "taken_back"),
    [(LATER, LATER, 2), (AS_OF, LATER, 0), (LATER, AS_OF - timedelta(hours=1), 0)],
)
def test_only_what_was_planned_before_the_build_and_is_due(ledger, built_at, due_by, taken_back):
    plan_people(ledger, ["ada", "bob", "o'cy", "gone"])
    build = BuildInfo("b", built_at)
    assert withdraw(ledger, Tables(ROWS), build, due_by) == taken_back
    assert withdraw(ledger, Tables(ROWS), build, due_by) == 0
    assert states(ledger).get("skipped no_consent", 0) == taken_back
    assert states(ledger)["planned"] == 4 - taken_back


def test_what_was_claimed_is_gone(ledger):
    from kreislauf.ledger.batches import claim

    plan_people(ledger, ["bob"])
    claim(ledger, "flow_welcome", "hello", "me", utc_now())
    assert withdraw(ledger, Tables(ROWS), BuildInfo("b", LATER), LATER) == 0
    assert states(ledger) == {"claimed": 1}


# ----------------------------------------------------------------------------------- goals

HOUR = timedelta(hours=1)
PERMITTED = {
    "core.contact_keys": [
        *ROWS["core.contact_keys"],
        {"record_id": "cy", "contact_id": "cy"},
        {"record_id": "dan", "contact_id": "dan"},
    ],
    "core.visitor_keys": [{"visitor_id": "browser-7", "contact_id": "ada"}],
    "core.permissions": [
        {"contact_id": name, "channel": "email", "topic": "marketing"} for name in ("ada", "bob", "cy", "dan")
    ],
}
GOALS = {
    "of the person": (
        Fact("ordered"),
        {
            "conditions.ordered": [
                {"contact_id": "ada", "occurred_at": AS_OF + HOUR},
                {"contact_id": "ada", "occurred_at": AS_OF - HOUR},
                {"contact_id": "bob", "occurred_at": AS_OF - HOUR},
                {"contact_id": "cy", "occurred_at": LATER + HOUR},
            ]
        },
        {"ada", "o'cy"},
    ),
    "of the occurrence": (
        Fact("bought_again", is_of_occurrence=True),
        {
            "conditions.bought_again": [
                {"contact_id": "ada", "occurrence_id": "first", "occurred_at": AS_OF + HOUR},
                {"contact_id": "bob", "occurrence_id": "second", "occurred_at": AS_OF + HOUR},
            ]
        },
        {"ada", "o'cy"},
    ),
    "a segment": (Member("big_spenders"), {"segments.big_spenders": [{"contact_id": "bob"}]}, {"bob"}),
    "a stage": (
        Stage("sql"),
        {
            "lifecycle.stage": [
                {"contact_id": "cy", "stage": "sql"},
                {"contact_id": "ada", "stage": "lead"},
            ]
        },
        {"cy"},
    ),
}


def plan(ledger, *contacts: str, **more) -> None:
    """Messages with the decisions that they come of."""
    plan_people(ledger, contacts, **more)
    with ledger.write() as connection:
        mine = (message.c.contact_id.in_(contacts), message.c.flow == more.get("flow", "flow_welcome"))
        rows = connection.execute(select(message).where(*mine)).all()
        of_message = ("flow", "step", "contact_id", "occurrence_id")
        given = {"flow_version": "v1", "reason": "planned", "is_final": True, "occurred_at": AS_OF}
        given |= {"as_of": AS_OF, "build_id": "b", "run_id": "run-1", "updated_at": utc_now()}
        connection.execute(
            insert(decision), [{name: getattr(row, name) for name in of_message} | given for row in rows]
        )


def skipped(ledger) -> dict[str, str]:
    with ledger.read() as connection:
        found = select(message.c.contact_id, message.c.outcome_reason).where(message.c.outcome == "skipped")
        return dict(connection.execute(found).tuples().all())


@pytest.mark.parametrize("kind", GOALS)
def test_who_has_reached_the_goal_meanwhile_is_not_written_to(any_ledger, kind):
    goal, tables, reached = GOALS[kind]
    plan(any_ledger, "ada", "bob", "cy", "dan", "o'cy")
    given = (Tables(PERMITTED | tables), BuildInfo("b", LATER), LATER)
    assert withdraw(any_ledger, *given, goal_of={"flow_welcome": goal}.get) == len(reached)
    assert withdraw(any_ledger, *given, goal_of={"flow_welcome": goal}.get) == 0
    assert skipped(any_ledger) == dict.fromkeys(reached, "goal_reached")


def test_a_goal_needs_neither_consent_nor_an_inbox(ledger):
    """What is shown to a visitor, who was unknown or was recognised since, ends with its journey too."""
    plan(ledger, "browser-7", "browser-8", "browser-9")
    with ledger.write() as connection:
        connection.execute(update(message).values(channel="onsite"))
    identified = [
        {"contact_id": "ada", "occurred_at": AS_OF + HOUR},
        {"contact_id": "browser-8", "occurred_at": AS_OF + HOUR},
    ]
    tables = Tables(PERMITTED | {"conditions.identified": identified})
    goals = {"flow_welcome": Fact("identified")}
    assert withdraw(ledger, tables, BuildInfo("b", LATER), LATER, goal_of=goals.get) == 2
    assert skipped(ledger) == dict.fromkeys(["browser-7", "browser-8"], "goal_reached")


def test_a_flow_is_asked_for_its_goal_as_its_file_has_it_and_a_campaign_has_none():
    assert goal_of("flow_abandoned_cart") == Fact("ordered")
    assert goal_of("flow_welcome") is None and goal_of("campaign_newsletter") is None


def test_one_flow_only_and_none_that_is_paused(ledger):
    plan(ledger, "gone")
    plan(ledger, "gone", flow="flow_winback")
    build = BuildInfo("b", LATER)
    ledger.pause("flow_welcome", "eve")
    assert withdraw(ledger, Tables(ROWS), build, LATER, "flow_welcome") == 0
    assert withdraw(ledger, Tables(ROWS), build, LATER) == 1
    ledger.resume("flow_welcome", "eve")
    assert withdraw(ledger, Tables(ROWS), build, LATER, "flow_winback") == 0
    assert withdraw(ledger, Tables(ROWS), build, LATER, "flow_welcome") == 1


def test_they_are_looked_at_in_lists_that_do_not_grow(ledger, monkeypatch):
    monkeypatch.setattr("kreislauf.flow.withdraw._AT_A_TIME", 4)
    plan(ledger, *(f"gone-{number}" for number in range(10)), batch_size=3)
    asked = []

    class Asked(Tables):
        def query(self, sql, params=None, build_id=""):
            asked.append(params)
            return super().query(sql, params, build_id)

    assert withdraw(ledger, Asked(ROWS), BuildInfo("b", LATER), LATER) == 10
    assert [len(params) for params in asked] == [4, 4, 2]
    assert {name for params in asked for name in params.values()} == {
        f"gone-{number}" for number in range(10)
    }


def test_where_nothing_waits_it_is_one_query_of_the_ledger(ledger):
    plan_people(ledger, ["ada"])
    asked = []
    listen(ledger.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert withdraw(ledger, None, BuildInfo("b", AS_OF), LATER, "flow_welcome") == 0
    assert len([sql for sql in asked if sql.startswith("SELECT")]) == len(asked) - 2 == 1, asked
    with ledger.read() as connection:
        plan_of = connection.exec_driver_sql(
            "explain query plan " + asked[-1], ("planned", "flow_welcome", "2026", "2026", "all")
        )
        assert "SCAN message" not in " ".join(row[3] for row in plan_of)
