"""A campaign: one message to everyone in a segment, once for each issue.

It is a flow of a single step whose occurrence is the issue's name: so the same ledger, the same
reasons and the same promise that nobody gets the same issue twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kreislauf.flow.candidates import NO_ITEMS, ROWS, bound, candidate, query, stream
from kreislauf.flow.decide import Run
from kreislauf.flow.model import INCLUDE, LANGUAGES, Step
from kreislauf.flow.policy import Policy, load_policy
from kreislauf.flow.words import parse_cap
from kreislauf.ledger.store import chunks

if TYPE_CHECKING:
    from kreislauf.warehouse.engines.base import Engine

ISSUE = "issue"
"""The name of a campaign's only step."""

_AUDIENCE = """(
        select
            members.contact_id,
            cast(:issue as varchar) as occurrence_id,
            cast(:as_of as timestamp) as occurred_at
        from segments.{segment} as members
    ) as audience"""

_LANGUAGES = """
select coalesce(contacts.language, 'en') as language, count(*) as people
from segments.{segment} as members
left join core.contacts on contacts.contact_id = members.contact_id
group by coalesce(contacts.language, 'en')
"""

_SAMPLE = """
select contact_id
from segments.{segment}
order by md5(contact_id)
limit {size}
"""


def segments(include: Path = INCLUDE) -> list[str]:
    """The names of all segments, sorted."""
    return sorted(path.stem for path in (include / "sql" / "segments").glob("*.sql"))


def templates(folder: str, include: Path = INCLUDE) -> list[str]:
    """The templates in a folder that exist in every language, as `<folder>/<name>`, sorted."""
    paths = {language: (include / "templates" / folder).glob(f"*.{language}.mjml") for language in LANGUAGES}
    found = [{path.name.removesuffix(f".{lang}.mjml") for path in each} for lang, each in paths.items()]
    return [f"{folder}/{name}" for name in sorted(set.intersection(*found))]


def issue(flow: str, template: str, frequency_cap: str | None = None) -> Step:
    """The campaign's step with the template of this issue. Never expires: a run is the moment itself."""
    return Step(
        flow=flow,
        flow_version=template,
        name=ISSUE,
        templates={"": template},
        trigger="",
        priority=len(load_policy().priorities) - 1,
        cap=None if frequency_cap is None else replace(parse_cap(frequency_cap), flow=flow),
    )


def audience(
    engine: Engine, step: Step, run: Run, segment: str, name: str, policy: Policy
) -> Iterator[list[dict[str, Any]]]:
    """The segment's people as candidates for the issue `name`, in lists of at most ROWS."""
    _known(segment)
    sql = query(step, _AUDIENCE.format(segment=segment), policy.holdout)
    rows = stream(engine, sql, bound(step) | {"issue": name, "as_of": run.as_of}, run)
    return chunks((candidate(step, run, row, NO_ITEMS) for row in rows), ROWS)


def preview(engine: Engine, run: Run, segment: str, size: int = 5) -> dict[str, Any]:
    """The segment by language, and a few contact ids to look up. No addresses, no names."""
    _known(segment)
    languages = engine.query(_LANGUAGES.format(segment=segment), build_id=run.build_id)
    sample = engine.query(_SAMPLE.format(segment=segment, size=size), build_id=run.build_id)
    return {
        "people": sum(row["people"] for row in languages),
        "languages": {row["language"]: row["people"] for row in languages},
        "sample": [row["contact_id"] for row in sample],
    }


def _known(segment: str) -> None:
    """A segment's name becomes part of a statement: only the names of existing files may."""
    if segment not in segments():
        raise ValueError(f"segment {segment!r} does not exist; there are: {', '.join(segments())}")
