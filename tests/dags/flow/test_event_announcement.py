"""Announcements: an invitation or a release, once, at the hour at which the person reads; and reminders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from kreislauf.ledger.schema import batch
from tests.dags.flow.pretend_posts import pretend_posts
from tests.dags.flow.shop_journeys import open_mail

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


def invited(number: int, starts_at: datetime, hours_left: int) -> dict:
    return {
        "contact_id": f"shop-{number}",
        "occurrence_id": "berlin",
        "occurred_at": NOON - HOUR,
        "kind": "event",
        "title": "Röstabend",
        "description": "Drei Röstungen im Vergleich.",
        "city": "Berlin",
        "url": "https://shop.example/berlin",
        "starts_at": starts_at,
        "hours_left": hours_left,
    }


def test_who_opened_is_reminded_by_mail_and_who_agreed_to_texts_by_a_text(
    circuit, run_dag, tmp_path, monkeypatch
):
    starts_at = NOON + 96 * HOUR
    numbers = (1, 2, 3)
    common = {"language": "de", "timezone": "UTC", "email_consent": "granted"}
    rows = {
        "core.contacts": [
            common
            | {
                "contact_id": f"shop-{number}",
                "email": f"person{number}@example.org",
                "phone": f"+49302312500{number}",
            }
            for number in numbers
        ],
        "core.sms_consents": [
            {"contact_id": f"shop-{number}", "source": "shop", "source_id": str(number)}
            | {"state": state, "occurred_at": NOON - 24 * HOUR}
            for number, state in ((1, "granted"), (2, "revoked"), (3, "granted"))
        ],
    }

    def run_at(hours: int) -> None:
        left = 96 - hours
        # The third has only lived there since the last day.
        here = numbers if left <= 24 else numbers[:2]
        rows["triggers.announced"] = [invited(number, starts_at, left) for number in here if left > 0]
        circuit.publish(rows, NOON + hours * HOUR)
        run_dag("flow/event_announcement")

    with pretend_posts(tmp_path / "posts", monkeypatch) as posts:
        run_at(0)
        run_at(24)
        assert [mail["Subject"] for mail in circuit.mails()] == ["Röstabend", "Röstabend"]
        assert posts.texts() == [], "nothing is due before its day"

        open_mail(circuit, "shop-2", "invitation", NOON + 25 * HOUR)
        run_at(49)
        reminders = [mail for mail in circuit.mails() if mail["Subject"].startswith("Nicht vergessen")]
        assert [mail["To"] for mail in reminders] == ["person2@example.org"]

        run_at(73)
        run_at(73)
        texts = dict(posts.texts())
        assert len(posts.texts()) == len(texts) == 2
        assert set(texts) == {"+493023125001", "+493023125003"}
        assert "14. März 2026" in texts["+493023125001"]

        run_at(97)
        assert len(posts.texts()) == 2 and len(circuit.mails()) == 3
    reasons = circuit.reasons()
    assert reasons["reminder", "shop-1"] == "condition_false"
    assert reasons["reminder_text", "shop-2"] == "no_consent"
    assert reasons["invitation", "shop-3"] == "condition_false", "nobody is invited a day before"
