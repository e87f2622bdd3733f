"""Sending through SendGrid's protocol: every kind of answer, and what the ledger says after it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import SendResult, send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import DeliveryError, transport_for
from kreislauf.ledger import batches
from kreislauf.ledger.schema import batch, message, template_link
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.suppressions import suppress
from kreislauf.ledger.testing import plan_people

CART = {
    "first_name": "Ada",
    "last_name": "O'Hara",
    "salutation": "Frau",
    "url": "https://x.example/cart",
    "total_amount": "25.00",
    "currency": "EUR",
    "items": [
        {
            "title": "Kanne & <Co>",
            "image_url": None,
            "url": "https://x.example/p?a=1",
            "unit_amount": "12.50",
            "stars": None,
            "quantity": 2,
        }
    ],
}


@pytest.fixture
def send_all(ledger: Ledger, connection: Connection, links: Links):
    """Send everything planned for flow_welcome/hello through the provider."""

    def send_all(flow: str = "flow_welcome", step: str = "hello", **options: Any) -> SendResult:
        transport = transport_for(connection)
        options = {"sleep": lambda seconds: None} | options
        return send(ledger, transport, Templates(), flow, step, "run-1 try 1", links, **options)

    return send_all


def _states(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as opened:
        rows = batches.message_states(opened)
    states: Counter[str] = Counter()
    for row in rows:
        states[f"{row.state} {row.reason}".strip()] += row.messages
    return dict(states)


def _rows(ledger: Ledger, table: Any) -> list[Any]:
    with ledger.read() as opened:
        return opened.execute(select(table)).all()


def test_counts_are_plain_data(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada", "bob"])
    counts = send_all().counts()
    assert counts == {
        "batches": 1, "messages": {"accepted": 2}, "skipped": {}, "swept": 0, "is_paused": False
    }  # fmt: skip
    assert type(counts["messages"]) is dict


def test_what_the_provider_gets(ledger: Ledger, provider, send_all, links: Links) -> None:
    options = {"flow": "flow_cart", "step": "reminder", "template": "abandoned_cart/reminder"}
    plan_people(ledger, ["ada"], language="de", item_count=1, merge=CART, **options)
    send_all("flow_cart", "reminder")

    (request,) = provider.requests
    (row,) = _rows(ledger, message)
    assert request["headers"]["Authorization"] == "Bearer SG.test"
    assert request["from"] == {"email": "hello@shop.example", "name": "Sandbox Shop"}
    assert [part["type"] for part in request["content"]] == ["text/plain", "text/html"]
    assert request["categories"] == ["flow_cart", "flow_cart/reminder"]
    assert request["tracking_settings"]["subscription_tracking"] == {"enable": False}
    (person,) = request["personalizations"]
    assert person["to"] == [{"email": "ada@example.org"}]
    assert person["custom_args"] == {"mk": row.message_key, "bk": row.batch_id}
    assert person["headers"] == {
        "List-Unsubscribe": f"<{links.unsubscribe(row.message_key)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    page = request["content"][1]["value"]
    for tag, value in person["substitutions"].items():
        page = page.replace(tag, value)
    assert "Liebe Frau O&#x27;Hara" in page
    assert "Kanne &amp; &lt;Co&gt;" in page
    assert "12,50\xa0€" in page
    assert "https://web.example/no-picture.png" in page
    assert "%%" not in page
    # What says nothing about the person: keys, categories.
    assert "ada" not in str([request["categories"], person["custom_args"], person["headers"]]).lower()


def test_accepted(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, [f"c{n}" for n in range(7)], batch_size=3)
    result = send_all()
    assert (result.batches, dict(result.messages)) == (3, {"accepted": 7})
    assert _states(ledger) == {"accepted": 7}
    (first, *_) = _rows(ledger, batch)
    assert (first.http_status, first.provider_message_id, first.owner) == (202, "m-1", "run-1 try 1")
    assert first.template_version
    assert {(row.slot, row.target) for row in _rows(ledger, template_link)} == {
        ("logo", "https://shop.example"),
        ("cta", "https://shop.example"),
    }
    assert send_all().batches == 0
    assert len(provider.accepted) == 7


def test_skipped_people_are_not_sent_to(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada", "bob"])
    suppress(ledger, [{"address": "ada@example.org"}], "opt_out", "test")
    assert send_all().skipped == {"suppressed": 1}
    assert [sent["address"] for sent in provider.accepted] == ["bob@example.org"]


def test_one_bad_address_does_not_stop_the_others(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada", "bad", "cy"])

    def script(request: dict[str, Any], _number: int) -> Any:
        addresses = [person["to"][0]["email"] for person in request["personalizations"]]
        if "bad@example.org" not in addresses:
            return None
        where = f"personalizations.{addresses.index('bad@example.org')}.to.0.email"
        problem = {"message": "bad@example.org is not a valid address.", "field": where}
        return (400, {}, {"errors": [problem]})

    provider.script = script
    assert dict(send_all().messages) == {"accepted": 2, "rejected": 1}
    assert _states(ledger) == {"accepted": 2, "rejected <address> is not a valid address.": 1}


def test_when_all_are_refused_by_name_the_batch_is_rejected(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada"])
    provider.script = lambda *_: (400, {}, {"errors": [{"message": "no", "field": "personalizations.0.to"}]})
    send_all()
    assert _states(ledger) == {"rejected no": 1}
    assert _rows(ledger, batch)[0].state == "rejected"


def test_endless_single_refusals_stop_after_three_tries(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, [f"c{n}" for n in range(9)])
    provider.script = lambda *_: (400, {}, {"errors": [{"message": "no", "field": "personalizations.0.to"}]})
    with pytest.raises(DeliveryError, match="3 times in a row"):
        send_all()
    assert len(provider.requests) == 3
    assert _states(ledger) == {"planned": 6, "rejected no": 3}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"flow_welcome/hello: sending stopped, .* API key \(401\); check the password"),
        (403, r"verified"),
        (404, r"check the host"),
        (413, r"too large"),
        (400, r"refuses the request \(400\): The from address does not match"),
    ],
)
def test_a_refusal_stops_the_flow_and_loses_nothing(
    ledger: Ledger, provider, send_all, status: int, message: str
) -> None:
    plan_people(ledger, ["ada", "bob"], batch_size=1)
    body = {"errors": [{"message": "The from address does not match", "field": "from"}]}
    provider.script = lambda *_: (status, {}, body)
    with pytest.raises(DeliveryError, match=message) as caught:
        send_all()
    assert "example.org" not in str(caught.value)
    assert len(provider.requests) == 1
    assert _states(ledger) == {"planned": 2}
    provider.script = lambda *_: None
    assert dict(send_all().messages) == {"accepted": 2}


def test_a_short_throttle_is_waited_for(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada"])
    reset = {"X-RateLimit-Reset": str(int(time.time()) + 1)}
    provider.script = lambda _, number: (429, reset, None) if number == 1 else None
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    assert dict(send_all(sleep=sleep).messages) == {"accepted": 1}
    assert len(slept) == 1
    assert slept[0] <= 1


@pytest.mark.parametrize(
    "wait",
    [{"Retry-After": "3600"}, {"Retry-After": "9" * 11}, {"X-RateLimit-Reset": "9" * 11}],
    ids=["an hour", "for ever", "until the end of time"],
)
def test_a_long_throttle_is_left_to_the_next_run(ledger: Ledger, provider, send_all, wait) -> None:
    plan_people(ledger, ["ada"])
    provider.script = lambda *_: (429, wait, None)
    assert dict(send_all().messages) == {"planned": 1}
    assert send_all().batches == 0
    assert len(provider.requests) == 1


def test_a_provider_that_throttles_for_ever_is_left_to_the_next_run(ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada"])
    provider.script = lambda *_: (429, {"X-RateLimit-Reset": "1"}, None)  # its clock has stopped
    slept: list[float] = []
    assert dict(send_all(sleep=slept.append).messages) == {"planned": 1}
    assert slept == [1.0] * 120 and len(provider.requests) == 121


@pytest.mark.parametrize("what", [500, 503, "drop", "accept_and_drop"])
def test_without_an_answer_nothing_is_sent_again(ledger: Ledger, provider, send_all, what: Any) -> None:
    plan_people(ledger, ["ada"])
    provider.script = lambda *_: what
    assert dict(send_all().messages) == {"in_doubt": 1}
    provider.script = lambda *_: None
    assert send_all().batches == 0
    assert _states(ledger) == {"in_doubt": 1}
    assert len(provider.requests) == 1


def test_a_time_out_is_in_doubt(ledger: Ledger, provider, connection: Connection, links: Links) -> None:
    plan_people(ledger, ["ada"])

    served = threading.Event()

    def script(*_: Any) -> None:
        time.sleep(0.5)
        served.set()

    provider.script = script
    transport = replace(transport_for(connection), timeout_seconds=0.2)
    result = send(ledger, transport, Templates(), "flow_welcome", "hello", "me", links)
    assert dict(result.messages) == {"in_doubt": 1}
    assert served.wait(10)  # it was accepted after all: to send again would have been wrong


def test_a_provider_that_cannot_be_reached_has_accepted_nothing(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada"])
    provider.server.shutdown()
    provider.server.server_close()
    with pytest.raises(DeliveryError, match="cannot be reached"):
        send_all()
    assert _states(ledger) == {"planned": 1}


def test_a_broken_template_sends_nothing_and_names_the_field(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["ada"], step="voucher", template="welcome/voucher")
    with pytest.raises(DeliveryError, match="voucher_code"):
        send_all(step="voucher")
    plan_people(ledger, ["bob"], step="gone", template="welcome/gone", run_id="run-2")
    with pytest.raises(DeliveryError, match=r"welcome/gone\.en\.mjml or \.yaml does not exist"):
        send_all(step="gone")
    assert provider.requests == []
    assert _states(ledger) == {"planned": 2}


def test_one_persons_bad_value_is_theirs_alone(ledger: Ledger, provider, send_all) -> None:
    options = {"flow": "flow_cart", "step": "reminder", "template": "abandoned_cart/reminder"}
    options |= {"item_count": 1}
    plan_people(ledger, ["ada"], merge=CART, **options)
    plan_people(ledger, ["eve"], run_id="run-2", merge=CART | {"url": "javascript:x"}, **options)
    result = send_all("flow_cart", "reminder")
    assert dict(result.messages) == {"accepted": 1, "rejected": 1}
    assert "rejected merge field 'url' is not a web address" in _states(ledger)


def test_a_pause_in_the_middle_stops_before_the_next_batch(ledger: Ledger, provider, send_all) -> None:
    plan_people(ledger, ["a", "b", "c"], batch_size=1)

    def script(_request: dict[str, Any], number: int) -> None:
        if number == 2:
            ledger.pause("flow_welcome", "eve", "wrong picture")

    provider.script = script
    result = send_all()
    assert (result.batches, result.is_paused) == (2, True)
    assert _states(ledger) == {"accepted": 2, "planned": 1}


def test_what_expired_while_it_waited_is_not_sent(ledger: Ledger, provider, send_all) -> None:
    from kreislauf.ledger.testing import AS_OF

    plan_people(ledger, ["ada"], expires_at=AS_OF + timedelta(days=1))
    assert send_all(as_of=AS_OF + timedelta(days=2)).skipped == {"expired": 1}
    assert provider.requests == []


def test_logs_hold_neither_addresses_nor_the_key(
    ledger: Ledger, provider, send_all, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    plan_people(ledger, ["ada"])
    send_all()
    assert "accepted, 1 messages" in caplog.text
    assert "ada@" not in caplog.text
    assert "SG.test" not in caplog.text
