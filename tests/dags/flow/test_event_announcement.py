"""Announcements: an invitation or a release, once, at the hour at which the person reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from kreislauf.ledger.schema import batch

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_an_invitation_where_it_is_and_a_release_at_their_hour(circuit, run_dag):
    people = [
        {
            "contact_id": f"shop-{number}",
            "email": f"person{number}@example.org",
            "language": language,
            "timezone": "UTC",
            "email_consent": "granted",
        }
        for number, language in ((1, "de"), (2, "en"))
    ]
    news = {"occurred_at": NOON - HOUR, "description": "Come in.", "url": "https://shop.example/news"}
    rows = {
        "core.contacts": people,
        "scores.send_time": [
            {"contact_id": "shop-1", "local_hour": 12},
            {"contact_id": "shop-2", "local_hour": 18},
        ],
        "triggers.announced": [
            news
            | {
                "contact_id": "shop-1",
                "occurrence_id": "hamburg",
                "kind": "store",
                "title": "Neu in Hamburg",
                "city": "Hamburg",
                "starts_at": NOON + 72 * HOUR,
            },
            # No day, no place: the mail still reads well.
            news | {"contact_id": "shop-2", "occurrence_id": "berlin", "kind": "event", "title": "Tasting"},
            news | {"contact_id": "shop-2", "occurrence_id": "mill", "kind": "release", "title": "New mill"},
        ],
    }
    circuit.publish(rows)
    run_dag("flow/event_announcement")
    (mail,) = circuit.mails()
    assert mail["Subject"] == "Neu in Hamburg"
    assert "13. März 2026" in mail.get_body(("plain",)).get_content()
    with circuit.ledger.read() as connection:
        moments = sorted(connection.execute(select(batch.c.send_at)).scalars())
    assert moments == [NOON, NOON + 6 * HOUR], "the second news of a day waits for the next"

    run_dag("send/due", as_of="2026-03-10T18:00:00Z")
    assert len(circuit.mails()) == 2
    assert sorted(mail["Subject"] for mail in circuit.mails())[0] == "Neu in Hamburg"
