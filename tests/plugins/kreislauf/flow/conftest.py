"""A ledger and a warehouse of its own for each test, embedded or on a real PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from kreislauf.connections import Connection
from kreislauf.ledger.schema import metadata
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.testing import postgres_server


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    opened = Ledger.open(Connection("ledger", "sqlite", str(tmp_path / "ledger.db")))
    metadata.create_all(opened.engine)
    return opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as uri:
        yield uri.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def postgres_ledger(postgres: str) -> Iterator[Ledger]:
    engine = create_engine(postgres)
    metadata.create_all(engine)
    yield Ledger(engine)
    metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def any_ledger(request: pytest.FixtureRequest) -> Ledger:
    return request.getfixturevalue("ledger" if request.param == "sqlite" else "postgres_ledger")


@pytest.fixture
def parquet_engine(tmp_path: Path) -> Engine:
    return engine_for(Connection("warehouse", "duckdb", str(tmp_path / "warehouse")))


@pytest.fixture
def postgres_engine(postgres: str) -> Iterator[Engine]:
    """An engine on a database of its own."""
    name = f"test_{secrets.token_hex(4)}"
    admin = psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True)
    admin.execute(f"create database {name}")
    where = admin.info
    yield engine_for(
        Connection("warehouse", "postgres", where.host, where.port, login=where.user, schema=name)
    )
    admin.execute(f"drop database {name} with (force)")
    admin.close()


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue("parquet_engine" if request.param == "duckdb" else "postgres_engine")
