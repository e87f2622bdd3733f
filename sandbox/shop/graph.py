"""How the shop's tables answer the fields of Shopify's schema.

A row knows the rows it was loaded with. The first time one of them is asked for its lines (or its
customer, its refunds, …) they are loaded for all of them with one statement, so a page of 250
orders costs one statement a level, however deep the query goes.

`FIELDS` says for each type how a field comes out of a row. The same functions serve GraphQL
requests (through graphql-core) and bulk operations (through `sandbox.shop.bulk`).
"""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.shop.search import GID, condition

CHUNK = 500  # keys a statement; SQLite's own limit is far above


class UserError(ValueError):
    """A request that is valid GraphQL and still cannot be answered; shown to the client."""


@dataclass
class Context:
    """What resolvers need: the database, the shop's public address, and a place for warnings."""

    db: sqlite3.Connection
    base_url: str
    currency: str = "EUR"
    ignored_filters: list[tuple[str, str]] | None = None


class Group:
    """Rows of one kind that were loaded together, and what has been loaded for them since."""

    def __init__(self, context: Context, kind: str) -> None:
        self.context = context
        self.kind = kind
        self.rows: list[Row] = []
        self.loaded: dict[str, dict[Any, Any]] = {}


class Row:
    """A row of a table as a GraphQL object of type `kind`."""

    __slots__ = ("data", "group")

    def __init__(self, data: sqlite3.Row, group: Group) -> None:
        self.data = data
        self.group = group

    @property
    def kind(self) -> str:
        return self.group.kind

    @property
    def context(self) -> Context:
        return self.group.context

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def one(self, kind: str, column: str) -> Row | None:
        """The row of `kind` that a column points at."""
        name = f"{column} -> {kind}"
        if name not in self.group.loaded:
            keys = {row[column] for row in self.group.rows} - {None}
            self.group.loaded[name] = {row["id"]: row for row in by_key(self.context, kind, "id", keys)}
        return self.group.loaded[name].get(self[column])

    def many(self, kind: str, column: str, where: str = "1") -> list[Row]:
        """The rows of `kind` whose column points here, in the order of their ids."""
        name = f"{kind}.{column}"
        if name not in self.group.loaded:
            children: dict[Any, list[Row]] = defaultdict(list)
            for row in by_key(self.context, kind, column, {row["id"] for row in self.group.rows}, where):
                children[row[column]].append(row)
            self.group.loaded[name] = children
        return self.group.loaded[name].get(self["id"], [])


TABLES = {
    "Product": "shop_products",
    "ProductVariant": "shop_products",  # one variant a product
    "Customer": "shop_customers",
    "Order": "shop_orders",
    "LineItem": "shop_order_lines",
    "Fulfillment": "shop_fulfillments",
    "Refund": "shop_refunds",
    "RefundLineItem": "shop_refund_lines",
    "AbandonedCheckout": "shop_checkouts",
    "AbandonedCheckoutLineItem": "shop_checkout_lines",
    "BulkOperation": "shop_bulk_operations",
}


def group_of(context: Context, kind: str, data: Iterable[sqlite3.Row]) -> list[Row]:
    """Rows of one kind, as one group."""
    group = Group(context, kind)
    group.rows = [Row(row, group) for row in data]
    return group.rows


def by_key(context: Context, kind: str, column: str, keys: set[Any], where: str = "1") -> list[Row]:
    """All rows of a kind whose column is one of the keys, ordered by id, as one group."""
    found: list[sqlite3.Row] = []
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        marks = ", ".join("?" * len(chunk))
        found += context.db.execute(
            f"select * from {TABLES[kind]} where {column} in ({marks}) and {where} order by id",  # ruff: ignore[hardcoded-sql-expression]
            chunk,
        ).fetchall()
    return group_of(context, kind, found)


def node(context: Context, gid: str) -> Row | None:
    """The object with this global id, or None. Raises UserError for text that is no global id."""
    match = GID.match(gid)
    kind = gid.removeprefix("gid://shopify/").partition("/")[0]
    if not match or kind not in TABLES:
        raise UserError(f"Invalid global id '{gid}'")
    rows = by_key(context, kind, "id", {int(match[1])})
    return rows[0] if rows else None


# ------------------------------------------------------------------------------ connections


@dataclass(frozen=True)
class Root:
    """A connection at the top of a query: its rows, the names it filters by and sorts by."""

    kind: str
    filters: dict[str, str]
    sorts: dict[str, str]
    default_sort: str = "id"


DATES = {"created_at": "created_at", "updated_at": "updated_at", "id": "id"}
SORTS = {"ID": "id", "CREATED_AT": "created_at", "UPDATED_AT": "updated_at"}

ROOTS = {
    "customers": Root("Customer", {**DATES, "email": "email", "customer_date": "created_at"}, SORTS),
    "orders": Root(
        "Order",
        {
            **DATES,
            "processed_at": "processed_at",
            "customer_id": "customer_id",
            "email": "email",
            "name": "name",
            "test": "test",
            "financial_status": "financial_status",
            "fulfillment_status": "fulfillment_status",
            "status": "case when cancelled_at is null then 'open' else 'cancelled' end",
        },
        {**SORTS, "PROCESSED_AT": "processed_at"},
        "processed_at",
    ),
    "products": Root(
        "Product",
        {**DATES, "status": "status", "title": "title", "product_type": "product_type", "sku": "sku"},
        {**SORTS, "TITLE": "title", "PRODUCT_TYPE": "product_type", "VENDOR": "vendor"},
    ),
    "abandonedCheckouts": Root(
        "AbandonedCheckout",
        {
            **DATES,
            "status": "case when completed_at is null then 'open' else 'closed' end",
            "recovery_state": "case when completed_at is null then 'not_recovered' else 'recovered' end",
        },
        {"CHECKOUT_ID": "id", "CREATED_AT": "created_at", "CUSTOMER_NAME": "name"},
    ),
    "bulkOperations": Root(
        "BulkOperation",
        {"created_at": "created_at", "status": "status", "id": "id"},
        {"CREATED_AT": "created_at", "COMPLETED_AT": "completed_at", "STATUS": "status"},
        "created_at",
    ),
}
"""As in Shopify's schema, abandoned checkouts cannot be sorted by the moment of their last change."""


def cursor(row_id: int, value: Any) -> str:
    return base64.b64encode(json.dumps({"last_id": row_id, "last_value": value}).encode()).decode()


def read_cursor(text: str) -> tuple[int, Any]:
    """The id and the sort value in a cursor. Raises UserError for a cursor this shop did not give out."""
    try:
        content = json.loads(base64.b64decode(text, validate=True))
        return int(content["last_id"]), content["last_value"]
    except (binascii.Error, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"Invalid cursor for current pagination sort: '{text}'") from error


def page_size(arguments: dict[str, Any]) -> tuple[int, bool]:
    """How many rows are asked for, and whether from the end. Raises UserError outside 1 to 250."""
    first, last = arguments.get("first"), arguments.get("last")
    if (first is None) == (last is None):
        raise UserError("you must provide one of first or last")
    size = last if first is None else first
    if not 1 <= size <= 250:
        raise UserError(f"{'last' if first is None else 'first'} must be between 1 and 250, got {size}")
    return size, first is None


def connection(kind: str, rows: list[Row], sort: str, before: bool, after: bool) -> dict[str, Any]:
    """Rows as a Relay connection; `before` and `after` say whether more lies on that side."""
    cursors = [cursor(row["id"], row[sort]) for row in rows]
    return {
        "nodes": rows,
        "edges": [{"node": row, "cursor": mark} for row, mark in zip(rows, cursors, strict=True)],
        "pageInfo": {
            "hasNextPage": after,
            "hasPreviousPage": before,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def root_connection(context: Context, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A page of a top-level connection. Paging is by key, so rows that change meanwhile shift as they do
    at Shopify: a row whose sort value grows during paging is met again or later, never skipped."""
    root = ROOTS[name]
    size, from_end = page_size(arguments)
    sort = root.sorts.get(arguments.get("sortKey") or "", root.default_sort)
    found = condition(arguments.get("query"), root.filters)
    if context.ignored_filters is not None:
        context.ignored_filters += [(name, field) for field in found.ignored]
    where, values = [found.sql], list(found.values)
    descending = bool(arguments.get("reverse"))
    for argument, forward in (("after", True), ("before", False)):
        if arguments.get(argument):
            row_id, value = read_cursor(arguments[argument])
            sign = ">" if forward != descending else "<"
            where.append(f"({sort}, id) {sign} (?, ?)")
            values += [value, row_id]
    direction = "desc" if descending != from_end else "asc"
    data = context.db.execute(
        f"select * from {TABLES[root.kind]} where {' and '.join(where)}"  # ruff: ignore[hardcoded-sql-expression] - values are bound
        f" order by {sort} {direction}, id {direction} limit ?",
        [*values, size + 1],
    ).fetchall()
    more, data = len(data) > size, data[:size]
    if from_end:
        data.reverse()
    rows = group_of(context, root.kind, data)
    before, after = bool(arguments.get("after")), bool(arguments.get("before"))
    return connection(
        root.kind, rows, sort, before=more if from_end else before, after=after if from_end else more
    )


def child_connection(rows: list[Row], kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A page of rows that are already loaded, in the order of their ids."""
    size, from_end = page_size(arguments)
    descending = bool(arguments.get("reverse"))
    ordered = rows[::-1] if descending else rows
    for argument, forward in (("after", True), ("before", False)):
        if arguments.get(argument):
            mark, _ = read_cursor(arguments[argument])
            greater = forward != descending
            ordered = [row for row in ordered if (row["id"] > mark if greater else row["id"] < mark)]
    chosen = ordered[-size:] if from_end else ordered[:size]
    more = len(ordered) > size
    before, after = bool(arguments.get("after")), bool(arguments.get("before"))
    return connection(
        kind, chosen, "id", before=more if from_end else before, after=after if from_end else more
    )
