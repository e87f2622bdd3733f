"""The same three models as somebody would write them in pandas, over the same Parquet files.

Columns are read by name and text stays in Arrow. Money is counted in cents: sums of Python's Decimal
would take many times as long, and floats would not give the same amounts.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.bench.alone import checked, table_folder
from scripts.bench.build import published_engine
from scripts.bench.measure import Stopwatch


def purchase_history(folder: Path, size: int) -> dict[str, Any]:
    """How often, how recently and for how much each buyer bought."""
    with Stopwatch() as watch:
        orders = _valid_orders(folder)
        orders["purchased_on"] = orders["ordered_at"].dt.normalize()
        purchases = orders.groupby(["contact_id", "purchased_on"]).agg(
            first_ordered_at=("ordered_at", "min"),
            last_ordered_at=("ordered_at", "max"),
            orders=("cents", "size"),
            cents=("cents", "sum"),
        )
        buyers = purchases.groupby("contact_id", sort=False).agg(
            orders=("orders", "sum"),
            purchases=("cents", "size"),
            cents=("cents", "sum"),
            first_cents=("cents", "first"),
            first_ordered_at=("first_ordered_at", "min"),
            last_ordered_at=("last_ordered_at", "max"),
        )
        first, last = (buyers[name].dt.normalize() for name in ("first_ordered_at", "last_ordered_at"))
        today = pd.Timestamp(published_engine(folder).published().as_of).tz_localize(None).normalize()
        result = buyers.reset_index()[["contact_id", "orders"]].assign(
            frequency=(buyers["purchases"] - 1).array,
            recency_days=(last - first).dt.days.array,
            age_days=(today - first).dt.days.array,
            days_since_last=(today - last).dt.days.array,
            net_amount=_money(buyers["cents"]).array,
            repeat_amount=_money(buyers["cents"] - buyers["first_cents"]).array,
            first_ordered_at=buyers["first_ordered_at"].array,
            last_ordered_at=buyers["last_ordered_at"].array,
        )
        path = _write(folder, result)
    return checked(folder, "core.purchase_history", path, watch)


def rfm(folder: Path, size: int) -> dict[str, Any]:
    """Recency, frequency and value of each buyer in fifths, and the cell."""
    with Stopwatch() as watch:
        buyers = _read(
            folder,
            "core.purchase_history",
            ["contact_id", "days_since_last", "orders", "net_amount", "last_ordered_at"],
        )
        recency = _fifth(-buyers["days_since_last"])
        frequency, value = _fifth(buyers["orders"]), _fifth(_cents(buyers["net_amount"]))
        loyalty = (frequency + value + 1) // 2
        cells = [
            ((recency == 5) & (loyalty >= 4) | (recency == 4) & (loyalty == 5), "champions"),
            ((recency == 4) & (loyalty == 4) | (recency == 3) & (loyalty >= 4), "loyal"),
            ((recency >= 4) & (loyalty >= 2), "potential_loyalist"),
            (recency == 5, "new"),
            (recency == 4, "promising"),
            ((recency == 3) & (loyalty == 3), "need_attention"),
            (recency == 3, "about_to_sleep"),
            (loyalty == 5, "cant_lose_them"),
            (loyalty >= 3, "at_risk"),
            (recency == 2, "hibernating"),
        ]
        result = pd.DataFrame(
            {
                "contact_id": buyers["contact_id"],
                "score": 100 * recency + 10 * frequency + value,
                "recency_score": recency,
                "frequency_score": frequency,
                "monetary_score": value,
                "cell": np.select([where for where, _ in cells], [name for _, name in cells], "lost"),
                "last_ordered_at": buyers["last_ordered_at"],
                "recency_days": buyers["days_since_last"],
                "orders": buyers["orders"],
                "net_amount": buyers["net_amount"],
            }
        )
        path = _write(folder, result)
    return checked(folder, "scores.rfm", path, watch)


def cohort_retention(folder: Path, size: int) -> dict[str, Any]:
    """How many of the buyers of a month came back, month by month."""
    with Stopwatch() as watch:
        orders = _valid_orders(folder)
        orders["month"] = _month(orders["ordered_at"])
        active = (
            orders.groupby(["contact_id", "month"], sort=False)["cents"].agg(["size", "sum"]).reset_index()
        )
        active["cohort"] = active.groupby("contact_id", sort=False)["month"].transform("min")
        buyers = active[active["month"] == active["cohort"]].groupby("cohort").size().rename("buyers")
        activity = active.groupby(["cohort", "month"]).agg(
            active=("month", "size"), orders=("size", "sum"), cents=("sum", "sum")
        )
        calendar = _read(folder, "core.calendar", ["month"])["month"].astype("datetime64[s]")
        months = calendar.drop_duplicates().to_frame()
        elapsed = buyers.reset_index().merge(months, how="cross").query("cohort <= month")
        elapsed = elapsed.merge(activity.reset_index(), how="left", on=["cohort", "month"])
        elapsed = elapsed.fillna({"active": 0, "orders": 0, "cents": 0}).sort_values(["cohort", "month"])
        so_far = elapsed.groupby("cohort")["cents"].cumsum()
        cohort, month = elapsed["cohort"].dt, elapsed["month"].dt
        result = pd.DataFrame(
            {
                "cohort": _date(elapsed["cohort"]),
                "months_since": 12 * (month.year - cohort.year).astype("int64") + month.month - cohort.month,
                "month": _date(elapsed["month"]),
                "buyers": elapsed["buyers"],
                "active": elapsed["active"].astype("int64"),
                "retention_rate": _ratio(elapsed["active"], elapsed["buyers"]),
                "orders": elapsed["orders"].astype("int64"),
                "revenue": _money(elapsed["cents"].astype("int64")),
                "revenue_per_buyer_so_far": _ratio(so_far / 100, elapsed["buyers"]),
            }
        )
        path = _write(folder, result)
    return checked(folder, "reports.cohort_retention", path, watch)


def _valid_orders(folder: Path) -> pd.DataFrame:
    orders = _read(folder, "core.orders", ["contact_id", "ordered_at", "is_valid", "net_amount"])
    orders = orders[orders["is_valid"] & orders["contact_id"].notna() & (orders["net_amount"] > 0)]
    return pd.DataFrame(
        {
            "contact_id": orders["contact_id"],
            "ordered_at": orders["ordered_at"].astype("datetime64[us]"),
            "cents": _cents(orders["net_amount"]),
        }
    )


def _read(folder: Path, table: str, columns: list[str]) -> pd.DataFrame:
    return pd.read_parquet(table_folder(folder, table), columns=columns, dtype_backend="pyarrow")


def _write(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "frame.parquet"
    frame.to_parquet(path, compression="zstd", index=False)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path


def _cents(amount: pd.Series) -> pd.Series:
    return (amount * 100).astype("int64")


def _money(cents: pd.Series) -> pd.Series:
    amounts = pc.multiply(pa.array(cents).cast(pa.decimal128(19, 0)), pa.scalar(Decimal("0.01")))
    return pd.Series(amounts.cast(pa.decimal128(18, 2)), cents.index, pd.ArrowDtype(pa.decimal128(18, 2)))


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """To six digits, half away from zero as SQL does."""
    millionths = np.floor(part / whole * 1e6 + 0.5).astype("int64")
    return millionths / 1e6


def _fifth(amount: pd.Series) -> pd.Series:
    """5 for those that at least four fifths of all are worse than; equal values share a score."""
    worse = amount.rank(method="min").astype("int64") - 1
    return 1 + 5 * worse // len(amount)


def _month(moment: pd.Series) -> pd.Series:
    return moment.dt.to_period("M").dt.to_timestamp()


def _date(moment: pd.Series) -> pd.Series:
    return moment.astype(pd.ArrowDtype(pa.date32()))
