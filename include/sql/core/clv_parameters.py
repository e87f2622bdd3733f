"""The parameters of the purchase models, fitted to all buyers, time in days: r, alpha, a and b of
BG/NBD, p, q and v of Gamma-Gamma. Without values, and with a reason, where the data are too thin.

owner: crm
grain: horizon_days
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

READS = ("core.purchase_counts", "core.purchase_value_counts")
COLUMNS = {
    "horizon_days": "BIGINT",
    "r": "DOUBLE",
    "alpha": "DOUBLE",
    "a": "DOUBLE",
    "b": "DOUBLE",
    "p": "DOUBLE",
    "q": "DOUBLE",
    "v": "DOUBLE",
    "abstains_because": "VARCHAR",
}

HORIZON_DAYS = 365
"""How far ahead is predicted."""

# Below these nothing is predicted (the same limits as in Klaviyo's predictive analytics).
MINIMUM_BUYERS = 500
MINIMUM_WEEKS = 26
LAST_ORDER_WITHIN_DAYS = 30
MOST_ORDERS_AT_LEAST = 3

DAYS = 7
"""The counts are in weeks; alpha is a time."""


def rows(tables: Mapping[str, pyarrow.Table], as_of: datetime) -> Iterator[dict[str, Any]]:
    from kreislauf.clv import FitError, fit_bg_nbd, fit_gamma_gamma

    counts, values = (_in_order(tables[table]) for table in READS)
    found: dict[str, float] = {}
    reason = too_thin(counts)
    if reason is None:
        try:
            orders = fit_bg_nbd(
                counts["frequency"], counts["recency_weeks"], counts["age_weeks"], counts["buyers"]
            )
            found |= {"r": orders.r, "alpha": orders.alpha * DAYS, "a": orders.a, "b": orders.b}
            amounts = fit_gamma_gamma(values["frequency"], values["mean_amount"], values["buyers"])
            if amounts.q > 1:
                found |= amounts._asdict()
            else:
                reason = "order values vary so much that they have no mean"
        except FitError as error:
            reason = str(error)
    yield {
        **dict.fromkeys(COLUMNS),
        **found,
        "horizon_days": HORIZON_DAYS,
        "abstains_because": reason,
    }


def _in_order(table: pyarrow.Table) -> dict[str, Any]:
    """The columns, sorted: sums of doubles depend on their order, and each engine has its own."""
    ordered = table.sort_by([(name, "ascending") for name in table.column_names])
    return {name: ordered.column(name).to_numpy() for name in ordered.column_names}


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
