"""Who would get what: a whole flow decided on a build as of a moment, in a transaction that is taken back.

It is the decision itself, so caps, vouchers and the steps' dependence on each other count as they will.
Nothing stays in the ledger, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, select

from kreislauf.flow import candidates
from kreislauf.flow.decide import Gate, Run, decide_within
from kreislauf.flow.model import Step
from kreislauf.flow.policy import Policy
from kreislauf.ledger.schema import Channel, batch, decision, message, voucher
from kreislauf.ledger.store import Ledger

if TYPE_CHECKING:
    from kreislauf.delivery.templates import Templates
    from kreislauf.delivery.transport import From
    from kreislauf.warehouse.engines.base import BuildInfo, Engine

SAMPLES = 5
"""So many messages of each step are shown, of as many variants and languages as there are."""


@dataclass(frozen=True)
class Sample:
    """A message that would be sent. `merge` is personal; the rest may stand in a log."""

    step: str
    contact_id: str
    occurrence_id: str
    channel: Channel
    template: str
    language: str
    variant: str
    item_count: int
    send_at: datetime
    merge: Mapping[str, Any] = field(repr=False)

    def render(self, templates: Templates, sender: From, web_url: str, flow: str) -> dict[str, str]:
        """Its parts as the person would get them. Raises TemplateError or MergeError."""
        rendered = templates.render(
            self.template,
            self.language,
            self.item_count,
            sender,
            web_url,
            flow,
            self.step,
            self.variant,
        )
        no_link = f"{web_url}/unsubscribe"  # a preview holds no link that would work
        return rendered.filled(rendered.substitutions(self.merge, flow, self.language, no_link))


@dataclass(frozen=True)
class Preview:
    """What would be decided: how many got which reason by step, samples, and one person's decisions.

    :param decisions: of the people asked for: step, contact_id, occurrence_id, occurred_at, reason,
        variant, due_at, send_at
    """

    counts: Mapping[str, Mapping[str, int]]
    samples: Sequence[Sample]
    decisions: Sequence[Any] = ()

    def to_json(self) -> dict[str, Any]:
        """For XCom: counts, and a few contact ids to look up."""
        found: dict[str, list[str]] = {}
        for sample in self.samples:
            found.setdefault(sample.step, []).append(sample.contact_id)
        return {"counts": self.counts, "samples": found}


def preview(
    engine: Engine,
    ledger: Ledger,
    steps: Sequence[Step],
    run: Run,
    policy: Policy,
    people: Collection[str] | None = None,
) -> Preview:
    """Decide all steps of a flow one after the other, look at the result, and take it back.

    `people`: show what these contacts would get, and not whoever comes first; everybody is decided all
    the same, for the caps. For a moment after the build's own it is taken that nothing happens until
    then, and that the sources will have come by then.
    Raises BadCandidates, or WarehouseError if the build is not there.
    """
    build = engine.build(run.build_id)
    counts = {}
    with ledger.rehearse() as connection:
        for step in steps:
            rows = candidates.candidates(engine, step, run, policy.holdout)
            gate = _gate(engine, step, run, build)
            counts[step.name] = decide_within(connection, step, run, rows, gate, policy)
        samples = _samples(connection, steps, run, people)
        decisions = _decisions(connection, steps, people) if people else ()
    return Preview(counts, samples, decisions)


def _gate(engine: Engine, step: Step, run: Run, build: BuildInfo) -> Gate:
    gate = candidates.gate(engine, step, run)
    return replace(gate, fresh_until=None) if run.as_of > build.as_of else gate


def _samples(
    connection: Connection, steps: Sequence[Step], run: Run, people: Collection[str] | None
) -> list[Sample]:
    kinds = (message.c.step, batch.c.variant, batch.c.language)
    place = func.row_number().over(
        partition_by=kinds, order_by=[message.c.contact_id, message.c.occurrence_id]
    )
    wanted = [message.c.flow == steps[0].flow, batch.c.run_id == run.run_id]
    wanted += [message.c.contact_id.in_(people)] if people else []
    found = (
        select(message, batch.c.template, batch.c.language, batch.c.variant, batch.c.item_count)
        .add_columns(voucher.c.code, place.label("place"))
        .select_from(
            message.join(batch, batch.c.id == message.c.batch_id).outerjoin(
                voucher, voucher.c.message_key == message.c.message_key
            )
        )
        .where(*wanted)
        .subquery()
    )
    samples = []
    for step in steps:
        of_step = (
            select(found)
            .where(found.c.step == step.name)
            .order_by(found.c.place, found.c.variant, found.c.language)
            .limit(SAMPLES)
        )
        samples += [_sample(row) for row in connection.execute(of_step)]
    return samples


def _sample(row: Any) -> Sample:
    merge = row.merge if row.code is None else row.merge | {"voucher_code": row.code}
    return Sample(
        row.step,
        row.contact_id,
        row.occurrence_id,
        Channel(row.channel),
        row.template,
        row.language,
        row.variant,
        row.item_count,
        row.send_at,
        merge,
    )


def _decisions(connection: Connection, steps: Sequence[Step], people: Collection[str]) -> Sequence[Any]:
    order = {step.name: position for position, step in enumerate(steps)}
    mine = and_(decision.c.flow == steps[0].flow, decision.c.contact_id.in_(people))
    rows = connection.execute(select(decision).where(mine, decision.c.step.in_(order))).all()
    return sorted(rows, key=lambda row: (row.occurrence_id, row.contact_id, order[row.step]))
