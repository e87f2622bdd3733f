from __future__ import annotations

import time

import httpx
import pytest

PAGE = """
query page($first: Int!, $after: String, $query: String, $reverse: Boolean) {
  orders(first: $first, after: $after, query: $query, reverse: $reverse, sortKey: UPDATED_AT) {
    nodes { id updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}"""


def all_pages(ask, sandbox, **variables):
    nodes, after = [], None
    while True:
        body = ask(sandbox, PAGE, after=after, **variables)
        page = body["data"]["orders"]
        nodes += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return nodes
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("reverse", [False, True])
def test_paging_reads_each_order_once_in_order(ask, sandbox, reverse):
    nodes = all_pages(ask, sandbox, first=7, reverse=reverse)
    ids = [node["id"] for node in nodes]
    assert len(ids) == len(set(ids)) == sandbox.world["counts"]["shop_orders"]
    moments = [node["updatedAt"] for node in nodes]
    assert moments == sorted(moments, reverse=reverse)


def test_two_adjoining_windows_hold_every_order_once(ask, sandbox):
    middle = "2026-10-20T00:00:00Z"
    before = all_pages(ask, sandbox, first=50, query=f"updated_at:<'{middle}'")
    since = all_pages(ask, sandbox, first=50, query=f"updated_at:>='{middle}'")
    assert before
    assert since
    assert len(before) + len(since) == sandbox.world["counts"]["shop_orders"]
    assert max(n["updatedAt"] for n in before) < middle <= min(n["updatedAt"] for n in since)


def test_backward_paging_is_the_mirror_of_forward_paging(ask, sandbox):
    query = """query($a: String, $b: String) {
        a: products(first: 5, after: $a) { nodes { id } pageInfo { endCursor } }
        b: products(last: 5, before: $b) { nodes { id } pageInfo { startCursor hasPreviousPage } } }"""
    edge = "query($a: String) { products(first: 1, after: $a) { edges { cursor node { id } } } }"
    first = ask(sandbox, query)["data"]["a"]
    second = ask(sandbox, query, a=first["pageInfo"]["endCursor"])["data"]["a"]
    third = ask(sandbox, edge, a=second["pageInfo"]["endCursor"])
    cursor = third["data"]["products"]["edges"][0]["cursor"]
    back = ask(sandbox, query, b=cursor)["data"]["b"]
    assert back["nodes"] == second["nodes"]
    assert back["pageInfo"]["hasPreviousPage"]


def test_lines_are_paged_below_an_order_with_cursors_of_their_own(ask, sandbox):
    nested = """query($id: ID!, $after: String) { order(id: $id) {
        lineItems(first: 1, after: $after) { nodes { id title } pageInfo { hasNextPage endCursor } } } }"""
    orders = ask(sandbox, "{ orders(first: 50) { nodes { id lineItems(first: 9) { nodes { id title } } } } }")
    order = max(orders["data"]["orders"]["nodes"], key=lambda order: len(order["lineItems"]["nodes"]))
    lines, after = [], None
    while True:
        page = ask(sandbox, nested, id=order["id"], after=after)["data"]["order"]["lineItems"]
        lines += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(lines) > 1
    assert lines == order["lineItems"]["nodes"]


@pytest.mark.parametrize("cursor", ["nonsense", "eyJhIjogMX0=", ""])
def test_a_cursor_the_shop_did_not_give_out_is_an_error(ask, sandbox, cursor):
    body = ask(sandbox, PAGE, first=3, after=cursor)
    if cursor:
        assert body["data"] is None
        assert "Invalid cursor" in body["errors"][0]["message"]
    else:
        assert len(body["data"]["orders"]["nodes"]) == 3


@pytest.mark.parametrize("arguments", ["", "(first: 0)", "(first: 251)", "(first: 2, last: 2)"])
def test_a_page_needs_a_size_between_1_and_250(ask, sandbox, arguments):
    assert ask(sandbox, "{ products" + arguments + " { nodes { id } } }")["errors"]


def test_money_of_an_order_adds_up(ask, sandbox):
    orders = ask(sandbox, """{ orders(first: 40) { nodes {
        subtotalPriceSet { shopMoney { amount } } totalShippingPriceSet { shopMoney { amount } }
        totalPriceSet { shopMoney { amount currencyCode } } totalDiscountsSet { shopMoney { amount } }
        lineItems(first: 20) { nodes { quantity originalUnitPriceSet { shopMoney { amount } }
            totalDiscountSet { shopMoney { amount } } } } } } }""")["data"]["orders"]["nodes"]  # fmt: skip

    def cents(bag):
        return round(float(bag["shopMoney"]["amount"]) * 100)

    for order in orders:
        lines = order["lineItems"]["nodes"]
        gross = sum(cents(line["originalUnitPriceSet"]) * line["quantity"] for line in lines)
        discounts = sum(cents(line["totalDiscountSet"]) for line in lines)
        assert cents(order["totalDiscountsSet"]) == discounts
        assert cents(order["subtotalPriceSet"]) == gross - discounts
        assert cents(order["totalPriceSet"]) == gross - discounts + cents(order["totalShippingPriceSet"])
        assert order["totalPriceSet"]["shopMoney"]["currencyCode"] == "EUR"


def test_a_refund_refers_to_lines_of_its_order(ask, sandbox):
    orders = ask(
        sandbox,
        """{ orders(first: 20, query: "financial_status:refunded OR financial_status:partially_refunded") {
        nodes { displayFinancialStatus lineItems(first: 20) { nodes { id quantity currentQuantity } }
            refunds(first: 5) { refundLineItems(first: 10) { nodes { quantity lineItem { id } } } } } } }""",
    )
    nodes = orders["data"]["orders"]["nodes"]
    assert nodes
    for order in nodes:
        left = {line["id"]: line["quantity"] for line in order["lineItems"]["nodes"]}
        for refund in order["refunds"]:
            for line in refund["refundLineItems"]["nodes"]:
                left[line["lineItem"]["id"]] -= line["quantity"]
        assert left == {line["id"]: line["currentQuantity"] for line in order["lineItems"]["nodes"]}
        assert min(left.values()) >= 0


def test_an_abandoned_checkout_shows_products_pictures_and_who_left_it(ask, sandbox):
    body = ask(
        sandbox,
        """{ abandonedCheckouts(first: 20, query: "status:open") { nodes { completedAt abandonedCheckoutUrl
        customer { defaultEmailAddress { emailAddress } } totalPriceSet { shopMoney { amount } }
        lineItems(first: 5) { nodes { title product { id } image { url } } } } } }""",
    )
    checkouts = body["data"]["abandonedCheckouts"]["nodes"]
    assert checkouts
    assert all(checkout["completedAt"] is None for checkout in checkouts)
    images = [line["image"]["url"] for c in checkouts for line in c["lineItems"]["nodes"] if line["image"]]
    picture = httpx.get(images[0])
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert httpx.get(checkouts[0]["abandonedCheckoutUrl"]).status_code == 200


def test_wrong_fields_and_fields_that_are_not_modelled_are_told_apart(ask, sandbox):
    wrong = ask(sandbox, "{ orders(first: 1) { nodes { nosuchfield } } }")
    assert wrong["errors"][0]["message"] == "Field 'nosuchfield' doesn't exist on type 'Order'"
    assert wrong["errors"][0]["extensions"]["code"] == "undefinedField"
    unmodelled = ask(sandbox, "{ orders(first: 1) { nodes { id clientIp } } }")
    assert "does not model Order.clientIp" in unmodelled["errors"][0]["message"]


def test_an_ignored_filter_is_reported(ask, sandbox):
    body = ask(sandbox, '{ products(first: 1, query: "colour:red") { nodes { id } } }')
    assert body["extensions"]["search"][0]["warnings"][0]["field"] == "colour"


def test_node_finds_any_object_and_refuses_what_is_no_id(ask, sandbox):
    query = "query($id: ID!) { node(id: $id) { __typename ... on Customer { id locale } } }"
    known = ask(sandbox, "{ customers(first: 1) { nodes { id } } }")["data"]["customers"]["nodes"][0]["id"]
    assert ask(sandbox, query, id=known)["data"]["node"]["__typename"] == "Customer"
    assert ask(sandbox, query, id="gid://shopify/Customer/1")["data"]["node"] is None
    assert "Invalid global id" in ask(sandbox, query, id="17")["errors"][0]["message"]


def test_consent_written_is_consent_read(ask, small):
    mutation = """mutation($input: CustomerEmailMarketingConsentUpdateInput!) {
        customerEmailMarketingConsentUpdate(input: $input) {
            customer { updatedAt defaultEmailAddress { marketingState marketingOptInLevel } }
            userErrors { field message } } }"""
    with small() as sandbox:
        customers = ask(sandbox, "{ customers(first: 9) { nodes { id } } }")["data"]["customers"]["nodes"]

        def update(state):
            consent = {"marketingState": state, "marketingOptInLevel": "CONFIRMED_OPT_IN"}
            variables = {"customerId": customers[0]["id"], "emailMarketingConsent": consent}
            return ask(sandbox, mutation, input=variables)["data"]["customerEmailMarketingConsentUpdate"]

        done = update("UNSUBSCRIBED")
        assert done["userErrors"] == []
        assert done["customer"]["defaultEmailAddress"]["marketingState"] == "UNSUBSCRIBED"
        assert done["customer"]["updatedAt"] == sandbox.world["now"]
        refused = update("NOT_SUBSCRIBED")
        assert refused["customer"] is None
        assert "NOT_SUBSCRIBED" in refused["userErrors"][0]["message"]


def post(sandbox, token, content, version="2026-10"):
    url = f"{sandbox.shop}/admin/api/{version}/graphql.json"
    return httpx.post(url, content=content, headers={"X-Shopify-Access-Token": token})


def test_tokens_versions_and_bodies_are_checked(sandbox):
    token = sandbox.shop_token()
    good = b'{"query": "{ shop { name } }"}'
    assert post(sandbox, token, good).json()["data"]["shop"]["name"]
    assert post(sandbox, "wrong", good).status_code == 401
    assert post(sandbox, token, good, "2024-01").status_code == 404
    assert post(sandbox, token, b"{").status_code == 400
    grant = {"grant_type": "client_credentials", "client_id": sandbox.client_id, "client_secret": "wrong"}
    refused = httpx.post(f"{sandbox.shop}/admin/oauth/access_token", data=grant)
    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"


def test_a_token_expires(small):
    with small(token_life=0.3) as sandbox:
        token = sandbox.shop_token()
        time.sleep(0.35)
        assert post(sandbox, token, b'{"query": "{ shop { name } }"}').status_code == 401


def test_a_query_over_the_bucket_is_throttled_inside_a_200_and_passes_later(ask, small):
    with small(shop_bucket=30, shop_rate=40) as sandbox:
        query = "{ products(first: 20) { nodes { id } } }"
        bodies = [ask(sandbox, query) for _ in range(2)]
        assert bodies[0]["extensions"]["cost"]["requestedQueryCost"] == 22
        assert bodies[1]["errors"][0]["extensions"]["code"] == "THROTTLED"
        assert "data" not in bodies[1]
        status = bodies[1]["extensions"]["cost"]["throttleStatus"]
        assert status["maximumAvailable"] == 30
        assert status["restoreRate"] == 40
        time.sleep((22 - status["currentlyAvailable"]) / 40 + 0.1)
        assert "data" in ask(sandbox, query)


def test_a_query_that_could_cost_more_than_a_thousand_points_is_refused(ask, sandbox):
    body = ask(sandbox, "{ orders(first: 100) { nodes { id lineItems(first: 20) { nodes { id } } } } }")
    assert body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert body["errors"][0]["extensions"]["cost"] == 2 + 100 * (1 + 2 + 20)


def test_what_was_not_returned_is_not_charged(ask, sandbox):
    body = ask(sandbox, '{ orders(first: 10, query: "id:1") { nodes { id customer { id } } } }')
    assert body["extensions"]["cost"]["requestedQueryCost"] == 2 + 10 * 2
    assert body["extensions"]["cost"]["actualQueryCost"] == 2


def test_what_is_delivered_says_when_and_moves_the_orders_own_date(ask, sandbox):
    query = """{ orders(first: 100, reverse: true) { nodes { createdAt updatedAt displayFulfillmentStatus
        fulfillments { createdAt updatedAt inTransitAt deliveredAt displayStatus status } } } }"""
    orders = ask(sandbox, query)["data"]["orders"]["nodes"]
    parcels = [(order, parcel) for order in orders for parcel in order["fulfillments"]]
    assert {parcel["displayStatus"] for _, parcel in parcels} == {"IN_TRANSIT", "DELIVERED"}
    for order, parcel in parcels:
        assert (parcel["deliveredAt"] is None) == (parcel["displayStatus"] == "IN_TRANSIT")
        moments = (order["createdAt"], parcel["createdAt"], parcel["updatedAt"], order["updatedAt"])
        assert list(moments) == sorted(moments)
    assert not any(
        order["fulfillments"] for order in orders if order["displayFulfillmentStatus"] == "UNFULFILLED"
    )


def test_a_customers_number_says_whether_texts_are_wanted(ask, sandbox):
    query = "{ customers(first: 120) { nodes { defaultPhoneNumber { marketingState marketingUpdatedAt } } } }"
    numbers = [
        node["defaultPhoneNumber"]
        for node in ask(sandbox, query)["data"]["customers"]["nodes"]
        if node["defaultPhoneNumber"]
    ]
    assert {number["marketingState"] for number in numbers} == {"SUBSCRIBED", "NOT_SUBSCRIBED"}
    assert all(
        bool(number["marketingUpdatedAt"]) == (number["marketingState"] == "SUBSCRIBED") for number in numbers
    )
