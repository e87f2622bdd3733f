from __future__ import annotations

import json
import time

import httpx
import pytest

RUN = """mutation($query: String!) { bulkOperationRunQuery(query: $query) {
    bulkOperation { id status } userErrors { code field message } } }"""
LOOK = """query($id: ID!) { bulkOperation(id: $id) {
    status errorCode url objectCount rootObjectCount fileSize completedAt } }"""


def run(ask, sandbox, query):
    started = ask(sandbox, RUN, query=query)["data"]["bulkOperationRunQuery"]
    assert started["userErrors"] == []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        operation = ask(sandbox, LOOK, id=started["bulkOperation"]["id"])["data"]["bulkOperation"]
        if operation["status"] not in {"CREATED", "RUNNING"}:
            return operation
        time.sleep(0.05)
    raise AssertionError("the bulk operation does not end")


def lines_of(operation):
    return [json.loads(line) for line in httpx.get(operation["url"]).text.splitlines()]


def test_the_file_holds_what_paging_gives(ask, sandbox):
    fields = "id name tags customer { id } totalPriceSet { shopMoney { amount } }"
    below = "id sku quantity product { id } variant { id } originalUnitPriceSet { shopMoney { amount } }"
    nested = f"lineItems {{ edges {{ node {{ {below} }} }} }}"
    operation = run(ask, sandbox, f"{{ orders {{ edges {{ node {{ {fields} {nested} }} }} }} }}")
    assert operation["status"] == "COMPLETED"
    lines = lines_of(operation)
    assert len(lines) == int(operation["objectCount"])

    orders, parent = {}, None
    for line in lines:
        if "__parentId" in line:
            assert line.pop("__parentId") == parent["id"], "children follow their parent"
            parent["lineItems"]["nodes"].append(line)
        else:
            parent = orders[line["id"]] = line | {"lineItems": {"nodes": []}}
    assert len(orders) == int(operation["rootObjectCount"]) == sandbox.world["counts"]["shop_orders"]

    page = f"nodes {{ {fields} lineItems(first: 8) {{ nodes {{ {below} }} }} }}"
    query = f"{{ orders(first: 30, reverse: true) {{ {page} }} }}"
    for order in ask(sandbox, query)["data"]["orders"]["nodes"]:
        assert orders[order["id"]] == order


def test_lists_and_metafields_are_the_same_in_bulk_and_in_pages(ask, sandbox):
    products = 'id totalInventory rating: metafield(namespace: "reviews", key: "rating") { value type }'
    orders = "id fulfillments(first: 5) { id deliveredAt displayStatus }"
    for name, selected in (("products", products), ("orders", orders)):
        operation = run(ask, sandbox, f"{{ {name} {{ edges {{ node {{ {selected} }} }} }} }}")
        lines = {line["id"]: line for line in lines_of(operation)}
        page = ask(sandbox, f"{{ {name}(first: 80) {{ nodes {{ {selected} }} }} }}")["data"][name]["nodes"]
        assert len(page) == 80
        assert all(lines[node["id"]] == node for node in page)


def test_a_filter_narrows_and_nothing_found_has_no_file(ask, sandbox):
    empty = run(ask, sandbox, '{ orders(query: "id:1") { edges { node { id } } } }')
    assert empty["status"] == "COMPLETED"
    assert empty["url"] is None
    assert empty["objectCount"] == "0"
    some = run(
        ask,
        sandbox,
        "{ customers(query: \"updated_at:>='2026-11-01T00:00:00Z'\") { nodes { id updatedAt } } }",
    )
    customers = lines_of(some)
    assert customers
    assert all(customer["updatedAt"] >= "2026-11-01T00:00:00Z" for customer in customers)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("{ orders { edges { node { id nosuch } } } }", "doesn't exist"),
        ("{ shop { name } }", "exactly one connection"),
        ("{ orders { nodes { id refunds(first: 5) { id refundLineItems { nodes { quantity } } } } } }",
         "connection field within a list field"),
        ("{ orders { edges { node { lineItems { edges { node { id } } } } } } }", "must select its id"),
        ("query($q: String) { orders(query: $q) { edges { node { id } } } }", "variables"),
        ("{ customers { nodes { id orders { nodes { id lineItems { nodes { id } } } } } } }",
         "nesting depth"),
        ('{ orders(query: "updated_at:>soon") { edges { node { id } } } }', "no date"),
        ("{ orders { edges { node { id ", "Syntax Error"),
    ],
)  # fmt: skip
def test_the_rules_of_bulk_queries_hold(ask, sandbox, query, reason):
    answer = ask(sandbox, RUN, query=query)["data"]["bulkOperationRunQuery"]
    assert answer["bulkOperation"] is None
    assert reason in answer["userErrors"][0]["message"]
