"""Who a step asks about, from the tables the real SQL files give, on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from kreislauf.flow import Email, Flow, Test
from kreislauf.flow.candidates import candidates, gate, occurrences
from kreislauf.flow.decide import Gate, Run
from kreislauf.flow.testing import publish

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOBODY_HELD_OUT = Fraction(0)
DAGS = Path(__file__).parents[4] / "dags"

CART = Flow(
    "cart_abandoned",
    [
        Email("reminder", after=Test(short="1 hour", long="4 hours")),
        Email("last_call", after="1 day", unless="ordered", fields={"voucher_code": "BACK5"}),
    ],
    goal="ordered",
)
REMINDER, LAST_CALL = CART.resolve(DAGS / "flow" / "abandoned_cart.py")

ADA = {
    "contact_id": "shop-1",
    "email": "ada@example.org",
    "language": "de",
    "first_name": "Ada",
    "last_name": "Müller",
    "salutation": "Frau",
    "email_consent": "granted",
}
NOBODY = {"contact_id": "shop-2", "language": "en", "email_consent": "pending"}


def cart(contact: str, occurrence: str, occurred_at: datetime) -> dict:
    return {
        "contact_id": contact,
        "occurrence_id": occurrence,
        "occurred_at": occurred_at,
        "url": f"https://shop.example/cart/{occurrence}",
        "total_amount": Decimal("138.90"),
        "currency": "EUR",
    }


def item(occurrence: str, position: int, title: str, contact: str = "shop-1") -> dict:
    return {
        "contact_id": contact,
        "occurrence_id": occurrence,
        "position": position,
        "title": title,
        "unit_amount": Decimal("24.95"),
        "quantity": 2,
    }


def ask(engine, step, rows, as_of=NOON):
    build = publish(engine, as_of, {"core.contacts": [ADA, NOBODY], **rows})
    run = Run("run-1", build.build_id, as_of)
    lists = candidates(engine, step, run, NOBODY_HELD_OUT)
    return {row["occurrence_id"]: row for rows in lists for row in rows}


def test_a_candidate_carries_the_person_the_cart_and_its_items(engine):
    rows = {
        "triggers.cart_abandoned": [cart("shop-1", "b", NOON - 2 * HOUR), cart("shop-2", "a", NOON - HOUR)],
        "triggers.cart_abandoned_items": [
            item("b", 2, "Cup"),
            item("b", 1, "Kettle"),
            item("a", 1, "Lid", "shop-2"),
        ],
    }
    found = ask(engine, REMINDER, rows)

    assert set(found) == {"a", "b"}
    ada = found["b"]
    assert (ada["address"], ada["language"], ada["has_consent"]) == ("ada@example.org", "de", True)
    assert ada["variant"] in {"short", "long"}
    assert ada["due_at"] == NOON - 2 * HOUR + REMINDER.delays[ada["variant"]].span
    assert ada["is_goal_reached"] is False and ada["is_condition_met"] is True
    assert ada["item_count"] == 2
    assert ada["merge"]["first_name"] == "Ada" and ada["merge"]["salutation"] == "Frau"
    assert ada["merge"]["total_amount"] == "138.90"
    assert [thing["title"] for thing in ada["merge"]["items"]] == ["Kettle", "Cup"]
    assert ada["merge"]["items"][0]["unit_amount"] == "24.95"
    nobody = found["a"]
    assert nobody["address"] is None and nobody["has_consent"] is False
    assert nobody["merge"] is None and nobody["item_count"] == 1


def test_an_unknown_contact_is_a_candidate_without_address_and_takes_no_ones_items(engine):
    left = NOON - 5 * HOUR
    carts = [cart("shop-1", "a", left), cart("nobody", "b", left), cart("shop-1", "c", left)]
    things = [item("a", 1, "of a"), item("b", 1, "of b", "nobody"), item("c", 1, "of c")]
    rows = {"triggers.cart_abandoned": carts, "triggers.cart_abandoned_items": things}
    found = ask(engine, REMINDER, rows)
    assert found["b"]["address"] is None and not found["b"]["has_consent"]
    assert [found[name]["merge"]["items"][0]["title"] for name in "ac"] == ["of a", "of c"]


def test_people_may_share_an_occurrence_and_each_gets_its_own_items(engine):
    left = NOON - 5 * HOUR
    carts = [cart("shop-1", "march", left), cart("shop-3", "march", left)]
    things = [
        item("march", 1, "Kettle"),
        item("march", 1, "Cup", "shop-3"),
        item("march", 2, "Lid", "shop-3"),
    ]
    build = publish(
        engine,
        NOON,
        {
            "core.contacts": [ADA, ADA | {"contact_id": "shop-3"}],
            "triggers.cart_abandoned": carts,
            "triggers.cart_abandoned_items": things,
        },
    )
    lists = candidates(engine, REMINDER, Run("run-1", build.build_id, NOON), NOBODY_HELD_OUT)
    found = {row["contact_id"]: row["merge"]["items"] for rows in lists for row in rows}
    assert [[thing["title"] for thing in found[name]] for name in ("shop-1", "shop-3")] == [
        ["Kettle"],
        ["Cup", "Lid"],
    ]
    assert "contact_id" not in found["shop-1"][0]


def test_what_was_decided_before_the_build_takes_no_ones_items(engine):
    left = NOON - 5 * HOUR
    decided = {"flow": REMINDER.flow, "step": REMINDER.name, "reason": "planned"}
    rows = {
        "triggers.cart_abandoned": [cart("shop-1", name, left) for name in "abc"],
        "triggers.cart_abandoned_items": [item(name, 1, f"of {name}") for name in "abc"],
        "staging.ledger_decisions": [decided | {"contact_id": "shop-1", "occurrence_id": "a"}],
    }
    found = ask(engine, REMINDER, rows)
    assert {name: row["merge"]["items"][0]["title"] for name, row in found.items()} == {
        "b": "of b",
        "c": "of c",
    }


def test_a_delay_counts_from_a_timestamp_of_the_trigger(engine):
    (step,) = Flow("announced", [Email("hello", after="1 day before starts_at")]).resolve(
        DAGS / "flow" / "welcome.py"
    )
    starts = {"soon": NOON + DAY, "later": NOON + 90 * DAY, "past": NOON - 40 * DAY, "never": None}
    announced = {"contact_id": "shop-1", "occurred_at": NOON - 35 * DAY}
    rows = [announced | {"occurrence_id": name, "starts_at": at} for name, at in starts.items()]
    found = ask(engine, step, {"triggers.announced": rows})
    # Announced longer ago than a flow looks back, but what is ahead is asked about all the same.
    assert {name: row["due_at"] for name, row in found.items()} == {"soon": NOON, "later": NOON + 89 * DAY}
    fresh = [row | {"occurred_at": NOON - DAY} for row in rows]
    assert ask(engine, step, {"triggers.announced": fresh})["never"]["due_at"] < NOON - 1000 * DAY


@pytest.mark.parametrize(
    ("timezone", "due_at"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 29, 4, tzinfo=UTC)),
        (None, datetime(2026, 3, 29, tzinfo=UTC)),
    ],
)
def test_a_date_begins_at_the_persons_midnight(engine, timezone, due_at):
    (step,) = Flow("contract_ending", [Email("hello", after="1 week before ends_on")]).resolve(
        DAGS / "flow" / "welcome.py"
    )
    ends = {"contact_id": "shop-1", "occurrence_id": "a", "occurred_at": NOON, "ends_on": date(2026, 4, 5)}
    rows = {"core.contacts": [ADA | {"timezone": timezone}], "triggers.contract_ending": [ends]}
    build = publish(engine, NOON, rows)
    ((row,),) = candidates(engine, step, Run("run-1", build.build_id, NOON), NOBODY_HELD_OUT)
    # Berlin's clocks go forward in between: a week is seven times 24 hours.
    assert row["due_at"] == due_at - (HOUR if timezone == "Europe/Berlin" else timedelta())


def test_the_goal_is_the_first_order_after_the_occurrence_and_not_after_as_of(engine):
    left = NOON - 5 * HOUR
    orders = [left - HOUR, left, left + 2 * HOUR, left + HOUR, NOON + HOUR]
    rows = {
        "triggers.cart_abandoned": [cart("shop-1", "a", left)],
        "conditions.ordered": [{"contact_id": "shop-1", "occurred_at": moment} for moment in orders],
    }
    assert ask(engine, REMINDER, rows)["a"]["is_goal_reached"]
    rows["conditions.ordered"] = [rows["conditions.ordered"][index] for index in (0, 1, 4)]
    assert not ask(engine, REMINDER, rows)["a"]["is_goal_reached"]


@pytest.mark.parametrize(("ordered", "is_met"), [(HOUR, False), (-6 * HOUR, True)])
def test_unless_a_condition_became_true_since_the_trigger(engine, ordered, is_met):
    rows = {
        "triggers.cart_abandoned": [cart("shop-1", "a", NOON - 2 * DAY)],
        "conditions.ordered": [{"contact_id": "shop-1", "occurred_at": NOON - 2 * DAY + ordered}],
    }
    found = ask(engine, LAST_CALL, rows)["a"]
    assert found["is_condition_met"] is is_met
    assert found["merge"] is None or found["merge"]["voucher_code"] == "BACK5"
    assert (found["merge"] is None) == found["is_goal_reached"]


def test_only_occurrences_within_the_horizon_up_to_as_of(engine):
    horizon = REMINDER.horizon
    moments = {
        "too-old": NOON - horizon,
        "oldest": NOON - horizon + HOUR,
        "newest": NOON,
        "future": NOON + HOUR,
    }
    rows = {"triggers.cart_abandoned": [cart("shop-1", name, at) for name, at in moments.items()]}
    build = publish(engine, NOON, {"core.contacts": [ADA], **rows})
    run = Run("run-1", build.build_id, NOON)
    lists = candidates(engine, REMINDER, run, NOBODY_HELD_OUT)
    found = {row["occurrence_id"] for rows in lists for row in rows}
    assert found == {"oldest", "newest"}
    assert occurrences(engine, REMINDER, run) == 2


def test_a_build_that_was_named_is_read_though_another_one_is_published(parquet_engine):
    first = publish(
        parquet_engine, NOON, {"core.contacts": [ADA], "triggers.cart_abandoned": [cart("shop-1", "a", NOON)]}
    )
    publish(parquet_engine, NOON + HOUR, {"core.contacts": [ADA]})
    run = Run("run", first.build_id, NOON)
    assert len(list(candidates(parquet_engine, REMINDER, run, NOBODY_HELD_OUT))) == 1


def test_the_gate_is_as_open_as_the_stalest_stream_of_the_sources(engine):
    fresh = [("shop", "orders", NOON), ("shop", "customers", NOON - HOUR), ("crm", "contacts", NOON - DAY)]
    rows = {
        "core.source_freshness": [
            {"source": source, "stream": stream, "fresh_until": until} for source, stream, until in fresh
        ]
    }
    run = Run("run", publish(engine, NOON, rows).build_id, NOON)

    def asked(*sources):
        (step,) = Flow("subscribed", [Email("hello")], relies_on=sources).resolve(
            DAGS / "flow" / "welcome.py"
        )
        return gate(engine, step, run)

    assert asked() == Gate(merged={})
    assert asked("shop").fresh_until == NOON - HOUR
    assert asked("shop", "crm").fresh_until == NOON - DAY
    assert asked("site").fresh_until < NOON - timedelta(days=365 * 1000), "nothing was ever read of it"
    engine.block(engine.build(run.build_id), "core.orders: keys are not unique")
    assert "keys are not unique" in asked("shop").blocked


def test_the_gate_knows_who_was_written_to_under_another_id(engine):
    keys = {"a": "a", "b": "a", "c": "a", "d": "d"}
    written = [("a", "planned"), ("b", "planned"), ("c", "no_consent"), ("d", "planned"), ("v-1", "planned")]
    rows = {
        "core.contact_keys": [
            {"record_id": record, "contact_id": contact} for record, contact in keys.items()
        ],
        "core.visitor_keys": [{"visitor_id": "v-1", "contact_id": "d"}],
        "staging.ledger_decisions": [{"contact_id": name, "reason": reason} for name, reason in written],
    }
    run = Run("run", publish(engine, NOON, rows).build_id, NOON)
    assert gate(engine, REMINDER, run).merged == {"b": "a", "v-1": "d"}
    assert gate(engine, LAST_CALL, run).merged is None, "asked once, with the flow's first step"


def test_memory_does_not_grow_with_the_candidates(parquet_engine, monkeypatch):
    monkeypatch.setattr("kreislauf.flow.candidates.ROWS", 10)
    carts = [cart("shop-1", f"c{number:03}", NOON - HOUR) for number in range(25)]
    things = [item(f"c{number:03}", 1, f"Thing {number}") for number in range(0, 25, 2)]
    build = publish(
        parquet_engine,
        NOON,
        {"core.contacts": [ADA], "triggers.cart_abandoned": carts, "triggers.cart_abandoned_items": things},
    )
    lists = list(candidates(parquet_engine, REMINDER, Run("run", build.build_id, NOON), NOBODY_HELD_OUT))
    assert [len(rows) for rows in lists] == [10, 10, 5]
    for number, row in enumerate(row for rows in lists for row in rows):
        titles = [thing["title"] for thing in row["merge"].get("items", [])]
        assert titles == ([f"Thing {number}"] if number % 2 == 0 else [])


@pytest.mark.parametrize(
    ("metric", "winner", "expected"),
    [
        ("clicked", "long", {"long"}),
        ("ordered", "long", {"short", "long"}),
        ("clicked", "old", {"short", "long"}),
    ],
)
def test_once_a_test_has_a_winner_everybody_new_gets_it(engine, metric, winner, expected):
    delays = Test(short="1 hour", long="4 hours", winner="clicked")
    flow = Flow("cart_abandoned", [Email("reminder", after=delays)])
    (step,) = flow.resolve(DAGS / "flow" / "abandoned_cart.py")
    result = {"flow": step.flow, "step": step.name, "metric": metric, "variant": winner, "winner": winner}
    carts = [cart(f"shop-{number}", f"c{number}", NOON - HOUR) for number in range(12)]
    rows = {"triggers.cart_abandoned": carts, "reports.experiments": [result]}
    build = publish(engine, NOON, rows)
    run = Run("run-1", build.build_id, NOON)
    found = [row for rows in candidates(engine, step, run, NOBODY_HELD_OUT) for row in rows]
    assert {row["variant"] for row in found} == expected
