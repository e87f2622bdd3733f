"""A download: the address is confirmed first, then comes what was asked for, then more on the topic."""

from __future__ import annotations

import re

from sqlalchemy import select

from kreislauf.delivery.links import CONFIRM, Links
from kreislauf.ledger.schema import message
from tests.dags.flow.shop_journeys import DAY, HOUR, NOON, contact, html, mails_of

MAGAZINE = "https://shop.example/magazine"


def test_who_is_no_subscriber_confirms_first(circuit, run_dag):
    request = {"occurrence_id": "2026-03-10", "occurred_at": NOON - HOUR, "content_title": "Matcha"}
    circuit.publish(
        {
            "core.contacts": [contact(1, email_consent="none"), contact(2, email_consent="pending")],
            "triggers.content_requested": [request | {"contact_id": f"shop-{n}"} for n in (1, 2)],
            # Confirmed by another way in the meantime.
            "conditions.confirmed": [{"contact_id": "shop-2", "occurred_at": NOON - HOUR / 2}],
        }
    )
    for _ in range(2):
        run_dag("flow/content_confirmation")
    assert circuit.reasons() == {("confirm", "shop-1"): "planned", ("confirm", "shop-2"): "goal_reached"}
    (mail,) = circuit.mails()
    (token,) = set(re.findall(r"/confirm/([0-9a-f]+)", html(mail)))
    with circuit.ledger.read() as connection:
        key = connection.execute(select(message.c.message_key)).scalar_one()
    assert Links("http://127.0.0.1:1", "a secret of the tests").message_key(token, CONFIRM) == key


def test_what_was_asked_for_comes_at_once_and_more_on_the_topic_later(circuit, run_dag):
    unlocked = {
        "occurrence_id": "matcha 2026-03-10",
        "occurred_at": NOON - HOUR,
        "content_title": "Matcha",
        "content_url": f"{MAGAZINE}/matcha",
        "next_title": "Sencha",
        "next_url": f"{MAGAZINE}/sencha",
    }
    rows = {
        "core.contacts": [contact(1), contact(2), contact(3, email_consent="pending")],
        "triggers.content_unlocked": [
            unlocked | {"contact_id": "shop-1"},
            unlocked | {"contact_id": "shop-2", "downloaded_at": NOON - HOUR / 2, "next_url": None},
            unlocked | {"contact_id": "shop-3"},
        ],
    }
    circuit.publish(rows)
    run_dag("flow/content_download")
    run_dag("flow/content_series")
    (mail,) = mails_of(circuit, 1)
    assert f"{MAGAZINE}/matcha" in mail
    assert circuit.reasons()["asset", "shop-2"] == "condition_false", "downloaded on the site already"
    assert circuit.reasons()["asset", "shop-3"] == "no_consent"

    circuit.publish(rows, NOON + 4 * DAY)
    run_dag("flow/content_download")
    run_dag("flow/content_series")
    assert circuit.reasons()["next_read", "shop-1"] == "planned"
    assert circuit.reasons()["next_read", "shop-2"] == "condition_false", "nothing left to read"
    assert len(mails_of(circuit, 1)) == 2
    assert any(f"{MAGAZINE}/sencha" in mail for mail in mails_of(circuit, 1))

    circuit.publish(rows, NOON + 18 * DAY)
    run_dag("flow/content_series")
    assert circuit.reasons()["last_read", "shop-1"] == "condition_false"
    assert len(circuit.mails()) == 2
