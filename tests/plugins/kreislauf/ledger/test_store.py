"""Opening, migrating and switching the ledger."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from kreislauf.connections import Connection
from kreislauf.ledger.schema import control, metadata
from kreislauf.ledger.store import EVERYTHING, Ledger, utc_now

_process = multiprocessing.get_context("spawn")


def _migrate(connection: Connection) -> None:
    Ledger.open(connection).migrate()


def test_the_migrations_give_the_schema(ledger: Ledger) -> None:
    with ledger.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        assert compare_metadata(context, metadata) == []
        inspector = inspect(connection)
        for table in metadata.sorted_tables:
            declared = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            found = {str(check["name"]) for check in inspector.get_check_constraints(table.name)}
            assert found == declared, table.name


def test_an_unknown_word_is_an_error(ledger: Ledger) -> None:
    from kreislauf.ledger.testing import plan_people

    plan_people(ledger, ["ada"])
    with pytest.raises(IntegrityError), ledger.write() as connection:
        connection.exec_driver_sql("update batch set state = 'sent'")


def test_processes_that_migrate_at_once_do_not_harm_each_other(ledger_connection: Connection) -> None:
    starters = [_process.Process(target=_migrate, args=(ledger_connection,)) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(60)
    assert [starter.exitcode for starter in starters] == [0, 0, 0]


def test_what_failed_leaves_nothing_behind(ledger: Ledger) -> None:
    row = {"scope": "flow_welcome", "is_paused": True, "changed_by": "ada", "changed_at": utc_now()}
    with pytest.raises(RuntimeError), ledger.write() as connection:
        connection.execute(insert(control).values(row))
        raise RuntimeError
    with ledger.read() as connection:
        assert connection.execute(select(control)).all() == []


def test_writers_queue_up_instead_of_failing(ledger: Ledger) -> None:
    ledger.pause("counter", "0")

    def add_ones() -> None:
        for _ in range(10):
            with ledger.write() as connection:
                now = connection.execute(select(control.c.changed_by).with_for_update()).scalar_one()
                connection.execute(control.update().values(changed_by=str(int(now) + 1)))

    writers = [threading.Thread(target=add_ones) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with ledger.read() as connection:
        assert connection.execute(select(control.c.changed_by)).scalar_one() == "40"


def test_a_pause_stops_one_flow_or_all(ledger: Ledger) -> None:
    ledger.pause("flow_welcome", "ada", "wrong voucher")
    assert (ledger.is_paused("flow_welcome"), ledger.is_paused("flow_cart")) == (True, False)
    ledger.pause("flow_welcome", "ada")
    ledger.resume("flow_welcome", "ada")
    assert not ledger.is_paused("flow_welcome")
    ledger.pause(EVERYTHING, "ada")
    assert ledger.is_paused("flow_cart")


def test_moments_need_a_zone(ledger: Ledger) -> None:
    naive = datetime(2026, 1, 1)
    row = {"scope": "x", "is_paused": True, "changed_by": "ada", "changed_at": naive}
    with pytest.raises(Exception, match="no time zone"), ledger.write() as connection:
        connection.execute(insert(control).values(row))


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        (Connection("ledger", "mysql", host="db"), "'sqlite' or 'postgres', not 'mysql'"),
        (Connection("ledger", "sqlite"), "host must be the ledger's file"),
    ],
)
def test_a_wrong_connection_is_named(connection: Connection, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ledger.open(connection)
