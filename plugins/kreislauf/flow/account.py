"""What a run decided and what became of it, counted from the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, select

from kreislauf.ledger.schema import batch, decision, message
from kreislauf.ledger.store import Ledger

Counts = dict[str, dict[str, int]]


def account(ledger: Ledger, flow: str, run_id: str) -> dict[str, Counts]:
    """By step: `decided` (this run's final decisions by reason), `waiting` (open decisions of the
    flow by reason) and `messages` (what this run planned, by state). Counts only, no people."""
    decided = and_(decision.c.run_id == run_id, decision.c.is_final)
    planned = (
        select(message.c.step, func.coalesce(message.c.outcome, batch.c.state), func.count())
        .select_from(_messages_of_decisions().join(batch, batch.c.id == message.c.batch_id))
        .where(message.c.flow == flow, decision.c.run_id == run_id)
        .group_by(message.c.step, func.coalesce(message.c.outcome, batch.c.state))
    )
    with ledger.read() as connection:
        rows = {
            "decided": connection.execute(_decisions(flow, decided)).all(),
            "waiting": connection.execute(_decisions(flow, decision.c.is_final == false())).all(),
            "messages": connection.execute(planned).all(),
        }
    steps: dict[str, dict[str, dict[str, int]]] = {}
    for title, counted in rows.items():
        for step, name, count in sorted(counted):
            steps.setdefault(step, {}).setdefault(title, {})[name] = count
    return steps


def _decisions(flow: str, which: ColumnElement[bool]) -> Any:
    return (
        select(decision.c.step, decision.c.reason, func.count())
        .where(decision.c.flow == flow, which)
        .group_by(decision.c.step, decision.c.reason)
    )


def _messages_of_decisions() -> Any:
    same = ("flow", "step", "contact_id", "occurrence_id")
    return message.join(decision, and_(*(message.c[name] == decision.c[name] for name in same)))
