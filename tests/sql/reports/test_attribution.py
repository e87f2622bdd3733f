"""Attribution against a plain implementation of its five models, on random orders and touches."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import DuckDBBackend

SQL = Path(__file__).parents[3] / "include" / "sql"
BEGINNING = datetime(2026, 1, 1)
LAST_TOUCH_WINDOW, WINDOW, HALF_LIFE = timedelta(days=5), timedelta(days=30), timedelta(days=7)
MODELS = ("last_touch", "first_touch", "linear", "position", "time_decay")


@pytest.fixture(scope="module")
def world():
    """Random orders and touches of a few busy people, and what the SQL makes of them by order."""
    rng = random.Random(7)  # ruff: ignore[suspicious-non-cryptographic-random-usage]

    def moment():
        return BEGINNING + timedelta(minutes=rng.randrange(120 * 24 * 60))

    orders = [
        {
            "order_id": f"o{i}",
            "contact_id": rng.choice(["c1", "c2", "c3", "c4", None]),
            "ordered_at": moment(),
            "is_valid": True,
            "net_amount": Decimal(rng.choice([1, 2, 3, rng.randrange(1, 1_000_000)])) / 100,
        }
        for i in range(120)
    ]
    touches = []
    for i in range(160):
        received_at, contact_id = moment(), rng.choice(["c1", "c2", "c3"])
        for reaction in range(rng.randrange(1, 4)):
            touches.append(
                {
                    "touchpoint_id": f"{i}-{reaction}",
                    "contact_id": contact_id,
                    "touch_id": f"m{i}",
                    "received_at": received_at,
                    "touched_at": received_at + timedelta(minutes=rng.randrange(20 * 24 * 60)),
                    "type": rng.choice(["open", "click"]),
                    "campaign": "k",
                }
            )
    models = load_models(SQL)
    schema, model = Schema(models), models["reports.attribution"]
    given = {"core.orders": orders, "core.attribution_touches": touches}
    tables = {name: (schema[name], given[name]) for name in model.depends_on}
    _, rows = DuckDBBackend().run(tables, model.compile("duckdb", datetime(2026, 6, 1, tzinfo=UTC)))
    found = defaultdict(dict)
    for row in rows:
        found[row["order_id"]][row["touch_id"]] = row
    return orders, touches, found


def test_credits_add_up_to_one_and_revenues_to_the_order(world):
    orders, _, found = world
    for order in orders:
        rows = found[order["order_id"]].values()
        for model in MODELS:
            assert sum(row[f"{model}_credit"] for row in rows) == 1
            assert sum(row[f"{model}_revenue"] for row in rows) == order["net_amount"]


def test_each_touch_has_the_credit_of_the_definitions(world):
    orders, touches, found = world
    for order in orders:
        wanted = _credits(order, touches)
        rows = found[order["order_id"]]
        assert set(rows) == set(wanted)
        for touch_id, shares in wanted.items():
            for model, share in zip(MODELS, shares, strict=True):
                # Rounded to millionths of a weight, to millionths of credit and to cents.
                assert float(rows[touch_id][f"{model}_credit"]) == pytest.approx(share, abs=3e-5)
                revenue = float(order["net_amount"]) * share
                assert float(rows[touch_id][f"{model}_revenue"]) == pytest.approx(revenue, abs=0.31)


def _credits(order: dict, touches: list[dict]) -> dict[str, tuple[float, ...]]:
    """Shares by touch in the order of MODELS, straight from their definitions."""
    last_at, received_at = {}, {}
    for touch in touches:
        in_window = order["ordered_at"] - WINDOW <= touch["received_at"]
        if (
            touch["contact_id"] == order["contact_id"]
            and in_window
            and touch["touched_at"] <= order["ordered_at"]
        ):
            key = touch["touch_id"]
            last_at[key] = max(last_at.get(key, touch["touched_at"]), touch["touched_at"])
            received_at[key] = touch["received_at"]
    journey = sorted(last_at, key=lambda key: (last_at[key], key))
    if not journey:
        return {"direct": (1, 1, 1, 1, 1)}
    recent = [key for key in journey if received_at[key] >= order["ordered_at"] - LAST_TOUCH_WINDOW]
    weights = {key: 0.5 ** ((order["ordered_at"] - last_at[key]) / HALF_LIFE) for key in journey}
    n = len(journey)
    positions = [1 / n] * n if n <= 2 else [0.4, *([0.2 / (n - 2)] * (n - 2)), 0.4]
    credits = {
        key: (
            float(key == (recent[-1] if recent else "direct")),
            float(key == journey[0]),
            1 / n,
            position,
            weights[key] / sum(weights.values()),
        )
        for key, position in zip(journey, positions, strict=True)
    }
    return credits if recent else credits | {"direct": (1, 0, 0, 0, 0)}
