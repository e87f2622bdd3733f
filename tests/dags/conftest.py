"""A small circuit to run a DAG in: a published build, a ledger, and mails as files."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from kreislauf.connections import Connection
from kreislauf.flow.testing import publish
from kreislauf.ledger.schema import batch, decision, message
from kreislauf.ledger.store import Ledger
from kreislauf.warehouse.engines import BuildInfo, Engine, engine_for

DAGS = Path(__file__).parents[2] / "dags"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass
class Circuit:
    """What a DAG runs against, and what is left afterwards."""

    home: Path
    engine: Engine
    ledger: Ledger

    def publish(self, rows: dict[str, list[dict[str, Any]]], as_of: datetime = NOON) -> BuildInfo:
        """A build with these rows and with sources that reach `as_of`."""
        fresh = [
            {"source": source, "stream": "all", "fresh_until": as_of}
            for source in ("shop", "mail", "site", "crm")
        ]
        return publish(self.engine, as_of, {"core.source_freshness": fresh, **rows})

    def reasons(self) -> dict[tuple[str, str], str]:
        """The decisions' reasons by step and contact."""
        with self.ledger.read() as connection:
            rows = connection.execute(select(decision.c.step, decision.c.contact_id, decision.c.reason))
            return {(step, contact): reason for step, contact, reason in rows}

    def states(self) -> dict[str, int]:
        """How many messages are in which state."""
        state = func.coalesce(message.c.outcome, batch.c.state)
        with self.ledger.read() as connection:
            rows = connection.execute(
                select(state, func.count()).select_from(message.join(batch)).group_by(state)
            )
            return dict(rows.tuples().all())

    def mails(self) -> list[EmailMessage]:
        """The mails that were handed over, sorted by recipient and subject."""
        parser = BytesParser(policy=policy.default)
        found = [parser.parsebytes(path.read_bytes()) for path in (self.home / "mails").rglob("*.eml")]
        return sorted(found, key=lambda mail: (mail["To"], mail["Subject"]))


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated ledger's file, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    ledger = Ledger.open(Connection("ledger", "sqlite", str(path)))
    ledger.migrate()
    ledger.engine.dispose()
    return path


@pytest.fixture
def circuit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_ledger: Path) -> Circuit:
    sender = {
        "from_email": "hello@shop.example",
        "from_name": "Shop",
        "postal_address": "Weg 1, 10115 Berlin",
    }
    connections = {
        "warehouse": {"conn_type": "duckdb", "host": str(tmp_path / "warehouse")},
        "ledger": {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")},
        "sendgrid": {"conn_type": "file", "host": str(tmp_path / "mails"), "extra": sender},
        "web": {"conn_type": "http", "host": "http://127.0.0.1:1", "password": "a secret of the tests"},
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    monkeypatch.setenv("KREISLAUF_HOME", str(tmp_path))
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power cut is tested here, and a build has 140 files
    shutil.copy(empty_ledger, tmp_path / "ledger.db")
    ledger = Ledger.open(Connection.from_env("ledger"))
    return Circuit(tmp_path, engine_for(Connection.from_env("warehouse")), ledger)


RunDag = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def dags_known(airflow_db: None) -> Iterator[None]:
    """All DAG files are read and stored once; `dag.test` would do it again for every run."""
    from airflow.dag_processing import dagbag

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dagbag, "BundleDagBag", cache(dagbag.BundleDagBag))
        patch.setattr(dagbag, "sync_bag_to_db", cache(dagbag.sync_bag_to_db))
        yield


@pytest.fixture
def run_dag(dags_known: None) -> RunDag:
    """Run a DAG file once: `run_dag("flow/welcome", as_of="…")` gives state and result by task id."""
    from airflow.dag_processing.dagbag import DagBag

    def run(file: str, /, **conf: Any) -> dict[str, Any]:
        bag = DagBag(dag_folder=str(DAGS / f"{file}.py"))
        assert not bag.import_errors
        (dag,) = bag.dags.values()
        done = dag.test(run_conf=conf)
        return {
            "run_id": done.run_id,
            "state": str(done.state),
            "states": {ti.task_id: str(ti.state) for ti in done.get_task_instances()},
            "results": {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in done.get_task_instances()},
        }

    return run


@pytest.fixture
def answer(airflow_db: None) -> Iterator[Callable[[str], None]]:
    """A person who answers the next question: `answer("Approve")`, by the handler of Airflow's API."""
    threads: list[threading.Thread] = []
    is_over = threading.Event()

    def answer_next(option: str) -> None:
        threads.append(threading.Thread(target=_respond, args=(option, is_over)))
        threads[-1].start()

    yield answer_next
    is_over.set()
    for thread in threads:
        thread.join()


def _respond(option: str, is_over: threading.Event) -> None:
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    class Person:
        def get_id(self) -> str:
            return "test"

        get_name = get_id

    while not is_over.wait(0.3):
        with create_session() as session:
            waiting = session.scalar(select(TaskInstance).where(TaskInstance.state == "awaiting_input"))
            if waiting:
                payload = UpdateHITLDetailPayload(chosen_options=[option], params_input={})
                where = (waiting.dag_id, waiting.run_id, waiting.task_id)
                update_hitl_detail(*where, payload, Person(), session)
                return
