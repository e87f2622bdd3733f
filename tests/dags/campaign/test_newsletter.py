"""The newsletter: a preview, a person's approval above a size, and never the same issue twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

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


def test_a_segment_that_does_not_exist_is_refused_by_the_form(circuit, run_dag):
    circuit.publish(world(1))
    with pytest.raises(ValueError, match="segment"):
        run_dag("campaign/newsletter", name="2026-03", segment="everyone; drop table")


def test_an_issue_needs_a_name(circuit, run_dag):
    with pytest.raises(ValueError, match="name"):
        run_dag("campaign/newsletter")
