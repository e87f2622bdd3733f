"""An Airflow of the tests' own: its home is a temporary folder, chosen before Airflow is imported."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
_home = Path(tempfile.mkdtemp(prefix="kreislauf-tests-"))

for name in [name for name in os.environ if name.startswith(("AIRFLOW", "KREISLAUF"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": str(_home / "airflow"),
    "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home / 'airflow.db'}",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "KREISLAUF_HOME": str(_home / "var"),
    "GX_ANALYTICS_ENABLED": "False",
}


def pytest_sessionfinish() -> None:
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """A PostgreSQL of the tests' own, started once."""
    from kreislauf.warehouse.testing import postgres_server

    with postgres_server() as uri:
        yield uri


@pytest.fixture(scope="session")
def airflow_db() -> Iterator[None]:
    """Airflow's own database, created once: about 8 seconds, so only where a DAG really runs."""
    from airflow.utils.db import initdb

    initdb()
    yield
