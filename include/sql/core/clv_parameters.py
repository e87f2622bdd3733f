"""The fitted parameters of the purchase models, time in days; without values and with a reason
where the data are too thin to learn from.

owner: crm
grain: parameter
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

READS = ("core.purchase_counts", "core.purchase_value_counts")
COLUMNS = {"parameter": "VARCHAR", "value": "DOUBLE", "reason": "VARCHAR"}

# Below these nothing is predicted (the same limits as in Klaviyo's predictive analytics).
MINIMUM_BUYERS = 500
MINIMUM_WEEKS = 26
LAST_ORDER_WITHIN_DAYS = 30
MOST_ORDERS_AT_LEAST = 3

DAYS = 7
"""The counts are in weeks; alpha is a time."""


def rows(tables: Mapping[str, pyarrow.Table], as_of: datetime) -> Iterator[dict[str, Any]]:
    from kreislauf.clv import FitError, fit_bg_nbd, fit_gamma_gamma

    counts, values = (
        {name: tables[table].column(name).to_numpy() for name in tables[table].column_names}
        for table in READS
    )
    reason = too_thin(counts)
    found: dict[str, float] = {}
    if reason is None:
        try:
            orders = fit_bg_nbd(
                counts["frequency"], counts["recency_weeks"], counts["age_weeks"], counts["buyers"]
            )
            found = {"r": orders.r, "alpha": orders.alpha * DAYS, "a": orders.a, "b": orders.b}
            found |= fit_gamma_gamma(values["frequency"], values["mean_amount"], values["buyers"])._asdict()
        except FitError as error:
            reason = str(error)
    if found.get("q", 2.0) <= 1:
        reason = "order values vary so much that they have no mean"
    for parameter in ("r", "alpha", "a", "b", "p", "q", "v"):
        yield {
            "parameter": parameter,
            "value": None if reason else found[parameter],
            "reason": reason,
        }


def too_thin(counts: Mapping[str, Any]) -> str | None:
    """Why nothing can be said about these buyers, if so."""
    buyers = int(counts["buyers"].sum())
    if buyers < MINIMUM_BUYERS:
        return f"{buyers} buyers; at least {MINIMUM_BUYERS} are needed"
    if counts["age_weeks"].max() < MINIMUM_WEEKS:
        return f"less than {MINIMUM_WEEKS} weeks of orders"
    if counts["days_since_last"].min() > LAST_ORDER_WITHIN_DAYS:
        return f"no order in the last {LAST_ORDER_WITHIN_DAYS} days"
    if counts["most_orders"].max() < MOST_ORDERS_AT_LEAST:
        return f"nobody with {MOST_ORDERS_AT_LEAST} orders"
    return None
