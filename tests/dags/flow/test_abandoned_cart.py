"""The cart flow: the cart's own products, an offer at the end, a refusal."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import insert

from kreislauf.ledger.schema import push_subscription
from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, click, contact, give_codes, mails_of


def cart(number: int, left: datetime, amount: int = 50) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"checkout-{number}",
        "occurred_at": left,
        "url": f"https://shop.example/cart/{number}",
        "total_amount": Decimal(amount),
        "currency": "EUR",
    }


def lying_in(number: int, position: int) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"checkout-{number}",
        "position": position,
        "title": f"Kettle {number}.{position}",
        "image_url": f"https://shop.example/pictures/{number}-{position}.png",
        "url": f"https://shop.example/products/{number}-{position}",
        "unit_amount": Decimal("49.90"),
        "quantity": 1,
    }


def world(people: int, left: datetime) -> dict:
    """Each person has left a cart with as many products as its number."""
    numbers = range(1, people + 1)
    return {
        "core.contacts": [contact(number, language="en") for number in numbers],
        "triggers.cart_abandoned": [cart(number, left) for number in numbers],
        "triggers.cart_abandoned_items": [
            lying_in(number, position) for number in numbers for position in range(1, number + 1)
        ],
    }


def test_each_gets_its_own_products_and_an_offer_only_who_stays_away(circuit, run_dag):
    give_codes(circuit, "cart", "TEATIME-1", "TEATIME-2", "TEATIME-3")
    rows = world(3, NOON - 5 * HOUR)
    circuit.publish(rows)
    first = run_dag("flow/abandoned_cart")

    assert first["state"] == "success"
    for number in (1, 2, 3):
        (mail,) = mails_of(circuit, number)
        assert all(f"Kettle {number}.{position}" in mail for position in range(1, number + 1))
        assert mail.count("shop.example/pictures/") == number
        assert f"https://shop.example/cart/{number}" in mail
        assert "TEATIME" not in mail

    click(circuit, "shop-2", "reminder", NOON + HOUR)
    rows["conditions.ordered"] = [{"contact_id": "shop-3", "occurred_at": NOON + 2 * HOUR}]
    circuit.publish(rows, NOON + 5 * HOUR)
    run_dag("flow/abandoned_cart")
    circuit.publish(rows, NOON + 30 * HOUR)
    run_dag("flow/abandoned_cart")

    reasons = circuit.reasons()
    # Nobody takes notifications, and the journey goes on without.
    assert [reasons["nudge", f"shop-{number}"] for number in (1, 2, 3)] == [
        "unreachable",
        "condition_false",
        "goal_reached",
    ]
    assert [reasons["last_call", f"shop-{number}"] for number in (1, 2, 3)] == [
        "planned",
        "condition_false",
        "goal_reached",
    ]
    assert sum("TEATIME-1" in mail for mail in mails_of(circuit, 1)) == 1
    assert len(circuit.mails()) == 4


def test_half_of_the_people_wait_four_hours_and_a_large_cart_a_day(circuit, run_dag):
    small, large = range(1, 41), range(41, 45)
    rows = {
        "core.contacts": [contact(number) for number in (*small, *large)],
        "triggers.cart_abandoned": [
            *(cart(number, NOON - 2 * HOUR, amount=149) for number in small),
            *(cart(number, NOON - 23 * HOUR, amount=150) for number in large),
        ],
    }
    circuit.publish(rows)
    run_dag("flow/abandoned_cart")
    reasons = circuit.reasons()
    found = [reasons["reminder", f"shop-{number}"] for number in small]
    assert 10 <= found.count("planned") <= 30
    assert found.count("planned") + found.count("not_due") == 40
    assert {reasons["reminder", f"shop-{number}"] for number in large} == {"other_branch"}
    assert {reasons["reminder_later", f"shop-{number}"] for number in large} == {"not_due"}

    circuit.publish(rows, NOON + HOUR)
    run_dag("flow/abandoned_cart")
    assert {circuit.reasons()["reminder_later", f"shop-{number}"] for number in large} == {"planned"}


class PushService(BaseHTTPRequestHandler):
    """Takes every notification."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(self.path)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def push_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A push service, and a connection to it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), PushService) as server:
        server.taken = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        extra = {"subject": "mailto:hello@shop.example", "services": ["127.0.0.1"]}
        extra |= {"from_email": "hello@shop.example", "from_name": "Shop", "postal_address": "Weg 1, Berlin"}
        key = base64.urlsafe_b64encode(b"\1" * 32).decode().rstrip("=")
        connection = {"conn_type": "http", "password": key, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_PUSH", json.dumps(connection))
        yield server
        server.shutdown()
        thread.join()


def test_who_has_not_clicked_is_notified_and_needs_no_consent_to_mail_for_it(circuit, run_dag, push_service):
    # A browser's public key and secret, as RFC 8291 gives them in its appendix.
    key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    browsers = [
        {"id": f"browser-{number}", "endpoint": f"http://127.0.0.1:{push_service.server_port}/{number}"}
        | {"p256dh": key, "auth": "BTBZMqHH6r4Tts7J_aSIgg", "language": "en"}
        | {"created_at": NOON, "updated_at": NOON}
        for number in (1, 2, 3)
    ]
    with circuit.ledger.write() as connection:
        connection.execute(insert(push_subscription), browsers)
    rows = world(3, NOON - 5 * HOUR)
    rows["core.contacts"][1]["email_consent"] = "revoked"
    rows["core.push_subscriptions"] = [
        {"contact_id": f"shop-{number}", "subscription_id": f"browser-{number}", "created_at": NOON - DAY}
        for number in (1, 2, 3)
    ]
    circuit.publish(rows)
    run_dag("flow/abandoned_cart")
    click(circuit, "shop-3", "reminder", NOON + HOUR)
    circuit.publish(rows, NOON + 5 * HOUR)
    assert run_dag("flow/abandoned_cart")["state"] == "success"

    assert circuit.reasons()["reminder", "shop-2"] == "no_consent"
    assert sorted(push_service.taken) == ["/1", "/2"]


@pytest.fixture
def refusing() -> Iterator[str]:
    """A mail provider to which our key is wrong."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(
                {"errors": [{"message": "The provided authorization grant is invalid"}]}
            ).encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_wrong_key_is_red_at_once_says_what_to_check_and_loses_nothing(
    circuit, run_dag, refusing, monkeypatch, capfd
):
    files = json.loads(os.environ["AIRFLOW_CONN_SENDGRID"])
    wrong = files | {"conn_type": "http", "host": refusing, "password": "wrong"}
    circuit.publish(world(2, NOON - 5 * HOUR))

    monkeypatch.setenv("AIRFLOW_CONN_SENDGRID", json.dumps(wrong))
    done = run_dag("flow/abandoned_cart")
    assert done["states"]["reminder.send"] == "failed", "not up for retry: asking again changes nothing"
    assert done["states"]["last_call.decide"] == "upstream_failed"
    printed = "".join(capfd.readouterr())
    assert "does not accept the API key (401); check the password of the connection" in printed
    assert "person1@example.org" not in printed
    assert circuit.states() == {"planned": 2}

    monkeypatch.setenv("AIRFLOW_CONN_SENDGRID", json.dumps(files))
    assert run_dag("flow/abandoned_cart")["state"] == "success"
    assert circuit.states() == {"accepted": 2}
    assert len(circuit.mails()) == 2
