"""A ledger of the first version is brought up to date with all it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from kreislauf.connections import Connection
from kreislauf.ledger import migrate
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.testing import postgres_server

AT = "2026-03-10 12:00:00"
ROWS = {
    "decision": {
        "flow": "flow_welcome",
        "flow_version": "1",
        "step": "hello",
        "contact_id": "shop-1",
        "occurrence_id": "first",
        "reason": "invalid_address",
        "is_final": True,
        "as_of": AT,
        "build_id": "build",
        "run_id": "run",
        "updated_at": AT,
    },
    "batch": {
        "id": "b1",
        "flow": "flow_welcome",
        "step": "hello",
        "language": "en",
        "template": "welcome/hello",
        "size": 1,
        "state": "accepted",
        "planned_as_of": AT,
        "updated_at": AT,
    },
    "message": {
        "message_key": "m1",
        "flow": "flow_welcome",
        "step": "hello",
        "contact_id": "shop-1",
        "occurrence_id": "first",
        "batch_id": "b1",
        "address": "ada@example.org",
        "merge": "{}",
        "planned_as_of": AT,
        "planned_at": AT,
        "updated_at": AT,
    },
}


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        yield Ledger.open(Connection("ledger", "sqlite", str(tmp_path / "ledger.db")))
        return
    with postgres_server() as uri:
        engine = create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))
        yield Ledger(engine)
        engine.dispose()


def at_first_version(ledger: Ledger) -> None:
    with ledger.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, row in ROWS.items():
            columns = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"insert into {table} ({columns}) values ({values})"), row)


def test_what_is_there_is_kept(ledger: Ledger) -> None:
    at_first_version(ledger)
    for _ in range(2):
        ledger.migrate()
    with ledger.read() as connection:
        sent = connection.execute(
            text("select message.channel, batch.state from message join batch on batch.id = message.batch_id")
        ).all()
        reasons = connection.execute(text("select reason from decision")).scalars().all()
    assert sent == [("email", "accepted")]
    assert reasons == ["unreachable"]


def test_references_are_watched_again_afterwards(ledger: Ledger) -> None:
    at_first_version(ledger)
    ledger.migrate()
    with pytest.raises(Exception, match=r"(?i)foreign key"), ledger.write() as connection:
        connection.execute(text("delete from batch"))
