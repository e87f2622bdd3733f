"""A lower price, or new stock, of what a person wanted: its own mail, once a change, rarely."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.dags.flow.pretend_posts import pretend_posts

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def contact(number: int, **different) -> dict:
    person = {"contact_id": f"shop-{number}", "email": f"person{number}@example.org", "language": "en"}
    return person | {"email_consent": "granted"} | different


def change(number: int, kind: str, at: datetime = NOON - HOUR, product: str = "1") -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": f"{product}:{kind}:{at:%Y-%m-%d}",
        "occurred_at": at,
        "kind": kind,
        "title": f"Kettle {product}",
        "url": f"https://shop.example/products/{product}",
        "unit_amount": Decimal("31.90"),
        "lowest_before": Decimal("39.90") if kind == "price_drop" else None,
        "saved_percent": 20 if kind == "price_drop" else None,
    }


def test_each_change_has_its_mail_and_is_told_once(circuit, run_dag):
    people = [contact(1), contact(2, language="de"), contact(3, email_consent="revoked")]
    rows = {
        "core.contacts": people,
        "triggers.wanted_product_changed": [
            change(1, "price_drop"),
            change(2, "back_in_stock"),
            change(3, "price_drop"),
        ],
    }
    circuit.publish(rows)
    run_dag("flow/price_drop_back_in_stock")
    assert [mail["Subject"] for mail in circuit.mails()] == ["Kettle 1: now 20% less", "Wieder da: Kettle 1"]
    text = circuit.mails()[0].get_body(("plain",)).get_content()
    assert "€39.90" in text and "€31.90" in text and "lowest price of the 30 days before" in text
    reasons = circuit.reasons()
    assert reasons["back", "shop-1"] == "other_branch" and reasons["cheaper", "shop-2"] == "other_branch"
    assert reasons["back_note", "shop-2"] == "unreachable", "no browser of hers takes notifications"
    assert reasons["cheaper", "shop-3"] == "no_consent"

    # The same change again says nothing new; another one within three days waits, and is stale then.
    rows["triggers.wanted_product_changed"] += [change(1, "price_drop", NOON + DAY, product="2")]
    circuit.publish(rows, NOON + DAY + HOUR)
    run_dag("flow/price_drop_back_in_stock")
    assert len(circuit.mails()) == 2
    circuit.publish(rows, NOON + 4 * DAY)
    run_dag("flow/price_drop_back_in_stock")
    assert len(circuit.mails()) == 2


def test_what_does_not_hold_any_more_is_not_sent(circuit, run_dag):
    rows = {
        "core.contacts": [contact(1)],
        "triggers.wanted_product_changed": [change(1, "price_drop", NOON)],
        "core.source_freshness": [
            {"source": source, "stream": "all", "fresh_until": NOON - DAY} for source in ("shop", "site")
        ],
    }
    circuit.publish(rows)
    run_dag("flow/price_drop_back_in_stock")
    assert circuit.reasons()["cheaper", "shop-1"] == "previous_step_open", "the shop's data is too old"

    del rows["core.source_freshness"]
    circuit.publish({"core.contacts": [contact(1)]}, NOON + HOUR)  # dearer again: the trigger is silent
    run_dag("flow/price_drop_back_in_stock")
    assert circuit.mails() == []


def test_who_agreed_to_texts_gets_one_when_it_is_back(circuit, run_dag, tmp_path, monkeypatch):
    numbers = {number: f"+49302312500{number}" for number in (1, 2, 3)}
    said = {1: "granted", 2: "revoked"}
    rows = {
        "core.contacts": [contact(number, phone=phone, language="de") for number, phone in numbers.items()],
        "core.sms_consents": [
            {"contact_id": f"shop-{number}", "source": "shop", "source_id": str(number), "state": state}
            | {"occurred_at": NOON - DAY}
            for number, state in said.items()
        ],
        "triggers.wanted_product_changed": [change(number, "back_in_stock") for number in numbers],
    }
    circuit.publish(rows)
    with pretend_posts(tmp_path / "posts", monkeypatch) as posts:
        for _ in range(2):
            run_dag("flow/price_drop_back_in_stock")
        ((number, text),) = posts.texts()
    assert number == numbers[1]
    assert text.startswith("Blatt & Bohne: Kettle 1 ist wieder da") and "STOP" in text
    reasons = circuit.reasons()
    assert [reasons["back_text", f"shop-{number}"] for number in numbers] == [
        "planned",
        "no_consent",
        "no_consent",
    ]
    assert len(circuit.mails()) == 3
