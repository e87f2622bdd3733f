"""Browsers subscribe and leave, and tell what became of a notification."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest

from kreislauf.delivery.links import Links
from kreislauf.ledger.schema import Channel, event, message, push_subscription
from kreislauf.ledger.store import Ledger
from sandbox.push import crypto
from tests.plugins.kreislauf.delivery.channels import plan, rows
from tests.plugins.kreislauf.web.conftest import SITE

ENDPOINT = "https://push.example/send/1"
GIVEN = {
    "endpoint": ENDPOINT,
    "keys": {"p256dh": crypto.new_pair()[1], "auth": "a" * 22},
    "visitor_id": "v1",
    "language": "en",
}


def test_a_browser_subscribes_once(client: httpx.Client, ledger: Ledger) -> None:
    for visitor in ("v1", "v2"):
        answer = client.post("/push/subscriptions", json=GIVEN | {"visitor_id": visitor})
        assert answer.status_code == 201
    (row,) = rows(ledger, push_subscription)
    assert row.id == answer.json()["id"] == hashlib.sha256(ENDPOINT.encode()).hexdigest()
    assert (row.visitor_id, row.language, row.contact_id, row.revoked_at) == ("v2", "en", None, None)


def test_it_leaves_and_comes_back(client: httpx.Client, ledger: Ledger) -> None:
    client.post("/push/subscriptions", json=GIVEN)
    assert client.request("DELETE", "/push/subscriptions", json={"endpoint": ENDPOINT}).status_code == 204
    assert rows(ledger, push_subscription)[0].revoked_at
    client.post("/push/subscriptions", json=GIVEN)
    assert rows(ledger, push_subscription)[0].revoked_at is None


def test_a_message_that_led_there_says_who_it_is(client, ledger, links: Links) -> None:
    plan(ledger, Channel.PUSH, ["x"])
    token = links.token(rows(ledger, message)[0].message_key, "push")
    client.post("/push/subscriptions", json=GIVEN | {"token": token})
    assert rows(ledger, push_subscription)[0].contact_id == "contact-x"
    for forged in ("forged" * 10, "\ud800" * 40, 7):
        posted = json.dumps(GIVEN | {"token": forged})
        assert client.post("/push/subscriptions", content=posted).status_code == 201
    assert rows(ledger, push_subscription)[0].contact_id == "contact-x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://elsewhere.example/send/1"},
        {"endpoint": "http://push.example/send/1"},
        {"endpoint": "http://127.0.0.1:8081/"},
        {"endpoint": None},
        {"keys": "x"},
        {"keys": {"p256dh": "B" * 200, "auth": "a" * 22}},
        {"keys": {"p256dh": "B" * 87, "auth": "a" * 22}},
        {"keys": GIVEN["keys"] | {"auth": "a"}},
        {"visitor_id": ""},
        {"visitor_id": "v" * 65},
        {"visitor_id": "v\0"},
        {"visitor_id": "\ud800"},
        {"endpoint": f"{ENDPOINT}/\ud800"},
    ],
)
def test_a_wrong_subscription_is_refused(client: httpx.Client, ledger: Ledger, wrong: dict) -> None:
    posted = json.dumps(GIVEN | wrong)  # as JSON may hold it: half a character is an escape there
    assert client.post("/push/subscriptions", content=posted).status_code == 400
    assert client.post("/push/subscriptions", content=b"[" * 16_000).status_code == 400
    assert client.post("/push/subscriptions", content=b"[]").status_code == 400
    assert client.post("/push/subscriptions", content=b"x" * 20_000).status_code == 413
    assert rows(ledger, push_subscription) == []


def test_what_became_of_a_notification(client, ledger, links: Links) -> None:
    plan(ledger, Channel.PUSH, ["x"])
    (sent,) = rows(ledger, message)
    token = links.token(sent.message_key, "push")
    for what in ("shown", "clicked", "clicked", "closed"):
        assert client.post(f"/push/{token}/{what}").status_code == 204
    assert {(row.type, row.message_key) for row in rows(ledger, event)} == {
        (one, sent.message_key) for one in ("delivered", "click", "close")
    }
    assert client.post(f"/push/{token}/eaten").status_code == 404
    assert client.post(f"/push/{links.token(sent.message_key)}/clicked").status_code == 404


def test_only_the_sites_pages_may_ask(client: httpx.Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for origin, is_allowed in ((SITE, True), ("https://evil.example", False)):
        answer = client.get("/push/key", headers={"Origin": origin})
        assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is is_allowed
        before = client.options("/push/subscriptions", headers={"Origin": origin, **asked})
        assert before.is_success is is_allowed
    assert client.get("/push/key").json() == {"applicationServerKey": "B-public-key"}
    other = client.get("/unsubscribe/x", headers={"Origin": SITE})
    assert "Access-Control-Allow-Origin" not in other.headers
