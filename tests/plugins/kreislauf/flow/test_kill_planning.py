"""Kill planning at each statement it executes: nothing half done stays, and the next run does it all once."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from kreislauf.connections import Connection
from kreislauf.flow.decide import Gate, Run, decide
from kreislauf.flow.policy import ChannelPolicy, Policy
from kreislauf.flow.words import parse_cap
from kreislauf.ledger.schema import Channel, batch, candidate, decision, message, voucher, window
from kreislauf.ledger.store import Ledger
from tests.plugins.kreislauf.flow.test_decide import FIRST, NOON, person

STEP = replace(FIRST, voucher="cart")
POLICY = Policy(
    ("transactional", "cart", "flow"),
    {Channel.EMAIL: ChannelPolicy((parse_cap("1 per 16 hours"),))},
    most_in_a_run=1000,
)
PEOPLE = [person(number) for number in range(30)]


def _open(file: Path) -> Ledger:
    return Ledger.open(Connection("ledger", "sqlite", str(file)))


def _plan(ledger: Ledger, name: str) -> None:
    batches = [PEOPLE[:20], PEOPLE[20:]]
    decide(ledger, STEP, Run(name, "build", NOON), batches, Gate(), POLICY)


def _killed_at(file: Path, statement: int) -> bool:
    """Whether a process that plans was killed before its n-th statement, or was done before."""
    pid = os.fork()
    if pid == 0:
        ledger, executed = _open(file), [0]

        @event.listens_for(ledger.engine, "before_cursor_execute")
        def count(*_: object) -> None:
            executed[0] += 1
            if executed[0] == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(ledger.engine, "commit")
        def before_commit(_: object) -> None:
            count()

        _plan(ledger, "killed")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _count(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (candidate, window, decision, message, batch)
        }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_statement(tmp_path):
    file = tmp_path / "ledger.db"
    ledger = _open(file)
    ledger.migrate()
    with ledger.write() as connection:
        codes = [{"code": f"c{n:02}", "pool": "cart", "created_at": NOON} for n in range(40)]
        connection.execute(voucher.insert(), codes)
    ledger.engine.dispose()
    nothing = dict.fromkeys(("candidate", "window", "decision", "message", "batch"), 0)

    statement = 1
    while _killed_at(file, statement):
        assert _count(ledger) == nothing, f"killed before statement {statement}"
        ledger.engine.dispose()
        statement += 1
    assert statement > 15, "planning is many statements, in one transaction"

    done = nothing | {"decision": 30, "message": 30, "batch": 1}
    assert _count(ledger) == done
    _plan(ledger, "again")
    assert _count(ledger) == done
    with ledger.read() as connection:
        given = select(func.count(voucher.c.message_key.distinct())).where(voucher.c.message_key.is_not(None))
        assert connection.execute(given).scalar_one() == 30
