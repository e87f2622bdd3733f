"""What the SQL makes of the parameters, against the closed form of the paper with 2F1."""

from __future__ import annotations

import runpy
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest
from scipy.special import hyp2f1

from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import DuckDBBackend

SQL = Path(__file__).parents[4] / "include" / "sql"
MODELS = (
    {"r": 0.243, "alpha": 30.9, "a": 0.793, "b": 2.426, "p": 6.25, "q": 3.74, "v": 15.44},
    {"r": 1.7, "alpha": 140.0, "a": 0.3, "b": 4.0, "p": 2.0, "q": 2.5, "v": 40.0},
    {"r": 0.6, "alpha": 9.0, "a": 1.6, "b": 1.1, "p": 1.0, "q": 9.0, "v": 300.0},
)
BUYERS = [
    (x, recency, age, 12.5 * x)
    for x in (0, 1, 2, 5, 29, 120)
    for age in (0, 1, 29, 364, 2000)
    for recency in ({0} if x == 0 else {x, age // 2, age})
    if x <= recency <= age
]


def expected(model: dict[str, float], x: int, recency: int, age: int, repeat: float) -> tuple[float, ...]:
    """P(alive), orders within 365 days and order value (Fader, Hardie 2008 and 2013)."""
    r, alpha, a, b = (model[name] for name in ("r", "alpha", "a", "b"))
    odds = a / (b + x - 1) * ((alpha + age) / (alpha + recency)) ** (r + x) if x else 0.0
    shrink = ((alpha + age) / (alpha + age + 365)) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, 365 / (alpha + age + 365))
    orders = (a + b + x - 1) / (a - 1) * (1 - shrink * series) / (1 + odds)
    value = model["p"] * (model["v"] + repeat) / (model["p"] * x + model["q"] - 1)
    return 1 / (1 + odds), orders, value


@pytest.fixture(scope="module")
def warehouse():
    models = load_models(SQL)
    return models, Schema(models)


@pytest.mark.parametrize("model", MODELS)
def test_sql_gives_the_closed_form_to_the_last_of_six_digits(warehouse, model):
    models, schema = warehouse
    rows = runpy.run_path(str(SQL / "core" / "clv_nodes.py"))["rows"]
    parameters = [model | {"horizon_days": 365}]
    counts = [{"frequency": x, "age_weeks": (age + 3) // 7} for x, _, age, _ in BUYERS]
    tables = {
        "core.clv_parameters": pyarrow.Table.from_pylist(parameters),
        "core.purchase_counts": pyarrow.Table.from_pylist(counts),
    }
    as_of = datetime(2026, 1, 1, tzinfo=UTC)
    history = [
        {
            "contact_id": str(position),
            "frequency": x,
            "recency_days": recency,
            "age_days": age,
            "net_amount": repeat + 10,
            "repeat_amount": repeat,
        }
        for position, (x, recency, age, repeat) in enumerate(BUYERS)
    ]
    given = {
        "core.clv_parameters": parameters,
        "core.clv_nodes": list(rows(tables, as_of)),
        "core.purchase_history": history,
    }
    _, found = DuckDBBackend().run(
        {table: (schema[table], lines) for table, lines in given.items()},
        models["scores.clv"].compile("duckdb", as_of),
    )
    assert len(found) == len(BUYERS)
    for row in found:
        alive, orders, value = expected(model, *BUYERS[int(row["contact_id"])])
        assert float(row["probability_alive"]) == pytest.approx(alive, abs=6e-7)
        assert float(row["expected_orders"]) == pytest.approx(orders, abs=6e-7)
        assert float(row["expected_order_value"]) == pytest.approx(value, abs=0.00501)
        assert float(row["score"]) == pytest.approx(orders * value, abs=0.00501)
