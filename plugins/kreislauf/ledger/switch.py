"""What a person may do about sending: pause, resume, and settle a batch in doubt."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from kreislauf.ledger.batches import resolve
from kreislauf.ledger.schema import BatchState, batch, control
from kreislauf.ledger.store import Ledger

SETTLE = {
    "settle as accepted": BatchState.ACCEPTED,
    "settle as rejected": BatchState.REJECTED,
    "send again": BatchState.PLANNED,
}
ACTIONS = ("report", "pause", "resume", *SETTLE)


def act(ledger: Ledger, action: str, by: str, scope: str, reason: str | None, batch_id: str | None) -> None:
    """Do one of ACTIONS. `scope` is a flow or "all"; `by` says who, for the record.

    Raises ValueError for another action, for settling without a batch, or one that is not in doubt.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is not one of {', '.join(ACTIONS)}")
    if action == "pause":
        ledger.pause(scope, by, reason)
    elif action == "resume":
        ledger.resume(scope, by)
    elif action in SETTLE:
        if not batch_id:
            raise ValueError(f"to {action}, name the batch; `report` lists those in doubt")
        resolve(ledger, batch_id, SETTLE[action], by)


def report(ledger: Ledger) -> dict[str, Any]:
    """`paused`: the reasons by scope; `in_doubt`: batch id, flow, step, size, since and error of each."""
    paused = select(control.c.scope, control.c.reason).where(control.c.is_paused).order_by(control.c.scope)
    doubtful = (
        select(batch.c.id, batch.c.flow, batch.c.step, batch.c.size, batch.c.claimed_at, batch.c.error)
        .where(batch.c.state == BatchState.IN_DOUBT.value)
        .order_by(batch.c.claimed_at, batch.c.id)
    )
    with ledger.read() as connection:
        return {
            "paused": {row.scope: row.reason for row in connection.execute(paused)},
            "in_doubt": [
                {
                    "batch": row.id,
                    "flow": row.flow,
                    "step": row.step,
                    "messages": row.size,
                    "since": row.claimed_at and row.claimed_at.isoformat(),
                    "error": row.error,
                }
                for row in connection.execute(doubtful)
            ],
        }
