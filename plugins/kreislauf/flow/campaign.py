"""A campaign: one message to everyone in a segment, once an issue, and once more to who did not open it.

It is a flow of two steps whose occurrence is the issue's name: so the same ledger, the same reasons and
the same promise that nobody gets the same issue twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.delivery.templates import load
from kreislauf.flow.candidates import NO_ITEMS, ROWS, candidate, stream
from kreislauf.flow.conditions import Reaction
from kreislauf.flow.decide import Run
from kreislauf.flow.model import LANGUAGES, Previous, Step
from kreislauf.flow.policy import Policy, load_policy
from kreislauf.flow.query import bound, query
from kreislauf.flow.words import AT_ONCE, Delay, parse_delay, parse_span
from kreislauf.ledger.store import chunks
from kreislauf.places import INCLUDE

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

ISSUE, RESEND = "issue", "resend"
"""A campaign's steps. A template's subject for the second mail is the one of its `subjects` named so."""

RESEND_AFTER, RESEND_EXPIRES = "3 days", timedelta(days=3)

_AUDIENCE = """(
        select
            members.contact_id,
            cast(:issue as varchar) as occurrence_id,
            cast(:occurred_at as timestamp) as occurred_at
        from {members}
    ) as audience"""

_LANGUAGES = """
select coalesce(contacts.language, 'en') as language, count(*) as people
from {members}
left join core.contacts on contacts.contact_id = members.contact_id
group by coalesce(contacts.language, 'en')
"""

_SAMPLE = """
select members.contact_id
from {members}
order by md5(members.contact_id)
limit {size}
"""

_MEMBERS = "(select contact_id from segments.{segment} as members{without}) as members"
_WITHOUT = """ not exists (
        select 1 from segments.{segment} as others where others.contact_id = members.contact_id
    )"""


@dataclass(frozen=True)
class Issue:
    """One issue of a campaign.

    :param name: its occurrence: nobody gets an issue of the same name twice
    :param segment: who gets it: a file of include/sql/segments/
    :param leave_out: segments whose people do not
    :param at: "at once", or a time by each person's own clock: "at 09:00", "on tuesday at 10:00",
        "at their hour"
    :param resend_after: how long after the first mail who has not opened it gets a second one
    :param approve_above: with more recipients than this a person has to approve
    """

    name: str
    template: str
    segment: str
    leave_out: tuple[str, ...] = ()
    at: str = AT_ONCE
    resend_after: str = RESEND_AFTER
    approve_above: int | None = None


def segments(include: Path = INCLUDE) -> list[str]:
    """The names of all segments, sorted."""
    return sorted(path.stem for path in (include / "sql" / "segments").glob("*.sql"))


def templates(folder: str, include: Path = INCLUDE) -> list[str]:
    """The templates in a folder that exist in every language, as `<folder>/<name>`, sorted."""
    paths = {language: (include / "templates" / folder).glob(f"*.{language}.mjml") for language in LANGUAGES}
    found = [{path.name.removesuffix(f".{lang}.mjml") for path in each} for lang, each in paths.items()]
    return [f"{folder}/{name}" for name in sorted(set.intersection(*found))]


def first(flow: str, issue: Issue) -> Step:
    """The step that sends the issue. Never expires: a run is the moment itself."""
    words = issue.at if issue.at == AT_ONCE else f"{AT_ONCE}, {issue.at}"
    given = {"templates": {"": issue.template}, "delays": {"": parse_delay(words)}}
    return _step(flow, issue, ISSUE, **given)


def again(flow: str, issue: Issue) -> Step:
    """The step that sends it a second time to those who got it and neither opened nor clicked; what a
    machine opened is not opened. Who joined the segment since, or still waits for the first, is no candidate.

    Raises ValueError if the template has no subject for it.
    """
    for language in LANGUAGES:
        if RESEND not in load(issue.template, language).subjects:
            raise ValueError(
                f"{issue.template}.{language}.mjml has no subject for a second mail; add to its header: "
                f'subjects: {{{RESEND}: "…"}}'
            )
    local = first(flow, issue).local
    if local is not None:  # at the same time of day, not on the same weekday
        local = replace(local, weekdays=())
    return _step(
        flow,
        issue,
        RESEND,
        previous=(Previous(ISSUE),),
        is_sequel=True,
        condition=Reaction("open", (ISSUE,)),
        is_wanted=False,
        shares={RESEND: Fraction(1)},  # the variant chooses the subject
        templates={RESEND: issue.template},
        delays={"": Delay(parse_span(issue.resend_after), local=local)},
        expires=RESEND_EXPIRES,
    )


def _step(flow: str, issue: Issue, name: str, **given: Any) -> Step:
    return Step(
        flow=flow,
        flow_version=issue.template,
        name=name,
        trigger="",
        priority=len(load_policy().priorities) - 1,
        approve_above=issue.approve_above,
        **given,
    )


def audience(
    engine: Engine, step: Step, run: Run, issue: Issue, policy: Policy
) -> Iterator[list[dict[str, Any]]]:
    """The issue's people as candidates for one of its steps, in lists of at most ROWS."""
    sql = query(step, _AUDIENCE.format(members=_members(issue.segment, issue.leave_out)), policy.holdout)
    # As if each had occurred so long ago that it is due now; the second mail then waits for its first.
    occurred_at = run.as_of - step.delays[""].span
    rows = stream(engine, sql, bound(step) | {"issue": issue.name, "occurred_at": occurred_at}, run)
    return chunks((candidate(step, run, row, NO_ITEMS) for row in rows), ROWS)


def preview(engine: Engine, run: Run, issue: Issue, size: int = 5) -> dict[str, Any]:
    """The issue's people by language, and a few contact ids to look up. No addresses, no names."""
    members = _members(issue.segment, issue.leave_out)
    languages = engine.query(_LANGUAGES.format(members=members), build_id=run.build_id)
    sample = engine.query(_SAMPLE.format(members=members, size=size), build_id=run.build_id)
    return {
        "people": sum(row["people"] for row in languages),
        "languages": {row["language"]: row["people"] for row in languages},
        "sample": [row["contact_id"] for row in sample],
    }


def known_segments(names: Sequence[str], include: Path = INCLUDE) -> None:
    """Raises ValueError for a segment that has no file."""
    known = segments(include)
    for name in names:
        if name not in known:
            raise ValueError(f"segment {name!r} does not exist; there are: {', '.join(known)}")


def _members(segment: str, leave_out: Sequence[str]) -> str:
    """A segment's name becomes part of a statement: only the names of existing files may."""
    known_segments([segment, *leave_out])
    without = " and".join(_WITHOUT.format(segment=name) for name in leave_out)
    return _MEMBERS.format(segment=segment, without=f" where{without}" if without else "")
