"""A segment as an audience, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from kreislauf.flow import campaign
from kreislauf.flow.decide import Run
from kreislauf.flow.policy import Policy
from kreislauf.flow.testing import publish

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


def test_the_audience_is_the_segment_and_the_issue_its_occurrence(engine, run):
    step = campaign.issue("campaign_newsletter", "newsletter/monthly", "1 per 1 day")
    asked = campaign.audience(engine, step, run, "subscribers", "2026-03", Policy(()))
    rows = [row for rows in asked for row in rows]
    assert [(row["contact_id"], row["address"], row["has_consent"]) for row in rows] == [
        ("a", "a@example.org", True),
        ("b", "b@example.org", False),
        ("c", None, True),
    ]
    assert {(row["occurrence_id"], row["due_at"], row["is_held_out"]) for row in rows} == {
        ("2026-03", NOON, False)
    }
    nobody = campaign.audience(engine, step, run, "subscribers", "2026-03", Policy((), holdout=Fraction(1)))
    assert all(row["is_held_out"] for rows in nobody for row in rows)


def test_the_preview_names_no_addresses(engine, run):
    seen = campaign.preview(engine, run, "subscribers", size=2)
    assert seen["people"] == 3 and seen["languages"] == {"de": 1, "en": 2}
    assert len(seen["sample"]) == 2 and set(seen["sample"]) <= {"a", "b", "c"}


def test_a_segment_is_one_of_the_files(engine, run):
    with pytest.raises(ValueError, match=r"'x' does not exist; there are: .*active_buyers"):
        campaign.preview(engine, run, "x")


def test_templates_exist_in_both_languages(tmp_path):
    folder = tmp_path / "templates" / "news"
    folder.mkdir(parents=True)
    for name in ("b.de", "b.en", "a.de", "a.en", "half.de"):
        (folder / f"{name}.mjml").touch()
    assert campaign.templates("news", tmp_path) == ["news/a", "news/b"]
