"""What `make run` says of each flow."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, update

from kreislauf.connections import Connection
from kreislauf.ledger.schema import BatchState, Outcome, Reason, batch, decision, message
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.testing import AS_OF, plan_people
from scripts import summary


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger.open(Connection("ledger", "sqlite", host=str(tmp_path / "ledger.db")))
    found.migrate()
    return found


def _settle(ledger: Ledger, flow: str, state: BatchState) -> None:
    with ledger.write() as connection:
        connection.execute(update(batch).where(batch.c.flow == flow).values(state=state))


def _decide(ledger: Ledger, decided: list[tuple[str, str, str, Reason]]) -> None:
    usual = {"occurrence_id": "first", "is_final": True, "flow_version": "1", "as_of": AS_OF}
    usual |= {"build_id": "b-1", "run_id": "run-1", "updated_at": AS_OF}
    rows = [
        {"flow": flow, "step": step, "contact_id": who, "reason": reason, **usual}
        for flow, step, who, reason in decided
    ]
    with ledger.write() as connection:
        connection.execute(insert(decision), rows)


def test_each_flow_in_figures(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    plan_people(ledger, ["a", "b", "c"])
    _settle(ledger, "flow_welcome", BatchState.ACCEPTED)
    plan_people(ledger, ["a", "d"], flow="flow_winback")
    with ledger.write() as connection:
        skipped = update(message).where(message.c.contact_id == "c").values(outcome=Outcome.SKIPPED)
        connection.execute(skipped)
    decided = [("flow_welcome", "hello", who, Reason.PLANNED) for who in "abc"]
    decided += [
        ("flow_welcome", "voucher", "a", Reason.GOAL_REACHED),
        ("flow_welcome", "hi", "a", Reason.GOAL_REACHED),
    ]
    decided += [("flow_winback", "hello", who, Reason.PLANNED) for who in "ad"]
    _decide(ledger, decided)

    found = summary.flows(ledger)

    assert found == {
        "flow_welcome": {
            "occurrences": 3, "ended by goal": 1, "planned": 3, "waiting": 0, "sent": {"email": 2},
        },
        "flow_winback": {"occurrences": 2, "ended by goal": 0, "planned": 2, "waiting": 2, "sent": {}},
    }  # fmt: skip
    summary._print_flows(found)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["flow_welcome", "3", "1", "3", "0", "2", "email"]
    assert lines[-1].split() == ["flow_winback", "2", "0", "2", "2", "-"]
