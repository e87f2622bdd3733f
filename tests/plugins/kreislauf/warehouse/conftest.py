"""Engines on real files and a real server, and raw rows without a source."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from kreislauf.connections import Connection
from kreislauf.landing.manifest import Manifest
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.testing import land_rows, postgres_server
from scripts.conformance import servers

Land = Callable[..., Manifest]


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    with postgres_server() as uri:
        yield uri


@pytest.fixture
def parquet_engine(tmp_path: Path) -> Engine:
    return engine_for(Connection("warehouse", "duckdb", host=str(tmp_path / "warehouse")))


@pytest.fixture
def postgres_engine(postgres_uri: str) -> Iterator[Engine]:
    """An engine on a database of its own."""
    database = f"test_{secrets.token_hex(4)}"
    admin = psycopg.connect(postgres_uri, autocommit=True)
    admin.execute(f"create database {database}")
    where = admin.info
    yield engine_for(
        Connection(
            "warehouse", "postgres", host=where.host, port=where.port, login=where.user, schema=database
        )
    )
    admin.execute(f"drop database {database} with (force)")
    admin.close()


@pytest.fixture(scope="session")
def spark_url() -> Iterator[str]:
    """Sail, which starts in a moment; `make conformance` compares Apache Spark too."""
    if not servers.SAIL.exists():
        pytest.skip("Sail is not set up; `make conformance` does that")
    with servers.sail() as url:
        yield url


@pytest.fixture
def spark_engine(spark_url: str, tmp_path: Path) -> Iterator[Engine]:
    extra = {"folder": str(tmp_path / "warehouse")}
    engine = engine_for(Connection("warehouse", "spark_connect", host=spark_url, extra=extra))
    yield engine
    engine.close()


@pytest.fixture(params=["duckdb", "postgres", "spark"])
def engine(request: pytest.FixtureRequest) -> Engine:
    names = {"duckdb": "parquet_engine", "postgres": "postgres_engine", "spark": "spark_engine"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Lands rows of one raw table as one extraction: `land("shop_customers", [{...}], run="r1")`."""
    return partial(land_rows, tmp_path / "landing")
