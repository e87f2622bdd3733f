"""What the journeys of the shop's flows have in common: people, products, codes, and a click."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

from sqlalchemy import insert, select

from kreislauf.ledger.schema import event, message, voucher

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

TEA = {
    "title": "Sencha Kagoshima",
    "url": "https://shop.example/products/sencha",
    "image_url": "https://shop.example/pictures/sencha.png",
    "unit_amount": Decimal("13.90"),
}


def contact(number: int, **different: Any) -> dict[str, Any]:
    """A subscriber; every other one reads German."""
    person = {
        "contact_id": f"shop-{number}",
        "email": f"person{number}@example.org",
        "language": "de" if number % 2 else "en",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email_consent": "granted",
    }
    return person | different


def give_codes(circuit: Any, pool: str, *codes: str) -> None:
    """Put codes into a pool of vouchers."""
    with circuit.ledger.write() as connection:
        rows = [{"code": code, "pool": pool, "created_at": NOON} for code in codes]
        connection.execute(insert(voucher), rows)


def click(circuit: Any, contact_id: str, step: str, at: datetime) -> None:
    """The person clicks in the message of this step."""
    _react(circuit, contact_id, step, at, "click")


def open_mail(circuit: Any, contact_id: str, step: str, at: datetime) -> None:
    """The person opens the message of this step."""
    _react(circuit, contact_id, step, at, "open")


def _react(circuit: Any, contact_id: str, step: str, at: datetime, type: str) -> None:
    with circuit.ledger.write() as connection:
        asked = select(message.c.message_key).where(
            message.c.contact_id == contact_id, message.c.step == step
        )
        key = connection.execute(asked).scalar_one()
        row = {"event_id": f"{type}-{key}", "message_key": key, "address": "a@example.org", "type": type}
        connection.execute(insert(event), row | {"occurred_at": at, "recorded_at": at})


def html(mail: EmailMessage) -> str:
    return mail.get_body(("html",)).get_content()


def mails_of(circuit: Any, number: int) -> list[str]:
    """The HTML of all mails to one person."""
    return [html(mail) for mail in circuit.mails() if mail["To"] == f"person{number}@example.org"]
