"""Newsletters that come by themselves: on their day, once, and a second time to who did not open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TUESDAY = datetime(2026, 3, 3, 12, tzinfo=UTC)
"""The first one of a month."""


def world(people: int) -> dict:
    numbers = range(1, people + 1)
    return {
        "core.contacts": [
            {
                "contact_id": f"shop-{number}",
                "email": f"person{number}@example.org",
                "language": "en",
                "timezone": "UTC",
                "email_consent": "granted",
            }
            for number in numbers
        ],
        "segments.subscribers": [{"contact_id": f"shop-{number}"} for number in numbers],
        "segments.sunset": [{"contact_id": "shop-1"}],
        "scores.send_time": [{"contact_id": f"shop-{number}", "local_hour": 13} for number in numbers],
    }


def test_an_issue_on_its_day_and_once_more_to_who_did_not_open(circuit, run_dag):
    circuit.publish(world(3), TUESDAY - timedelta(days=1))
    assert run_dag("campaign/recurring")["results"]["decide"]["reasons"] == {}

    circuit.publish(world(3), TUESDAY)
    done = run_dag("campaign/recurring")
    assert done["results"]["decide"]["reasons"] == {"monthly-2026-03-03 issue": {"planned": 2}}
    assert circuit.mails() == [], "not before the hour at which they read"
    circuit.publish(world(3), TUESDAY + timedelta(hours=1))
    run_dag("campaign/recurring")
    assert [mail["To"] for mail in circuit.mails()] == ["person2@example.org", "person3@example.org"]

    circuit.publish(world(3), TUESDAY + timedelta(days=3, hours=1))
    for _ in range(2):
        run_dag("campaign/recurring")
    assert [mail["Subject"] for mail in circuit.mails()] == [
        "In case you missed it: new in the shop",
        "New in the shop, and things that last",
    ] * 2
