"""The list clean-up: a report, approval above a share, suppression, and the way back."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from kreislauf.ledger.schema import suppression

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def world() -> dict:
    def found(number: int, reason: str) -> dict:
        return {
            "contact_id": f"shop-{number}",
            "email": f"person{number}@example.org",
            "reason": reason,
            "evidence": f"the evidence of {number}",
        }

    return {
        "core.contacts": [
            {"contact_id": f"shop-{number}", "email": f"person{number}@example.org"}
            for number in range(1, 101)
        ],
        "cleanup.hard_bounces": [found(1, "hard_bounce"), found(2, "hard_bounce")],
        "cleanup.unengaged": [found(2, "unengaged"), found(3, "unengaged")],
        "cleanup.invalid_addresses": [found(4, "invalid_address") | {"email": None}],
    }


def in_force(circuit) -> set[tuple[str, str]]:
    with circuit.ledger.read() as connection:
        rows = connection.execute(
            select(suppression.c.contact_id, suppression.c.reason).where(suppression.c.lifted_at.is_(None))
        )
        return set(rows.tuples())


ALL = {
    ("shop-1", "hard_bounce"),
    ("shop-2", "hard_bounce"),
    ("shop-2", "unengaged"),
    ("shop-3", "unengaged"),
}


def test_it_reports_suppresses_and_takes_back(circuit, run_dag):
    circuit.publish(world())
    done = run_dag("maintain/list_cleanup")

    assert done["state"] == "success"
    result = done["results"]["report"]
    assert result["found"] == {"hard_bounce": 2, "invalid_address": 1, "unengaged": 2}
    assert (result["contacts"], result["share"]) == (4, pytest.approx(0.04))
    assert result["suppressed"] == {"hard_bounce": 2, "invalid_address": 0, "unengaged": 2}
    assert "@" not in str(done["results"])
    text = Path(result["report"]).read_text()
    assert len(list(csv.DictReader(text.splitlines()))) == 5 and "@" not in text
    assert in_force(circuit) == ALL

    again = run_dag("maintain/list_cleanup")
    assert set(again["results"]["report"]["suppressed"].values()) == {0}

    back = run_dag("maintain/list_cleanup", undo_run=done["run_id"])
    assert back["states"]["find"] == "skipped"
    assert back["results"]["undo"] == {"lifted": 4}
    assert in_force(circuit) == set()


def test_a_dry_run_only_reports(circuit, run_dag):
    circuit.publish(world())
    done = run_dag("maintain/list_cleanup", dry_run=True)
    assert done["results"]["find"]["contacts"] == 4
    assert done["states"]["suppress"] == "skipped"
    assert in_force(circuit) == set()


def test_above_the_share_a_person_may_say_no(circuit, run_dag, answer):
    circuit.publish(world())
    answer("Reject")
    done = run_dag("maintain/list_cleanup", approve_above=0.03)
    assert done["state"] == "success"
    assert done["states"]["suppress"] == "skipped"
    assert in_force(circuit) == set()
