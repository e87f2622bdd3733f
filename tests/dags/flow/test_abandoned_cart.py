"""The cart flow: the cart's own products, a split test, a last call for who did not click; and a refusal."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import insert, select

from kreislauf.ledger.schema import event, message

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def world(people: int, left: datetime) -> dict:
    """Each person has left a cart with as many products as its number."""
    numbers = range(1, people + 1)
    return {
        "core.contacts": [
            {
                "contact_id": f"shop-{number}",
                "email": f"person{number}@example.org",
                "language": "en",
                "first_name": "Ada",
                "email_consent": "granted",
            }
            for number in numbers
        ],
        "triggers.cart_abandoned": [
            {
                "contact_id": f"shop-{number}",
                "occurrence_id": f"checkout-{number}",
                "occurred_at": left,
                "url": f"https://shop.example/cart/{number}",
                "total_amount": Decimal("49.90") * number,
                "currency": "EUR",
            }
            for number in numbers
        ],
        "triggers.cart_abandoned_items": [
            {
                "occurrence_id": f"checkout-{number}",
                "position": position,
                "title": f"Kettle {number}.{position}",
                "image_url": f"https://shop.example/pictures/{number}-{position}.png",
                "url": f"https://shop.example/products/{number}-{position}",
                "unit_amount": Decimal("49.90"),
                "quantity": 1,
            }
            for number in numbers
            for position in range(1, number + 1)
        ],
    }


def html(mail) -> str:
    return mail.get_body(("html",)).get_content()


def test_each_gets_its_own_products_and_who_clicked_gets_no_last_call(circuit, run_dag):
    circuit.publish(world(3, NOON - 5 * HOUR))
    first = run_dag("flow/abandoned_cart")

    assert first["state"] == "success"
    mails = circuit.mails()
    assert len(mails) == 3
    for number, mail in enumerate(mails, 1):
        own = [f"Kettle {number}.{position}" for position in range(1, number + 1)]
        assert all(title in html(mail) for title in own)
        assert html(mail).count("shop.example/pictures/") == number
        assert f"https://shop.example/cart/{number}" in html(mail)

    with circuit.ledger.write() as connection:
        key = connection.execute(
            select(message.c.message_key).where(message.c.contact_id == "shop-2")
        ).scalar_one()
        click = {
            "event_id": "click-1",
            "message_key": key,
            "address": "person2@example.org",
            "type": "click",
            "occurred_at": NOON + HOUR,
            "recorded_at": NOON + HOUR,
        }
        connection.execute(insert(event), click)
    rows = world(3, NOON - 5 * HOUR)
    rows["conditions.ordered"] = [{"contact_id": "shop-3", "occurred_at": NOON + 2 * HOUR}]
    circuit.publish(rows, NOON + DAY)
    run_dag("flow/abandoned_cart")

    reasons = circuit.reasons()
    assert reasons["last_call", "shop-1"] == "planned"
    assert reasons["last_call", "shop-2"] == "condition_false"
    assert reasons["last_call", "shop-3"] == "goal_reached"
    assert len(circuit.mails()) == 4


def test_half_of_the_people_wait_four_hours(circuit, run_dag):
    people = world(1, NOON)["core.contacts"][0]
    contacts = [people | {"contact_id": f"shop-{n}", "email": f"p{n}@example.org"} for n in range(40)]
    carts = [
        {
            "contact_id": f"shop-{n}",
            "occurrence_id": f"c{n}",
            "occurred_at": NOON - 2 * HOUR,
            "url": "https://shop.example/cart",
            "total_amount": Decimal("10.00"),
            "currency": "EUR",
        }
        for n in range(40)
    ]
    circuit.publish({"core.contacts": contacts, "triggers.cart_abandoned": carts})
    run_dag("flow/abandoned_cart")
    found = [reason for (step, _), reason in circuit.reasons().items() if step == "reminder"]
    assert 10 <= found.count("planned") <= 30
    assert found.count("planned") + found.count("not_due") == 40


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
