"""include/newsletters.yaml: newsletters that come by themselves, and which of their issues are due when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from kreislauf.flow import campaign
from kreislauf.flow.campaign import RESEND_EXPIRES, Issue
from kreislauf.flow.model import Step
from kreislauf.flow.words import WEEKDAYS, parse_span
from kreislauf.places import INCLUDE

FILE = INCLUDE / "newsletters.yaml"
FRESH = timedelta(days=2)
"""An issue that could not go out for so long is left out: the next one comes soon enough."""

_REQUIRED = ("every", "starts", "templates", "segment")
_OPTIONAL = ("leave_out", "at", "resend_after", "approve_above")


class PlanError(ValueError):
    """include/newsletters.yaml cannot be used. Says the entry and what would be right."""


@dataclass(frozen=True)
class Newsletter:
    """One newsletter that comes again and again.

    :param weekday: 0 is Monday
    :param is_monthly: only the first such day of a month
    """

    name: str
    weekday: int
    is_monthly: bool
    starts: date
    templates: tuple[str, ...]
    issue: Issue
    """What all its issues have in common."""

    def issues(self, until: date) -> Iterator[tuple[date, Issue]]:
        """The issues up to a day, oldest first. The n-th has the n-th template, and so on in turn."""
        day = self.starts + timedelta(days=(self.weekday - self.starts.weekday()) % 7)
        number = 0
        while day <= until:
            if not self.is_monthly or day.day <= 7:
                template = self.templates[number % len(self.templates)]
                yield day, replace(self.issue, name=f"{self.name}-{day}", template=template)
                number += 1
            day += timedelta(days=7)


def due(newsletters: list[Newsletter], as_of: datetime, flow: str) -> list[tuple[Issue, Step]]:
    """The issues, and the steps of them, that are to be decided at `as_of` (aware)."""
    found = []
    for newsletter in newsletters:
        wait = parse_span(newsletter.issue.resend_after) if newsletter.issue.resend_after else None
        for day, issue in newsletter.issues(as_of.date()):
            age = as_of - datetime(day.year, day.month, day.day, tzinfo=as_of.tzinfo)
            if age < FRESH:
                found.append((issue, campaign.first(flow, issue)))
            # Each person's three days begin with its own mail, which may be two days after the first.
            if wait is not None and wait <= age < wait + FRESH + RESEND_EXPIRES:
                found.append((issue, campaign.again(flow, issue)))
    return found


def load_newsletters(path: Path = FILE, include: Path = INCLUDE) -> list[Newsletter]:
    """The newsletters of the plan. Raises PlanError."""
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise PlanError(f"{path.name}: it cannot be read: {error}") from None
    if not isinstance(given, dict):
        raise PlanError(f"{path.name}: it is a mapping of a newsletter's name to what it is")
    return [_newsletter(path, str(name), entry, include) for name, entry in given.items()]


def _newsletter(path: Path, name: str, given: Any, include: Path) -> Newsletter:
    def fail(what: str) -> PlanError:
        return PlanError(f"{path.name}: {name}: {what}")

    if not isinstance(given, Mapping):
        raise fail(f"it is a mapping of {', '.join(_REQUIRED)}")
    if missing := [entry for entry in _REQUIRED if entry not in given]:
        raise fail(f"it lacks {missing[0]!r}")
    if unknown := [entry for entry in given if entry not in (*_REQUIRED, *_OPTIONAL)]:
        raise fail(f"unknown entry {unknown[0]!r}; there are: {', '.join((*_REQUIRED, *_OPTIONAL))}")
    *first, weekday = str(given["every"]).split(" ")
    if weekday not in WEEKDAYS or first not in ([], ["first"]):
        raise fail(f"every: {given['every']!r} is not a weekday; write 'tuesday' or 'first tuesday'")
    if not isinstance(given["starts"], date):
        raise fail("starts is a day, such as 2026-01-01")
    known = campaign.templates("newsletter", include)
    templates = tuple(given["templates"])
    for template in templates or ("",):
        if template not in known:
            raise fail(f"template {template!r} does not exist; there are: {', '.join(known)}")
    issue = Issue(
        name,
        templates[0],
        given["segment"],
        tuple(given.get("leave_out") or ()),
        given.get("at") or Issue.at,
        given.get("resend_after") or "",
        given.get("approve_above"),
    )
    try:
        campaign.known_segments([issue.segment, *issue.leave_out], include)
        for template in templates:
            each = replace(issue, template=template)
            campaign.first(name, each)
            if issue.resend_after:
                campaign.again(name, each)
    except ValueError as error:
        raise fail(str(error)) from None
    return Newsletter(name, WEEKDAYS.index(weekday), bool(first), given["starts"], templates, issue)
