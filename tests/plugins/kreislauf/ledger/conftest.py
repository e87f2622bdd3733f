"""A ledger on each of its databases, and people to write to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kreislauf.connections import Connection
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.testing import postgres_server


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    with postgres_server() as uri:
        yield uri


@pytest.fixture
def postgres_connection(postgres_uri: str) -> Iterator[Connection]:
    """A connection to an empty database of its own."""
    database = f"ledger_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_uri, autocommit=True) as admin:
        admin.execute(f"create database {database}")
        where = admin.info
        yield Connection(
            "ledger", "postgres", host=where.host, port=where.port, login=where.user, schema=database
        )
        admin.execute(f"drop database {database} with (force)")


@pytest.fixture
def sqlite_connection(tmp_path: Path) -> Connection:
    return Connection("ledger", "sqlite", host=str(tmp_path / "ledger" / "ledger.db"))


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_connection(request: pytest.FixtureRequest) -> Connection:
    return request.getfixturevalue(f"{request.param}_connection")


@pytest.fixture
def ledger(ledger_connection: Connection) -> Iterator[Ledger]:
    opened = Ledger.open(ledger_connection)
    opened.migrate()
    yield opened
    opened.engine.dispose()
