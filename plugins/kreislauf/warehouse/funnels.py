"""Who stands in which stage of a funnel, from when to when: reckoned alike for every funnel.

A file of `funnels` says what is its own. Its SELECT gives a row a contact, and for each stage, in order,
`<stage>_from` (since when something speaks for it; NULL: nothing does), `<stage>_until` (until when that
holds) and `<stage>_evidence` (what it is). The table of that name has the stays that follow:

- Whoever is in a stage has reached those before it, and holds them at least as long.
- A contact stays until it reaches the next stage, or else until the evidence has lapsed; when that of the
  stage above lapses, it falls back (evidence `lapsed`).
- An end may lie ahead. It has come once its day has begun: so the table changes with the day and with
  what it reads, and not with every build.

A file without such columns gives its stays itself, with the columns of `STAY`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kreislauf.warehouse.model import ModelError

STAY = (
    "contact_id", "stage", "stage_rank", "entered_at", "left_at", "evidence",
    "is_first", "passed_at", "passed_to", "highest_stage",
)  # fmt: skip
"""Columns of a funnel's table. `left_at` is NULL while the stay lasts; `stage_rank` grows from stage to
stage; `is_first`: the contact stands here or higher for the first time, and at `passed_at` it stood higher
for the first time, in the stage `passed_to`; `highest_stage` is the furthest that it ever came."""

_STAYS = """,

reached as (
    select
        contact_id,
        case {highest} end as highest_stage,
        {spans}
    from spans
),

stays as (
    {stays}
)

select
    contact_id,
    stage,
    cast(stage_rank as bigint) as stage_rank,
    entered_at,
    case when cast(left_at as date) <= cast({{{{ as_of }}}} as date) then left_at end as left_at,
    evidence,
    is_first,
    cast(passed_at as timestamp) as passed_at,
    cast(passed_to as varchar) as passed_to,
    highest_stage
from stays
where cast(entered_at as date) <= cast({{{{ as_of }}}} as date)
"""


def with_stays(path: Path, text: str) -> str:
    """The text of a funnel's file, completed to give stays; its lines keep their numbers.

    Raises:
        ModelError: a stage has evidence, but not from when or until when.
    """
    code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", " ", text)
    stages = tuple(dict.fromkeys(re.findall(r"\bas\s+([a-z]\w*)_evidence\b", code)))
    if not stages:
        return text
    for column in (f"{stage}_{end}" for stage in stages for end in ("from", "until")):
        if not re.search(rf"\b{column}\b", code):
            raise ModelError(path, None, f"{column} is missing: a stage has _from, _until and _evidence")
    start = re.search(r"^(?:with|select)\b", text, re.MULTILINE)
    if start is None:
        raise ModelError(path, None, "a model is one SELECT, beginning with `with` or `select` on a line")
    head, select = text[: start.start()], text[start.start() :].rstrip()
    rest = _STAYS.format(
        highest=" ".join(f"when {stage}_from is not null then '{stage}'" for stage in reversed(stages)),
        spans=",\n        ".join(_spans(stages)),
        stays="\n    union all\n    ".join(_stays(stages)),
    )
    return f"{head}with spans as ({select}\n){rest}"


def _spans(stages: Sequence[str]) -> Iterator[str]:
    """From when until when each stage or a higher one is held."""
    for rank, stage in enumerate(stages, 1):
        held = stages[rank - 1 :]
        yield f"{_of('least', [f'{s}_from' for s in held])} as from_{rank}"
        yield f"{_of('greatest', [f'{s}_until' for s in held])} as until_{rank}"
        yield f"{stage}_evidence as evidence_{rank}"


def _stays(stages: Sequence[str]) -> Iterator[str]:
    """One SELECT a stage for the way up, and one for the way down."""
    for rank, stage in enumerate(stages, 1):
        here = f"select contact_id, '{stage}' as stage, {rank} as stage_rank, highest_stage"
        if rank == len(stages):
            yield (
                f"{here}, from_{rank} as entered_at, until_{rank} as left_at, evidence_{rank} as evidence,"
                f" true as is_first, null as passed_at, null as passed_to"
                f" from reached where from_{rank} < until_{rank}"
            )
            continue
        up, next_stages = rank + 1, list(enumerate(stages, 1))[rank:]
        # The furthest of the stages that were reached at that moment.
        to = " ".join(f"when from_{number} then '{name}'" for number, name in reversed(next_stages))
        left = f"coalesce(from_{up}, until_{rank})"
        yield (
            f"{here}, from_{rank} as entered_at, {left} as left_at, evidence_{rank} as evidence,"
            f" true as is_first, from_{up} as passed_at, case from_{up} {to} end as passed_to"
            f" from reached where from_{rank} < {left}"
        )
        yield (
            f"{here}, until_{up} as entered_at, until_{rank} as left_at, 'lapsed' as evidence,"
            f" false as is_first, null as passed_at, null as passed_to"
            f" from reached where until_{up} < until_{rank}"
        )


def _of(function: str, columns: Sequence[str]) -> str:
    return f"{function}({', '.join(columns)})" if len(columns) > 1 else columns[0]
