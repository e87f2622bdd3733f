"""A segment as an audience, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

import pytest

from kreislauf.flow import campaign
from kreislauf.flow.decide import Gate, Run, decide
from kreislauf.flow.model import Previous
from kreislauf.flow.policy import Policy
from kreislauf.flow.testing import publish
from kreislauf.flow.words import Delay, LocalTime

POLICY = Policy(("flow",))
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PEOPLE = [
    {"contact_id": "a", "email": "a@example.org", "language": "de", "email_consent": "granted"},
    {"contact_id": "b", "email": "b@example.org", "language": "en", "email_consent": "pending"},
    {"contact_id": "c", "language": "en", "email_consent": "granted"},
    {"contact_id": "d", "email": "d@example.org", "language": "en", "email_consent": "granted"},
]


@pytest.fixture
def run(engine) -> Run:
    members = [{"contact_id": contact} for contact in "abc"]
    build = publish(engine, NOON, {"core.contacts": PEOPLE, "segments.subscribers": members})
    return Run("run-1", build.build_id, NOON)


ISSUE = campaign.Issue("2026-03", "newsletter/monthly", "subscribers")


def test_the_audience_is_the_segment_and_the_issue_its_occurrence(engine, run):
    step = campaign.first("campaign_newsletter", ISSUE)
    asked = campaign.audience(engine, step, run, ISSUE, Policy(()))
    rows = [row for rows in asked for row in rows]
    assert [(row["contact_id"], row["address"], row["has_consent"]) for row in rows] == [
        ("a", "a@example.org", True),
        ("b", "b@example.org", False),
        ("c", None, True),
    ]
    assert {(row["occurrence_id"], row["due_at"], row["is_held_out"]) for row in rows} == {
        ("2026-03", NOON, False)
    }
    nobody = campaign.audience(engine, step, run, ISSUE, Policy((), holdout=Fraction(1)))
    assert all(row["is_held_out"] for rows in nobody for row in rows)


def test_the_preview_names_no_addresses(engine, run):
    seen = campaign.preview(engine, run, ISSUE, size=2)
    assert seen["people"] == 3 and seen["languages"] == {"de": 1, "en": 2}
    assert len(seen["sample"]) == 2 and set(seen["sample"]) <= {"a", "b", "c"}


def test_a_segment_is_one_of_the_files(engine, run):
    with pytest.raises(ValueError, match=r"'x' does not exist; there are: .*active_buyers"):
        campaign.preview(engine, run, replace(ISSUE, segment="x"))
    with pytest.raises(ValueError, match="'y' does not exist"):
        campaign.preview(engine, run, replace(ISSUE, leave_out=("clickers", "y")))


def test_who_is_in_a_segment_left_out_is_not_asked_about(engine):
    rows = {"segments.clickers": [{"contact_id": "a"}], "segments.openers": [{"contact_id": "c"}]}
    rows["segments.subscribers"] = [{"contact_id": contact} for contact in "abc"]
    build = publish(engine, NOON, {"core.contacts": PEOPLE, **rows})
    run, issue = Run("run-1", build.build_id, NOON), replace(ISSUE, leave_out=("clickers", "openers"))
    step = campaign.first("campaign_newsletter", issue)
    asked = campaign.audience(engine, step, run, issue, Policy(()))
    assert [row["contact_id"] for rows in asked for row in rows] == ["b"]
    assert campaign.preview(engine, run, issue)["sample"] == ["b"]


def test_the_second_mail_follows_the_first_and_needs_a_subject():
    on_tuesday = replace(ISSUE, at="on tuesday at 10:00", resend_after="4 days")
    step = campaign.again("campaign_newsletter", on_tuesday)
    assert step.previous == (Previous("issue"),) and step.templates == {"resend": "newsletter/monthly"}
    # At the same time of day, but not only on Tuesdays.
    assert step.delays[""] == Delay(timedelta(days=4), local=LocalTime(at=time(10)))
    with pytest.raises(ValueError, match=r"welcome/hello.de.mjml has no subject for a second mail"):
        campaign.again("campaign_newsletter", replace(ISSUE, template="welcome/hello"))


def test_who_joined_after_an_issue_is_no_candidate_of_its_second_mail(any_ledger, parquet_engine):
    def decided(step, as_of, *members):
        rows = {"segments.subscribers": [{"contact_id": contact} for contact in members]}
        build = publish(parquet_engine, as_of, {"core.contacts": PEOPLE, **rows})
        run = Run(f"{step.name} {as_of}", build.build_id, as_of)
        asked = campaign.audience(parquet_engine, step, run, ISSUE, POLICY)
        return decide(any_ledger, step, run, asked, Gate(), POLICY)

    again = campaign.again("campaign_newsletter", ISSUE)
    first = campaign.first("campaign_newsletter", ISSUE)
    assert decided(first, NOON, "a", "b") == {"no_consent": 1, "planned": 1}
    later = NOON + timedelta(days=3)
    assert decided(again, later, "a", "b", "d") == {"no_consent": 1, "planned": 1}
    # Who gets the first one now gets the second three days after it.
    assert decided(first, later, "a", "b", "d") == {"decided_before": 2, "planned": 1}
    assert decided(again, later, "a", "b", "d") == {"decided_before": 2, "not_due": 1}


def test_templates_exist_in_both_languages(tmp_path):
    folder = tmp_path / "templates" / "news"
    folder.mkdir(parents=True)
    for name in ("b.de", "b.en", "a.de", "a.en", "half.de"):
        (folder / f"{name}.mjml").touch()
    assert campaign.templates("news", tmp_path) == ["news/a", "news/b"]
