"""Birthdays, anniversaries, ends of contracts and children: on the day, on the person's own clock, once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from kreislauf.ledger.schema import batch, voucher

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 9, 23, tzinfo=UTC)
"""When 10 March 2026 begins in Berlin."""


def contact(number: int, **different) -> dict:
    person = {"contact_id": f"shop-{number}", "email": f"person{number}@example.org", "language": "en"}
    return person | {"email_consent": "granted", "timezone": "Europe/Berlin"} | different


def occurrence(number: int, key: str, at: datetime, **fields) -> dict:
    return {"contact_id": f"shop-{number}", "occurrence_id": key, "occurred_at": at, **fields}


def subjects(circuit) -> list[str]:
    return [mail["Subject"] for mail in circuit.mails()]


def test_a_birthday_has_its_own_code_once_and_a_reminder(circuit, run_dag):
    with circuit.ledger.write() as connection:
        codes = [{"code": f"B-{n}", "pool": "birthday", "created_at": MIDNIGHT} for n in (1, 2)]
        connection.execute(insert(voucher), codes)
    rows = {
        "core.contacts": [contact(1), contact(2)],
        "triggers.birthday": [occurrence(n, "2026", MIDNIGHT, age=40) for n in (1, 2)],
    }
    circuit.publish(rows, MIDNIGHT + 12 * HOUR)
    run_dag("flow/birthday")
    texts = [mail.get_body(("plain",)).get_content() for mail in circuit.mails()]
    assert sorted(code for code in ("B-1", "B-2") for text in texts if code in text) == ["B-1", "B-2"]

    rows["conditions.ordered"] = [{"contact_id": "shop-2", "occurred_at": MIDNIGHT + 2 * DAY}]
    circuit.publish(rows, MIDNIGHT + 10 * DAY + 13 * HOUR)
    run_dag("flow/birthday")
    assert subjects(circuit) == [
        "Happy birthday!",
        "Your birthday present is still waiting",
        "Happy birthday!",
    ]
    assert circuit.reasons()["reminder", "shop-2"] == "condition_false"


@pytest.mark.parametrize(
    ("hours", "reason", "send_at"),
    [
        (3, "planned", MIDNIGHT + 9 * HOUR),
        (12, "planned", MIDNIGHT + 12 * HOUR),
        # Found too late in the day, or the day after: better not than late.
        (20, "quiet_hours", None),
        (26, "expired", None),
    ],
)
def test_an_anniversary_is_told_by_day_on_its_day_or_not_at_all(circuit, run_dag, hours, reason, send_at):
    rows = {
        "core.contacts": [contact(1)],
        "triggers.membership_anniversary": [occurrence(1, "2026", MIDNIGHT, years=3)],
    }
    circuit.publish(rows, MIDNIGHT + hours * HOUR)
    run_dag("flow/membership_anniversary")
    assert circuit.reasons() == {("thanks", "shop-1"): reason}
    with circuit.ledger.read() as connection:
        assert connection.execute(select(batch.c.send_at)).scalar() == send_at


def test_who_does_not_renew_is_called_and_who_does_is_left_alone(circuit, run_dag):
    ends = {"ends_on": date(2026, 5, 9)}
    people = [contact(1, crm_contact_id="501"), contact(2, crm_contact_id="502")]
    ending = [occurrence(n, "2026-05-09", MIDNIGHT, **ends) for n in (1, 2)]
    circuit.publish({"core.contacts": people, "triggers.contract_ending": ending}, MIDNIGHT + 12 * HOUR)
    run_dag("flow/contract_ending")
    assert len(circuit.mails()) == 2

    # shop-2 has renewed: another end, so its occurrence is gone.
    left = {"core.contacts": people, "triggers.contract_ending": ending[:1]}
    circuit.publish(left, MIDNIGHT + 30 * DAY + 12 * HOUR)
    run_dag("flow/contract_ending")
    assert subjects(circuit) == [
        "Until 9 May 2026: your subscription",
        "Your subscription ends on 9 May 2026",
        "Your subscription ends on 9 May 2026",
    ]
    circuit.publish(left, MIDNIGHT + 46 * DAY + 12 * HOUR)
    done = run_dag("flow/contract_ending", dry_run=True)
    assert done["results"]["call.decide"]["planned"] == 1


def test_a_family_gets_the_tip_of_its_week(circuit, run_dag):
    tip = {"title": "Half-way", "text": "Time for tea.", "url": "https://shop.example/tea"}
    rows = {
        "core.contacts": [contact(1), contact(2)],
        "triggers.family_milestone": [occurrence(1, "pregnancy-20:2026", MIDNIGHT, **tip)],
    }
    circuit.publish(rows, MIDNIGHT + 12 * HOUR)
    run_dag("flow/family")
    circuit.publish(rows, MIDNIGHT + 13 * HOUR)
    run_dag("flow/family")
    assert subjects(circuit) == ["Half-way"]
