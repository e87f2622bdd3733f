"""Messages without a flow: candidates already decided, planned into batches. For tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import insert

from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.hours import ANY_HOUR, Hours
from kreislauf.ledger.plan import BATCH_SIZE, plan
from kreislauf.ledger.schema import Channel, Reason, candidate
from kreislauf.ledger.store import Ledger, serialise

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
    caps: Sequence[FrequencyCap] = (),
    hours: Hours = ANY_HOUR,
    templates: Mapping[str, str] | None = None,
    voucher: str | None = None,
    **candidate_columns: Any,
) -> int:
    """Plan a message for each contact; the address is `<contact>@example.org`. Returns how many are new."""
    rows = [
        {
            "run_id": run_id,
            "flow": flow,
            "step": step,
            "contact_id": name,
            "occurrence_id": occurrence,
            "occurred_at": as_of,
            "due_at": as_of,
            "send_at": as_of,
            "delay": 0,
            "is_since_trigger": False,
            "is_goal_reached": False,
            "is_condition_met": True,
            "has_consent": True,
            "is_held_out": False,
            "is_in_pilot": True,
            "address": f"{name}@example.org",
            "language": "en",
            "timezone": "Europe/Berlin",
            "merge": dict(merge or {}),
            "reason": Reason.PLANNED.value,
            **candidate_columns,
        }
        for name in contacts
    ]
    planned_step: Any = SimpleNamespace(
        flow=flow,
        name=step,
        channel=Channel.EMAIL,
        templates=templates or {"": template},
        priority=1,
        topic="marketing",
        approve_above=None,
        voucher=voucher,
    )
    run: Any = SimpleNamespace(run_id=run_id, as_of=as_of)
    with ledger.write() as connection:
        serialise(connection, "decide")
        connection.execute(insert(candidate), rows)
        planned = plan(connection, planned_step, run, caps, hours, batch_size)
        connection.execute(candidate.delete().where(candidate.c.run_id == run_id))
    return planned
