"""A shop made of real invoice lines: the UCI data set "Online Retail" as one Parquet file.

Each invoice is an order with its lines, each cancellation (a number that begins with C) a refund
with refund lines, so that every line of the file is served exactly once, as it stands: negative
quantities, prices of nothing and below are not mended. `retail.sql` says how.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sandbox import store as state

COLUMNS = {
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
}
TABLES = (
    "shop_products",
    "shop_customers",
    "shop_orders",
    "shop_order_lines",
    "shop_refunds",
    "shop_refund_lines",
)

SETTINGS = {
    "now": "2011-12-10T06:00:00Z",
    "start": "2011-12-10T06:00:00Z",
    "shop_name": "Online Retail",
    "currency": "GBP",
    "scale": '{"contacts": 0, "arrivals_a_day": 0}',
}


def fill(db: sqlite3.Connection, file: Path) -> None:
    """Fill the shop from the file; CRM and mail stay empty and nobody acts when time passes.

    Raises ValueError if the file is missing or lacks a column.
    """
    import duckdb  # here, for a sandbox with its own world does without

    if not file.is_file():
        raise ValueError(f"There is no file {file} to serve as the shop.")
    work = duckdb.connect()
    source = work.read_parquet(str(file), file_row_number=True)
    if missing := COLUMNS - set(source.columns):
        raise ValueError(f"{file} lacks the columns {', '.join(sorted(missing))} of invoice lines.")
    source.project("* exclude (file_row_number), file_row_number as position").create_view("source")
    work.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    for table in TABLES:
        rows = work.execute(f"select * from {table}")  # ruff: ignore[hardcoded-sql-expression] - our own table names
        marks = ", ".join("?" * len(rows.description))
        while chunk := rows.fetchmany(50_000):
            db.executemany(f"insert into {table} values ({marks})", chunk)  # ruff: ignore[hardcoded-sql-expression]
    for key, value in SETTINGS.items():
        state.put(db, key, value)
