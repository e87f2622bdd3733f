"""The plan of newsletters: which issue is due when, with which template; and what is wrong with a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kreislauf.flow.newsletters import PlanError, due, load_newsletters

GIVEN = """
monthly:
  every: first tuesday
  starts: 2026-01-07
  templates: [newsletter/monthly]
  segment: subscribers
"""


def load(tmp_path: Path, text: str) -> list:
    path = tmp_path / "newsletters.yaml"
    path.write_text(text, encoding="utf-8")
    return load_newsletters(path)


def test_the_first_tuesday_of_each_month_from_the_start_on(tmp_path):
    (monthly,) = load(tmp_path, GIVEN)
    days = [day for day, _ in monthly.issues(date(2026, 5, 5))]
    assert days == [date(2026, 2, 3), date(2026, 3, 3), date(2026, 4, 7), date(2026, 5, 5)]
    assert [issue.name for _, issue in monthly.issues(date(2026, 2, 3))] == ["monthly-2026-02-03"]


def test_every_week_with_the_templates_in_turn(tmp_path):
    (weekly,) = load(tmp_path, GIVEN.replace("first tuesday", "thursday"))
    in_turn = replace(weekly, templates=("newsletter/a", "newsletter/b"))
    issues = list(in_turn.issues(date(2026, 1, 22)))
    assert [(day.day, issue.template) for day, issue in issues] == [
        (8, "newsletter/a"),
        (15, "newsletter/b"),
        (22, "newsletter/a"),
    ]


@pytest.mark.parametrize(
    ("as_of", "steps"),
    [
        ("2026-03-02 23:59", []),
        ("2026-03-03 00:00", ["issue"]),
        ("2026-03-04 23:59", ["issue"]),
        ("2026-03-05 00:00", []),
        ("2026-03-06 00:00", ["resend"]),
        ("2026-03-10 23:59", ["resend"]),
        ("2026-03-11 00:00", []),
    ],
)
def test_what_is_due(tmp_path, as_of, steps):
    plan = load(tmp_path, GIVEN + "  resend_after: 3 days\n")
    found = due(plan, datetime.fromisoformat(as_of).replace(tzinfo=UTC), "campaign_newsletter")
    assert [step.name for _, step in found] == steps
    assert {issue.name for issue, _ in found} <= {"monthly-2026-03-03"}


def test_without_a_delay_there_is_no_second_mail(tmp_path):
    plan = load(tmp_path, GIVEN)
    assert due(plan, datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=3), "campaign_newsletter") == []


@pytest.mark.parametrize(
    ("wrong", "right", "problem"),
    [
        ("every: first tuesday", "every: second tuesday", "'second tuesday' is not a weekday"),
        ("every: first tuesday", "every: someday", "not a weekday; write 'tuesday'"),
        ("starts: 2026-01-07", "starts: soon", "starts is a day"),
        ("newsletter/monthly", "newsletter/other", "template 'newsletter/other' does not exist; there are"),
        ("segment: subscribers", "segment: everyone", "segment 'everyone' does not exist; there are"),
        ("segment: subscribers", "segment: subscribers\n  leave_out: [x]", "segment 'x' does not exist"),
        ("segment: subscribers", "segment: subscribers\n  at: noon", "'noon' is not a time of day"),
        ("segment: subscribers", "segment: subscribers\n  resend_after: later", "'later' is not a delay"),
        ("segment: subscribers", "segments: subscribers", "it lacks 'segment'"),
        ("segment: subscribers", "segment: subscribers\n  color: red", "unknown entry 'color'"),
        ("[newsletter/monthly]", "[]", "template '' does not exist"),
        ("monthly:", "monthly: [", "it cannot be read"),
        (GIVEN, "- monthly", "it is a mapping of a newsletter's name"),
        (GIVEN, "monthly: first tuesday", "monthly: it is a mapping of every"),
    ],
)
def test_what_is_wrong_with_a_plan(tmp_path, wrong, right, problem):
    with pytest.raises(PlanError, match=r"newsletters.yaml: ") as error:
        load(tmp_path, GIVEN.replace(wrong, right))
    assert problem in str(error.value)


def test_the_plan_of_the_project_can_be_used():
    assert [newsletter.name for newsletter in load_newsletters()] == ["monthly"]
