"""The other way in which points can run out, chosen at the top of the file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import Case, DuckDBBackend, run_case

SQL = Path(__file__).parents[3] / "include" / "sql"


def test_points_can_halve_instead_of_running_out():
    models = load_models(SQL, check=False)
    model = models["scores.lead_score_points"]
    halving = replace(model, sql=model.sql.replace('decay = "linear"', 'decay = "half_life"'))
    assert halving.sql != model.sql
    clicks = [date(2025, 12, 2), date(2025, 11, 2), date(2025, 10, 3)]
    case = Case(
        "half is left after thirty days",
        datetime(2026, 1, 1, tzinfo=UTC),
        {
            "core.touchpoints": [
                {
                    "touchpoint_id": f"t{day}",
                    "contact_id": "c1",
                    "channel": "mail",
                    "type": "click",
                    "is_machine": False,
                    "occurred_at": f"{day} 00:00:00",
                }
                for day in clicks
            ]
        },
        [{"day": day, "points": points} for day, points in zip(clicks, (2.5, 1.25, 0.625), strict=True)],
    )
    run_case(case, halving, Schema(models), DuckDBBackend())
