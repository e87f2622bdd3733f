"""What a batch costs to send depends on its own messages, not on how many went out before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, event

from kreislauf.ledger import batches
from kreislauf.ledger.batches import Verdict
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.schema import BatchState
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.testing import plan_people

DAY = timedelta(days=1)
CAPS = [FrequencyCap(1, DAY), FrequencyCap(5, 7 * DAY), FrequencyCap(2, DAY, "flow_welcome")]

_MESSAGES_READ = """
    select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables
    where relname = 'message'
"""


class _Work:
    """What a ledger did: hundreds of steps of SQLite's machine, or messages that PostgreSQL read."""

    def __init__(self, ledger: Ledger) -> None:
        self.done = 0
        if ledger.engine.dialect.name == "sqlite":
            event.listen(ledger.engine, "begin", self._count_steps)
        else:
            event.listen(ledger.engine, "begin", lambda connection: self._count_messages(connection, -1))
            event.listen(ledger.engine, "commit", lambda connection: self._count_messages(connection, 1))

    def of(self, send: Any) -> int:
        before = self.done
        send()
        return self.done - before

    def _count_steps(self, connection: Connection) -> None:
        connection.connection.dbapi_connection.set_progress_handler(self._tick, 100)  # type: ignore[union-attr]

    def _tick(self) -> int:
        self.done += 1
        return 0

    def _count_messages(self, connection: Connection, sign: int) -> None:
        self.done += sign * int(connection.exec_driver_sql(_MESSAGES_READ).scalar_one())


def test_a_batch_costs_the_same_whatever_was_sent_before(ledger: Ledger) -> None:
    work = _Work(ledger)

    def send(people: range) -> int:
        """Plan and send to so many; the most that one batch cost."""
        plan_people(ledger, [f"shop-{number}" for number in people], caps=CAPS, batch_size=100)
        return max(work.of(send_one) for _ in range(0, len(people), 100))

    def send_one() -> None:
        claimed = batches.claim(ledger, "flow_welcome", "hello", "me", utc_now())
        assert len(claimed.messages) == 100
        batches.answer(ledger, claimed, Verdict(BatchState.ACCEPTED))

    first = send(range(300))
    send(range(300, 5_000))
    last = send(range(5_000, 5_300))
    assert 0 < last <= 1.5 * first
