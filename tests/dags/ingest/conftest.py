"""A small sandbox, the connections to it, and a way to run an ingest DAG in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.ledger.store import Ledger
from sandbox.testing import Sandbox, run_sandbox

DAGS = Path(__file__).parents[3] / "dags" / "ingest"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def sandbox(home) -> Iterator[Sandbox]:
    inbox = home / "landing" / "inbox"
    world = {"start": "2026-11-01T06:00:00Z", "contacts": 60, "days": 40}
    with run_sandbox(home / "world", **world, site_inbox=inbox / "site_events", files_inbox=inbox) as running:
        yield running


@pytest.fixture
def zone(home) -> LandingZone:
    return LandingZone(home / "landing")


@pytest.fixture
def connect(sandbox, home, monkeypatch) -> Callable[..., None]:
    """Set the connections; changes by conn_id."""

    def connect(**changes: dict[str, Any]) -> None:
        ledger = {"conn_type": "sqlite", "host": str(home / "ledger.sqlite")}
        given = {
            "shop": {
                "conn_type": "http",
                "host": sandbox.shop,
                "login": sandbox.client_id,
                "password": sandbox.client_secret,
            },
            "crm": {"conn_type": "http", "host": sandbox.crm, "password": sandbox.crm_token},
            "ledger": ledger,
        }
        for name, connection in given.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection | changes.get(name, {})))
        monkeypatch.setenv("KREISLAUF_LANDING", f"file://{home}/landing")
        Ledger.open(Connection("ledger", "sqlite", host=ledger["host"])).migrate()

    return connect


@pytest.fixture(scope="module")
def bag(airflow_db) -> Any:
    """The ingest DAGs as Airflow reads them."""
    from airflow.dag_processing.dagbag import DagBag

    found = DagBag(dag_folder=DAGS)
    assert found.import_errors == {}
    return found


@pytest.fixture
def run(bag) -> Callable[..., Any]:
    """Run a DAG in this process; the DAG run."""

    def run(dag_id: str, **conf: Any) -> Any:
        return bag.get_dag(dag_id).test(run_conf=conf)

    return run
