"""Ambassadors: invited, asked once more, and taken in when they accept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from kreislauf.ledger.schema import audience_member

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def contact(number: int) -> dict:
    person = {"contact_id": f"shop-{number}", "email": f"person{number}@example.org", "language": "en"}
    return person | {"email_consent": "granted", "timezone": "UTC"}


def test_who_accepts_joins_and_who_does_not_is_asked_once_more(circuit, run_dag):
    people = [contact(1), contact(2)]
    found = [
        {"contact_id": f"shop-{number}", "occurrence_id": "2026", "occurred_at": NOON - DAY}
        for number in (1, 2)
    ]
    rows = {"core.contacts": people, "triggers.advocate_found": found}
    circuit.publish(rows)
    run_dag("flow/ambassadors")
    assert {mail["Subject"] for mail in circuit.mails()} == {"Will you be our ambassador?"}

    accepted = {"contact_id": "shop-1", "occurred_at": NOON + 2 * DAY}
    rows["conditions.accepted_ambassadorship"] = [accepted]
    rows["triggers.ambassador_accepted"] = [accepted | {"occurrence_id": "2026"}]
    circuit.publish(rows, NOON + 3 * DAY)
    run_dag("flow/ambassador_welcome")
    run_dag("flow/ambassador_welcome")
    circuit.publish(rows, NOON + 11 * DAY)
    run_dag("flow/ambassadors")

    with circuit.ledger.read() as connection:
        members = connection.execute(select(audience_member.c.audience, audience_member.c.contact_id)).all()
    assert members == [("ambassadors", "shop-1")]
    assert [(mail["To"], mail["Subject"]) for mail in circuit.mails()] == [
        ("person1@example.org", "Welcome to the circle"),
        ("person1@example.org", "Will you be our ambassador?"),
        ("person2@example.org", "Will you be our ambassador?"),
        ("person2@example.org", "Your place is still free"),
    ]
    assert circuit.reasons()["reminder", "shop-1"] == "goal_reached"
