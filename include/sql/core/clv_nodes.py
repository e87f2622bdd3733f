"""Chances of leaving after an order, and how likely each is, for buyers still active after so many
orders: with these, expected orders are a short sum.

owner: crm
grain: frequency, position
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

READS = ("core.clv_parameters", "core.purchase_counts")
COLUMNS = {"frequency": "BIGINT", "position": "BIGINT", "dropout": "DOUBLE", "weight": "DOUBLE"}


def rows(tables: Mapping[str, pyarrow.Table], as_of: datetime) -> Iterator[dict[str, Any]]:
    from kreislauf.clv import BgNbd, dropout_nodes

    [found] = tables["core.clv_parameters"].to_pylist()
    if found["r"] is None:
        return
    fit = BgNbd(found["r"], found["alpha"], found["a"], found["b"], log_likelihood=0.0)
    for frequency, youngest in sorted(youngest_days(tables["core.purchase_counts"]).items()):
        nodes, weights = dropout_nodes(fit, frequency, youngest, found["horizon_days"])
        for position, (dropout, weight) in enumerate(zip(nodes, weights, strict=True), 1):
            yield {
                "frequency": frequency,
                "position": position,
                "dropout": float(dropout),
                "weight": float(weight),
            }


def youngest_days(counts: pyarrow.Table) -> dict[int, int]:
    """The shortest age of a buyer, by frequency; weeks are rounded, so up to three days may be less."""
    ages: dict[int, int] = {}
    for row in counts.select(["frequency", "age_weeks"]).to_pylist():
        days = max(0, 7 * row["age_weeks"] - 3)
        ages[row["frequency"]] = min(days, ages.get(row["frequency"], days))
    return ages
