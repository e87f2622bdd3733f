"""Empty ledgers, one after the other, on each database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from kreislauf.connections import Connection
from kreislauf.ledger.schema import metadata
from kreislauf.ledger.store import Ledger
from tests.properties.circuit import NewLedger


@pytest.fixture(scope="session")
def new_sqlite(tmp_path_factory: pytest.TempPathFactory) -> NewLedger:
    folder, numbers = tmp_path_factory.mktemp("ledgers"), itertools.count()

    def new() -> Ledger:
        ledger = Ledger.open(Connection("ledger", "sqlite", str(folder / f"{next(numbers)}.db")))
        metadata.create_all(ledger.engine)
        return ledger

    return new


@pytest.fixture(scope="session")
def new_postgres(postgres_uri: str) -> Iterator[NewLedger]:
    """The same database, emptied: use one at a time."""
    engine = create_engine(postgres_uri.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)

    def new() -> Ledger:
        with engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        return Ledger(engine)

    yield new
    metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def new_ledger(request: pytest.FixtureRequest) -> NewLedger:
    return request.getfixturevalue(f"new_{request.param}")
