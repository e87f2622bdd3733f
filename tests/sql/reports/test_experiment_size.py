"""How many people a test takes is set at the top of the file; here two of a variant are enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import Case, DuckDBBackend, run_case

SQL = Path(__file__).parents[3] / "include" / "sql"
MODELS = load_models(SQL, check=False)


def _run(as_of: datetime, planned: list[tuple[str, str, str]], expect: list[dict]) -> None:
    model = MODELS["reports.experiment_groups"]
    small = replace(model, sql=model.sql.replace("people_wanted = 1000", "people_wanted = 2"))
    assert small.sql != model.sql
    decisions = [
        {
            "decision_id": number, "flow": "f", "step": "s", "variant": variant, "channel": "email",
            "contact_id": contact_id, "occurrence_id": "o", "reason": "planned", "decided_as_of": at,
        }
        for number, (variant, contact_id, at) in enumerate(planned)
    ]  # fmt: skip
    clicks = [
        {
            "message_key": row["contact_id"], "flow": "f", "step": "s", "contact_id": row["contact_id"],
            "occurrence_id": "o", "clicked_at": row["decided_as_of"],
        }
        for row in decisions
    ]  # fmt: skip
    given = {"staging.ledger_decisions": decisions, "core.message_outcomes": clicks}
    case = Case("two of each", as_of, given, [row | {"metric": "clicked"} for row in expect])
    case.expect.extend({"variant": row["variant"], "metric": "ordered"} for row in expect)
    run_case(case, small, Schema(MODELS), DuckDBBackend())


def test_the_first_that_were_wanted_count_and_whoever_comes_later_does_not():
    planned = [("a", f"c{day}", f"2026-01-0{day} 00:00:00") for day in (3, 1, 2)]
    planned += [("b", "d1", "2026-01-01 00:00:00")]
    _run(
        datetime(2026, 1, 31, tzinfo=UTC),
        planned,
        [
            {"variant": "a", "people": 2, "successes": 2, "is_complete": True},
            {"variant": "b", "people": 1, "successes": 1, "is_complete": False},
        ],
    )


def test_it_is_complete_when_the_days_of_the_last_of_them_are_over():
    planned = [("a", "c1", "2026-01-01 00:00:00"), ("a", "c2", "2026-01-03 00:00:00")]
    planned += [("a", "c3", "2026-01-04 00:00:00")]
    _run(
        datetime(2026, 1, 10, tzinfo=UTC),
        planned,
        [{"variant": "a", "people": 1, "successes": 1, "is_complete": False}],
    )
    _run(
        datetime(2026, 1, 11, tzinfo=UTC),
        planned,
        [{"variant": "a", "people": 2, "successes": 2, "is_complete": True}],
    )
