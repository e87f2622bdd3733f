"""The connector against the sandbox, which executes Shopify's own schema."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from kreislauf.landing.manifest import Window
from kreislauf.sources import graphql, shopify
from kreislauf.sources.errors import BadAnswer, Unauthorized
from kreislauf.sources.graphql import bulk_query, more_children_query, page_query, search
from kreislauf.sources.shopify import RESOURCES, ShopifySource
from kreislauf.sources.streams import (
    SHOP_CHECKOUTS,
    SHOP_CUSTOMERS,
    SHOP_ORDERS,
    SHOP_PRODUCTS,
    SHOP_REFUNDS,
    STREAMS,
)
from sandbox.shop.bulk import problem_with
from sandbox.shop.engine import document

SHOP = [stream for stream in STREAMS if stream.source == "shop"]
LONG_AGO = timedelta(days=3650)


@pytest.fixture
def shop(shop_connection) -> ShopifySource:
    return ShopifySource(shop_connection, patience=20)


def by_id(records):
    return {record["id"]: record for record in records}


@pytest.mark.parametrize("stream", SHOP, ids=lambda stream: stream.name)
def test_shopifys_schema_accepts_what_is_asked(stream, now):
    resource = RESOURCES[stream.name]
    assert document(page_query(stream, resource.connection, resource.sort_key, 10))[1] == ()
    if resource.is_bulk:
        window = Window(None, now)
        assert problem_with(bulk_query(stream, resource.connection, search(window, resource.where))) is None


@pytest.mark.parametrize(
    ("stream", "name", "parent"),
    [
        (SHOP_ORDERS, "lineItems", "gid://shopify/Order/1"),
        (SHOP_CHECKOUTS, "lineItems", "gid://shopify/AbandonedCheckout/1"),
        (SHOP_REFUNDS, "refundLineItems", "gid://shopify/Refund/1"),
    ],
)
def test_shopifys_schema_accepts_how_further_children_are_asked(stream, name, parent):
    assert document(more_children_query(stream, name, parent))[1] == ()


@pytest.mark.parametrize(
    ("stream", "counted"),
    [
        (SHOP_CUSTOMERS, "shop_customers"),
        (SHOP_ORDERS, "shop_orders"),
        (SHOP_PRODUCTS, "shop_products"),
        (SHOP_REFUNDS, "shop_refunds"),
        (SHOP_CHECKOUTS, "shop_abandoned_checkouts"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_first_sync_reads_everything_once_and_paging_reads_the_same(
    shop, sandbox, read, now, stream, counted
):
    first = read(shop, stream, None, now + timedelta(seconds=1))
    paged = read(shop, stream, now - LONG_AGO, now + timedelta(seconds=1))
    assert len(first) == len(by_id(first)) == sandbox.world["counts"][counted] > 0
    assert by_id(paged) == by_id(first)


def test_a_window_has_what_changed_in_it_and_nothing_else(shop, read, now):
    middle = now - timedelta(days=20)
    early = read(shop, SHOP_ORDERS, now - LONG_AGO, middle)
    late = read(shop, SHOP_ORDERS, middle, now + timedelta(seconds=1))
    assert early
    assert late
    assert not by_id(early).keys() & by_id(late).keys()
    assert (
        max(order["updatedAt"] for order in early)
        < f"{middle:%Y-%m-%dT%H:%M:%SZ}"
        <= min(order["updatedAt"] for order in late)
    )


def test_lines_that_do_not_fit_on_a_page_are_fetched_on(shop, read, now, monkeypatch):
    whole = by_id(read(shop, SHOP_ORDERS, now - LONG_AGO, now))
    monkeypatch.setattr(graphql, "CHILDREN_ON_PAGE", 1)
    monkeypatch.setattr(graphql, "CHILDREN_FETCHED_ON", 1)
    days = timedelta(days=15)
    recent = by_id(read(shop, SHOP_ORDERS, now - days, now))
    assert any(len(order["lineItems"]["nodes"]) > 2 for order in recent.values())
    assert recent == {key: whole[key] for key in recent}


def test_a_refund_knows_its_order_and_moves_with_it(shop, read, now):
    refunds = read(shop, SHOP_REFUNDS, None, now)
    orders = by_id(read(shop, SHOP_ORDERS, None, now))
    for refund in refunds:
        assert refund["updatedAt"] == orders[refund["order"]["id"]]["updatedAt"]
        assert "pageInfo" not in refund["refundLineItems"]


def test_a_query_that_is_too_expensive_is_made_smaller(shop, read, now, monkeypatch):
    monkeypatch.setattr(shop, "_page_size", 250)
    assert len(read(shop, SHOP_ORDERS, now - LONG_AGO, now)) > 10


def test_pages_grow_to_what_a_query_may_cost(shop, read, now):
    read(shop, SHOP_CUSTOMERS, now - LONG_AGO, now)
    assert shop._page_size > shopify.FIRST_PAGE


def test_faults_and_throttles_are_survived_and_each_record_comes_once(shop, sandbox, read, now, monkeypatch):
    monkeypatch.setattr(shopify, "MAX_COST", 300)  # many pages
    whole = by_id(read(shop, SHOP_ORDERS, now - LONG_AGO, now))
    sandbox.fault("/shop/admin/api", 503, probability=0.25, seed=3, times=3)
    sandbox.fault("/shop/admin/api", 429, times=2, skip=2, headers={"Retry-After": "0"})
    sandbox.fault("/shop/admin/api", "drop", times=2, skip=5)
    try:
        records = read(shop, SHOP_ORDERS, now - LONG_AGO, now)
    finally:
        sandbox.clear_faults()
    assert len(records) == len(whole)
    assert by_id(records) == whole


def test_an_expired_token_is_replaced(shop, sandbox, read, now):
    read(shop, SHOP_PRODUCTS, now - LONG_AGO, now)
    sandbox.fault("/shop/admin/api", 401, times=1)
    try:
        assert read(shop, SHOP_PRODUCTS, now - LONG_AGO, now)
    finally:
        sandbox.clear_faults()


def test_a_wrong_secret_fails_at_once_and_names_the_connection(shop_connection, read, now):
    from dataclasses import replace

    wrong = ShopifySource(replace(shop_connection, password="hunter2"), patience=20)
    with pytest.raises(Unauthorized, match="connection 'shop'") as caught:
        read(wrong, SHOP_ORDERS, None, now)
    assert "hunter2" not in str(caught.value)


def test_a_field_the_shop_does_not_know_is_a_clear_error(shop):
    with pytest.raises(BadAnswer, match=r"connection 'shop', GraphQL: .*favouriteColour"):
        shop.query("{ shop { favouriteColour } }")


def test_another_version_is_a_clear_error(shop_connection, read, now, monkeypatch):
    monkeypatch.setattr(shopify, "API_VERSION", "2020-01")
    with pytest.raises(BadAnswer, match=r"2020-01.*HTTP 404"):
        read(ShopifySource(shop_connection), SHOP_ORDERS, None, now)


def test_a_bulk_operation_left_by_a_killed_try_is_taken_up(shop, sandbox, shop_connection, read, now):
    until = now - timedelta(seconds=7)
    first = read(shop, SHOP_CUSTOMERS, None, until)
    sandbox.fault("/shop/bulk", 503, times=1)
    again = read(ShopifySource(shop_connection, patience=20), SHOP_CUSTOMERS, None, until)
    sandbox.clear_faults()
    assert by_id(again) == by_id(first)
    headers = {"X-Shopify-Access-Token": sandbox.shop_token()}
    query = "{ bulkOperations(first: 100) { nodes { query } } }"
    answer = httpx.post(
        f"{sandbox.shop}/admin/api/2026-10/graphql.json", json={"query": query}, headers=headers
    )
    texts = [node["query"] for node in answer.json()["data"]["bulkOperations"]["nodes"]]
    assert len([text for text in texts if f"{until:%H:%M:%S}" in text]) == 1


def test_nothing_is_lost_when_records_change_while_they_are_read(shop, sandbox, read, now, monkeypatch):
    """Orders move on between two pages; the next window has what left this one."""
    monkeypatch.setattr(shop, "_learn", lambda text, answer: None)  # pages of ten
    later = now + timedelta(days=2)
    seen = {}
    pages = shop._pages(SHOP_ORDERS, RESOURCES["orders"], Window(now - LONG_AGO, now))
    for number, order in enumerate(pages):
        seen[order["id"]] = order["updatedAt"]
        if number == 5:
            sandbox.advance(later)
    for order in read(shop, SHOP_ORDERS, now, later + timedelta(seconds=1)):
        seen[order["id"]] = order["updatedAt"]
    final = read(shop, SHOP_ORDERS, now - LONG_AGO, later + timedelta(seconds=1))
    assert seen == {order["id"]: order["updatedAt"] for order in final}
