"""Shopify's Admin API (GraphQL): first sync by bulk operation, changes by paged query.

Queries are made from the declared columns: a column added in streams/shop.py is asked for. Sources of
the rules: shopify.dev, "API rate limits", "Pagination" and "Perform bulk operations with the
GraphQL Admin API", for the version below.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from kreislauf.connections import Connection
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.sources.base import Position, line
from kreislauf.sources.bulk import BULK_QUERIES, BULK_QUERY, RUN_BULK_QUERY, nested
from kreislauf.sources.errors import BadAnswer, SourceError, Throttled, Unauthorized, Unavailable
from kreislauf.sources.graphql import bulk_query, more_children_query, page_query, search
from kreislauf.sources.http import PATIENCE, Api
from kreislauf.sources.streams import Stream

log = logging.getLogger(__name__)

API_VERSION = "2026-10"
MAX_COST = 1000
MAX_PAGE = 250
FIRST_PAGE = 10
"""A first guess that is cheap under any price list; the answer's own cost sets the size of the next page."""

FORGET_TOKEN_BEFORE_END = 60.0  # seconds
BULK_PATIENCE = 6 * 3600.0  # seconds; Shopify itself gives an operation ten days


@dataclass(frozen=True)
class Resource:
    """How a stream is asked for: the connection, the order, a further filter, and whether in bulk at first.

    Refunds are a list inside an order, and a connection inside a list is refused by bulk operations;
    abandoned checkouts are too few to need one.
    """

    connection: str
    sort_key: str
    is_bulk: bool = True
    where: str = ""


RESOURCES = {
    "customers": Resource("customers", "UPDATED_AT"),
    "orders": Resource("orders", "UPDATED_AT"),
    "products": Resource("products", "UPDATED_AT"),
    "abandoned_checkouts": Resource("abandonedCheckouts", "CREATED_AT", is_bulk=False),
    "refunds": Resource(
        "orders",
        "UPDATED_AT",
        is_bulk=False,
        where="(financial_status:refunded OR financial_status:partially_refunded)",
    ),
}


class ShopifySource:
    """A Shopify shop. The connection holds the client id (login) and the client secret (password)."""

    goes_by_window = True

    def __init__(
        self, connection: Connection, patience: float = PATIENCE, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.api_version: str | None = API_VERSION
        self._connection = connection
        self._sleep = sleep
        self._open = Api(connection, patience=patience, sleep=sleep)
        self._api = Api(connection, self._token_header, patience=patience, sleep=sleep)
        self._token: str | None = None
        self._token_ends = 0.0
        self._page_size = FIRST_PAGE

    def now(self) -> datetime | None:
        """Asked with the token, which a new source has to fetch anyway."""
        self._token_header()
        return self._open.now()

    def read(self, stream: Stream, window: Window, last: Manifest | None) -> Iterator[bytes]:
        resource = RESOURCES[stream.name]
        if window.since is None and resource.is_bulk:
            return self._bulk(stream, resource, window)
        orders = self._pages(stream, resource, window)
        return (line(record) for record in (_refunds(orders) if stream.name == "refunds" else orders))

    def position(self) -> Position:
        return Position()

    def committed(self) -> None:
        """Nothing to tidy up."""

    # ------------------------------------------------------------------------------- requests

    def query(self, text: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of a GraphQL answer. An expired token is replaced once.

        Raises Unauthorized, Throttled, Unavailable, BadAnswer, or QueryTooExpensive.
        """
        body = {"query": text, "variables": variables or {}}
        path = f"/admin/api/{API_VERSION}/graphql.json"
        try:
            answer = self._api.json("POST", path, self._check, json=body)
        except Unauthorized:
            self._token = None
            answer = self._api.json("POST", path, self._check, json=body)
        self._learn(text, answer)
        return answer["data"]

    def _token_header(self) -> dict[str, str]:
        if self._token is None or time.monotonic() > self._token_ends:
            self._fetch_token()
        return {"X-Shopify-Access-Token": self._token or ""}

    def _fetch_token(self) -> None:
        """The client-credentials grant: a token for a day."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._connection.login or "",
            "client_secret": self._connection.secret(),
        }
        granted = self._open.json("POST", "/admin/oauth/access_token", data=form)
        self._token = granted["access_token"]
        self._token_ends = (
            time.monotonic() + float(granted.get("expires_in", 86399)) - FORGET_TOKEN_BEFORE_END
        )

    def _check(self, response: httpx.Response) -> None:
        """Raise what a GraphQL answer with status 200 says went wrong."""
        served = response.headers.get("X-Shopify-API-Version", API_VERSION)
        if served != self.api_version:
            # Shopify answers with the oldest supported version when ours has ended.
            log.warning("the shop answers with API version %s, asked for %s", served, API_VERSION)
            self.api_version = served
        try:
            answer = response.json()
        except ValueError:
            return
        if not (errors := answer.get("errors")):
            return
        codes = {(error.get("extensions") or {}).get("code") for error in errors}
        sentence = "; ".join(str(error.get("message")) for error in errors)[:300]
        where = f"connection {self._connection.conn_id!r}, GraphQL"
        if "THROTTLED" in codes:
            raise Throttled(f"{where}: throttled", _refill_time(answer))
        if "MAX_COST_EXCEEDED" in codes:
            raise QueryTooExpensive(f"{where}: {sentence}")
        if "ACCESS_DENIED" in codes:
            raise Unauthorized(f"{where}: {sentence}; give the app the permission it lacks")
        if "INTERNAL_SERVER_ERROR" in codes:
            raise Unavailable(f"{where}: {sentence}")
        raise BadAnswer(f"{where}: {sentence}")

    def _learn(self, text: str, answer: dict[str, Any]) -> None:
        """Make pages as large as the price of the last one allows."""
        cost = ((answer.get("extensions") or {}).get("cost") or {}).get("requestedQueryCost")
        if cost and text.startswith("query page"):
            self._page_size = max(1, min(MAX_PAGE, MAX_COST * 95 // 100 * self._page_size // int(cost)))

    # ---------------------------------------------------------------------------------- pages

    def _pages(self, stream: Stream, resource: Resource, window: Window) -> Iterator[dict[str, Any]]:
        """The records changed in a window, each with all its children."""
        filters = search(window, resource.where)
        after = None
        while True:
            page = self._page(stream, resource, filters, after)
            for record in page["nodes"]:
                self._complete(stream, record)
                yield record
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def _page(self, stream: Stream, resource: Resource, filters: str, after: str | None) -> dict[str, Any]:
        while True:
            text = page_query(stream, resource.connection, resource.sort_key, self._page_size)
            try:
                return self.query(text, {"query": filters, "after": after})[resource.connection]
            except QueryTooExpensive:
                if self._page_size == 1:
                    raise
                self._page_size = max(1, self._page_size // 2)

    def _complete(self, stream: Stream, record: dict[str, Any]) -> None:
        """Fetch the children that did not fit on the page, and take the page information out."""
        holders = record["refunds"] if stream.name == "refunds" else [record]
        for holder in holders:
            for name, children in holder.items():
                if not isinstance(children, dict) or "pageInfo" not in children:
                    continue
                information = children.pop("pageInfo")
                while information["hasNextPage"]:
                    text = more_children_query(stream, name, holder["id"])
                    found = self.query(text, {"id": holder["id"], "after": information["endCursor"]})
                    if found["node"] is None:
                        raise Unavailable(
                            f"connection {self._connection.conn_id!r}: a record vanished while it was read"
                        )
                    children["nodes"] += found["node"][name]["nodes"]
                    information = found["node"][name]["pageInfo"]

    # ----------------------------------------------------------------------------------- bulk

    def _bulk(self, stream: Stream, resource: Resource, window: Window) -> Iterator[bytes]:
        """All records changed before the window's end, by one bulk operation."""
        text = bulk_query(stream, resource.connection, search(window, resource.where))
        operation = self._finished(self._find_operation(text) or self._start_operation(text))
        if not operation["url"]:
            return
        with tempfile.TemporaryDirectory(prefix="kreislauf-") as folder:
            path = Path(folder) / "bulk.jsonl"
            self._open.download(operation["url"], path)
            yield from nested(path, stream, int(operation["objectCount"]), int(operation["rootObjectCount"]))

    def _find_operation(self, text: str) -> dict[str, Any] | None:
        """An operation for exactly this query, left by a try that was killed. It need not run twice."""
        for found in self.query(BULK_QUERIES)["bulkOperations"]["nodes"]:
            is_usable = found["status"] in {"CREATED", "RUNNING"} or (
                found["status"] == "COMPLETED" and found["url"]
            )
            if is_usable and found["query"] == text:
                return found
        return None

    def _start_operation(self, text: str) -> dict[str, Any]:
        started = self.query(RUN_BULK_QUERY, {"query": text})["bulkOperationRunQuery"]
        if errors := started["userErrors"]:
            sentence = "; ".join(str(error["message"]) for error in errors)[:300]
            message = f"connection {self._connection.conn_id!r}: the bulk operation was refused: {sentence}"
            if {error.get("code") for error in errors} & {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}:
                raise Throttled(message)
            raise BadAnswer(message)
        return started["bulkOperation"]

    def _finished(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Wait until the operation has ended. Raises SourceError if it did not end well."""
        pause, waited = 0.2, 0.0
        while operation["status"] in {"CREATED", "RUNNING", "CANCELING"}:
            if waited > BULK_PATIENCE:
                raise Unavailable(f"bulk operation {operation['id']} has not ended after {waited:.0f} s")
            self._sleep(pause)
            waited += pause
            pause = min(pause * 1.5, 10.0)
            operation = self.query(BULK_QUERY, {"id": operation["id"]})["bulkOperation"]
        if operation["status"] == "COMPLETED":
            return operation
        message = (
            f"bulk operation {operation['id']} ended as {operation['status']} ({operation['errorCode']})"
        )
        if operation["errorCode"] == "ACCESS_DENIED":
            raise Unauthorized(
                f"{message}; check the permissions of the connection {self._connection.conn_id!r}"
            )
        raise Unavailable(f"{message}; run the task again")


class QueryTooExpensive(SourceError):
    """The query costs more than one query may."""


def _refunds(orders: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The refunds in orders, one record each, with the order they belong to and its moment of change."""
    for order in orders:
        for refund in order["refunds"]:
            yield refund | {"order": {"id": order["id"]}, "updatedAt": order["updatedAt"]}


def _refill_time(answer: dict[str, Any]) -> float:
    """Seconds until the bucket holds what the query asked for."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    lacking = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return max(0.2, lacking / float(status.get("restoreRate") or 50))
