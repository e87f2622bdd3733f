"""A ledger of its own for each test, on SQLite or on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from kreislauf.connections import Connection
from kreislauf.ledger.schema import metadata
from kreislauf.ledger.store import Ledger
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
