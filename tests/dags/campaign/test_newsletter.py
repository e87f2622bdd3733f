"""The newsletter: a preview, a person's approval above a size, and never the same issue twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from kreislauf.ledger.schema import batch, event, message

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def world(people: int) -> dict:
    numbers = range(1, people + 1)
    return {
        "core.contacts": [
            {
                "contact_id": f"shop-{number}",
                "email": f"person{number}@example.org",
                "language": "de" if number % 2 else "en",
                "email_consent": "revoked" if number == 3 else "granted",
            }
            for number in numbers
        ],
        "segments.subscribers": [{"contact_id": f"shop-{number}"} for number in numbers],
    }


def test_the_form_proposes_a_dry_run_which_only_counts(circuit, run_dag):
    circuit.publish(world(4))
    done = run_dag("campaign/newsletter", name="2026-03")

    preview = done["results"]["preview"]
    assert preview["people"] == 4 and preview["recipients"] == 3
    assert preview["languages"] == {"de": 2, "en": 2}
    assert preview["reasons"] == {"no_consent": 1, "planned": 3}
    assert sorted(preview["sample"]) == ["shop-1", "shop-2", "shop-3", "shop-4"]
    assert "@" not in str(done["results"])
    assert done["states"]["plan"] == done["states"]["send"] == "skipped"
    assert circuit.reasons() == {} and circuit.mails() == []


def test_an_issue_goes_out_once_whatever_is_repeated(circuit, run_dag):
    circuit.publish(world(4))
    issue = {"segment": "subscribers", "template": "newsletter/monthly", "name": "2026-03", "dry_run": False}
    first = run_dag("campaign/newsletter", **issue)
    assert first["state"] == "success"
    assert first["results"]["account"] == {
        "issue": {"decided": {"no_consent": 1, "planned": 3}, "messages": {"accepted": 3}}
    }
    assert [mail["To"] for mail in circuit.mails()] == [f"person{n}@example.org" for n in (1, 2, 4)]

    circuit.publish(world(5))
    run_dag("campaign/newsletter", **issue)
    assert [mail["To"] for mail in circuit.mails()] == [f"person{n}@example.org" for n in (1, 2, 4, 5)]

    soon = run_dag("campaign/newsletter", **issue | {"name": "2026-04"})
    assert soon["results"]["preview"]["reasons"] == {"frequency_cap": 4, "no_consent": 1}
    circuit.publish(world(5), NOON + timedelta(days=1))
    other = run_dag("campaign/newsletter", **issue | {"name": "2026-04"})
    assert other["results"]["preview"]["recipients"] == 4
    assert len(circuit.mails()) == 8


@pytest.mark.parametrize(("option", "mails"), [("Approve", 3), ("Reject", 0)])
def test_above_the_size_a_person_decides(circuit, run_dag, answer, option, mails):
    circuit.publish(world(4))
    answer(option)
    done = run_dag("campaign/newsletter", name="2026-03", dry_run=False, approve_above=2)

    assert done["state"] == "success"
    assert done["states"]["approve"] == "success"
    assert done["states"]["send"] == ("success" if mails else "skipped")
    assert len(circuit.mails()) == mails


def react(circuit, contact: str, type_: str, is_machine: bool = False) -> None:
    """What a person, or a machine, did with the first mail."""
    with circuit.ledger.write() as connection:
        mine = select(message.c.message_key).where(message.c.contact_id == contact)
        row = {
            "event_id": f"{contact} {type_}",
            "message_key": connection.execute(mine).scalar_one(),
            "address": "someone@example.org",
            "type": type_,
            "occurred_at": NOON + timedelta(hours=1),
            "is_machine_open": is_machine,
            "recorded_at": NOON + timedelta(hours=1),
        }
        connection.execute(insert(event), row)


def test_who_has_not_opened_gets_it_once_more_with_another_subject(circuit, run_dag):
    circuit.publish(world(5))
    issue = {"name": "2026-03", "dry_run": False}
    run_dag("campaign/newsletter", **issue)
    react(circuit, "shop-1", "open")
    react(circuit, "shop-2", "open", is_machine=True)
    react(circuit, "shop-4", "click")  # with the pictures blocked
    assert len(circuit.mails()) == 4

    circuit.publish(world(6), NOON + timedelta(days=3))
    for _ in range(2):
        run_dag("campaign/newsletter", **issue, resend=True)
    second = [mail for mail in circuit.mails() if mail["Subject"].startswith(("In case", "Falls"))]
    assert [(mail["To"], mail["Subject"]) for mail in second] == [
        ("person2@example.org", "In case you missed it: new in the shop"),
        ("person5@example.org", "Falls Sie es verpasst haben: neu im Sortiment"),
    ]
    reasons = circuit.reasons()
    assert reasons["resend", "shop-1"] == reasons["resend", "shop-4"] == "condition_false"
    assert reasons["resend", "shop-3"] == "no_consent"
    assert ("resend", "shop-6") not in reasons, "who came later is not asked about a second time"


def test_some_are_left_out_and_each_gets_it_when_it_reads(circuit, run_dag):
    rows = world(4)
    for person in rows["core.contacts"]:
        person["timezone"] = "UTC"
    rows["segments.clickers"] = [{"contact_id": "shop-1"}]
    rows["scores.send_time"] = [
        {"contact_id": "shop-2", "local_hour": 12},
        {"contact_id": "shop-4", "local_hour": 18},
    ]
    circuit.publish(rows)
    wanted = {"name": "2026-03", "dry_run": False, "leave_out": ["clickers"], "at": "at their hour"}
    done = run_dag("campaign/newsletter", **wanted)
    assert done["results"]["preview"]["people"] == 3
    assert [mail["To"] for mail in circuit.mails()] == ["person2@example.org"]
    with circuit.ledger.read() as connection:
        moments = sorted(connection.execute(select(batch.c.send_at)).scalars())
    assert moments == [NOON, NOON + timedelta(hours=6)]


def test_a_segment_that_does_not_exist_is_refused_by_the_form(circuit, run_dag):
    circuit.publish(world(1))
    with pytest.raises(ValueError, match="segment"):
        run_dag("campaign/newsletter", name="2026-03", segment="everyone; drop table")


def test_an_issue_needs_a_name(circuit, run_dag):
    with pytest.raises(ValueError, match="name"):
        run_dag("campaign/newsletter")
