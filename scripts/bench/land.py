"""Landing: a page of nested orders becomes typed Parquet parts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from kreislauf.landing.load import digest, load
from kreislauf.sources.streams import SHOP_ORDERS
from scripts.bench.measure import AS_OF, Stopwatch

_PAGE = "part-00000.ndjson.gz"

# The fields the connector asks the shop for, nested as the shop nests them.
_ORDERS = """
    select
        'gid://shopify/Order/' || i as id,
        '#' || (1000 + i) as name,
        {'id': 'gid://shopify/Customer/' || (hash(i, 1) % 100000)} as customer,
        'person' || (hash(i, 1) % 100000) || '@example.com' as email,
        '2026-0' || (1 + i % 9) || '-15T10:20:30Z' as "createdAt",
        '2026-0' || (1 + i % 9) || '-15T10:20:31Z' as "processedAt",
        '2026-10-01T08:00:00Z' as "updatedAt",
        cast(null as varchar) as "cancelledAt",
        false as test,
        'EUR' as "currencyCode",
        money(amount) as "subtotalPriceSet",
        money(0) as "totalDiscountsSet",
        money(4.9) as "totalShippingPriceSet",
        money(amount * 0.19) as "totalTaxSet",
        money(amount + 4.9) as "totalPriceSet",
        money(0) as "totalRefundedSet",
        ['WELCOME10'] as "discountCodes",
        'PAID' as "displayFinancialStatus",
        'FULFILLED' as "displayFulfillmentStatus",
        ['web', 'returning'] as tags,
        {'nodes': [order_line(i, 1), order_line(i, 2)]} as "lineItems"
    from (select i, hash(i, 2) % 20000 / 100 as amount from range($orders) as t(i))
"""
_MACROS = """
    create macro money(amount) as
        {'shopMoney': {'amount': cast(cast(amount as decimal(18, 2)) as varchar), 'currencyCode': 'EUR'}};
    create macro order_line(i, place) as {
        'id': 'gid://shopify/LineItem/' || (i * 2 + place),
        'product': {'id': 'gid://shopify/Product/' || (hash(i, place) % 1000)},
        'variant': {'id': 'gid://shopify/ProductVariant/' || (hash(i, place) % 1000)},
        'sku': 'SKU-' || (hash(i, place) % 1000),
        'title': 'A thing with a name of usual length',
        'quantity': 1 + i % 3,
        'currentQuantity': 1 + i % 3,
        'originalUnitPriceSet': money(hash(i, place, 3) % 10000 / 100),
        'totalDiscountSet': money(0)
    };
"""


def generate(folder: Path, size: int) -> dict[str, Any]:
    """A page of size/2 orders with two lines each."""
    import duckdb

    place = folder / "land"
    place.mkdir()
    with Stopwatch() as watch, duckdb.connect() as database:
        database.execute(_MACROS)
        page = str(place / _PAGE).replace("'", "''")
        statement = f"copy ({_ORDERS}) to '{page}' (format json, compression gzip)"
        database.execute(statement, {"orders": _orders(size)})
    return watch.result(_orders(size))


def typed_load(folder: Path, size: int) -> dict[str, Any]:
    """What a task of ingest does with its pages."""
    place = folder / "land"
    pages = [{"file": _PAGE, "rows": _orders(size), "sha256": digest(place / _PAGE)}]
    _warm_up(place)
    with Stopwatch() as watch:
        loaded = load(SHOP_ORDERS, place, pages, "benchmark", AS_OF)
    orders, lines = (loaded.tables[name]["rows"] for name in ("shop_orders", "shop_order_lines"))
    if (orders, lines, loaded.quarantined) != (_orders(size), 2 * _orders(size), 0):
        raise RuntimeError(f"{orders} orders and {lines} lines of {_orders(size)} orders were loaded")
    return watch.result(orders)


def parse_in_python(folder: Path, size: int) -> dict[str, Any]:
    """The floor for whoever reads JSON in Python: unpack and parse each line, keep nothing."""
    with Stopwatch() as watch, gzip.open(folder / "land" / _PAGE, "rb") as file:
        rows = sum(1 for line in file if json.loads(line))
    return watch.result(rows)


def count_in_duckdb(folder: Path, size: int) -> dict[str, Any]:
    """The floor for a set-based reader: DuckDB reads the page and counts its records."""
    import duckdb

    with Stopwatch() as watch, duckdb.connect() as database:
        query = "select count(*) from read_json($page, format = 'newline_delimited')"
        [(rows,)] = database.execute(query, {"page": str(folder / "land" / _PAGE)}).fetchall()
    return watch.result(rows)


def _warm_up(place: Path) -> None:
    """Load one order, so that what is imported on the way is not counted."""
    with gzip.open(place / _PAGE, "rb") as page:
        order = page.readline()
    (place / "warm").mkdir()
    with gzip.open(place / "warm" / _PAGE, "wb") as page:
        page.write(order)
    load(SHOP_ORDERS, place / "warm", [{"file": _PAGE}], "warm", AS_OF)


def _orders(size: int) -> int:
    return max(1, size // 2)
