"""What was approved is suppressed only while it is still found; a mistaken undo says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from kreislauf.flow import cleanup
from kreislauf.flow.testing import publish
from kreislauf.ledger.schema import suppression

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def found(number: int, reason: str = "unengaged") -> dict:
    return {"contact_id": f"c{number}", "email": f"p{number}@example.org", "reason": reason, "evidence": "…"}


def suppressed(ledger) -> set[str]:
    with ledger.read() as connection:
        return set(connection.execute(select(suppression.c.contact_id)).scalars())


def test_who_showed_life_during_the_approval_stays_and_who_was_not_reported_too(
    parquet_engine, ledger, tmp_path
):
    report = tmp_path / "report.csv"
    then = publish(parquet_engine, NOON, {"cleanup.unengaged": [found(1), found(2)]})
    cleanup.find(parquet_engine, then.build_id, report)
    now = publish(parquet_engine, NOON + timedelta(days=1), {"cleanup.unengaged": [found(2), found(3)]})

    added = cleanup.suppress_reported(parquet_engine, ledger, now.build_id, report, "run-1")
    assert added == {"unengaged": 1}
    assert suppressed(ledger) == {"c2"}
    assert cleanup.suppress_reported(parquet_engine, ledger, now.build_id, report, "run-1") == {
        "unengaged": 0
    }


def test_an_empty_list_has_no_share_and_an_empty_report(parquet_engine, tmp_path):
    build = publish(parquet_engine, NOON, {})
    result = cleanup.find(parquet_engine, build.build_id, tmp_path / "reports" / "r.csv")
    assert (result["found"], result["contacts"], result["share"]) == ({}, 0, 0)


def test_an_unknown_run_cannot_be_undone(ledger):
    with pytest.raises(LookupError, match="'run-9' has suppressed nothing"):
        cleanup.undo(ledger, "run-9", "test")


def test_a_report_lies_in_the_home_under_a_name_that_is_a_file_name(monkeypatch, tmp_path):
    monkeypatch.setenv("KREISLAUF_HOME", str(tmp_path))
    path = cleanup.report_path("scheduled__2026-03-10T06:00:00+00:00")
    assert path.parent == tmp_path / "reports" / "list_cleanup"
    assert path.name == "scheduled__2026-03-10T06_00_00_00_00.csv"
