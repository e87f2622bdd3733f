"""Messages without a flow: candidates already decided, planned into batches. For tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from kreislauf.ledger.plan import BATCH_SIZE, plan
from kreislauf.ledger.schema import Reason, candidate, decision
from kreislauf.ledger.store import Ledger, utc_now

AS_OF = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def plan_people(
    ledger: Ledger,
    contacts: Iterable[str],
    *,
    flow: str = "flow_welcome",
    step: str = "hello",
    template: str = "welcome/hello",
    occurrence: str = "first",
    run_id: str = "run-1",
    as_of: datetime = AS_OF,
    merge: Mapping[str, Any] | None = None,
    batch_size: int = BATCH_SIZE,
    **candidate_columns: Any,
) -> int:
    """Plan a message for each contact; the address is `<contact>@example.org`. Returns how many are new."""
    who = {"flow": flow, "step": step, "occurrence_id": occurrence, "run_id": run_id}
    asked = {
        **who,
        "occurred_at": as_of,
        "due_at": as_of,
        "is_condition_met": True,
        "has_consent": True,
        "language": "en",
        "merge": dict(merge or {}),
        **candidate_columns,
    }
    decided = {
        **who,
        "flow_version": "1",
        "reason": Reason.PLANNED.value,
        "is_final": True,
        "as_of": as_of,
        "build_id": "build-1",
        "updated_at": utc_now(),
    }
    people = list(contacts)
    rows = [{**asked, "contact_id": name, "address": f"{name}@example.org"} for name in people]
    with ledger.write() as connection:
        connection.execute(insert(candidate), rows)
        connection.execute(insert(decision), [{**decided, "contact_id": name} for name in people])
        planned = plan(connection, run_id, flow, step, template, as_of, batch_size)
        connection.execute(candidate.delete().where(candidate.c.run_id == run_id))
    return planned
