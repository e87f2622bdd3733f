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


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    name = {"duckdb": "parquet_engine", "postgres": "postgres_engine"}[request.param]
    return request.getfixturevalue(name)


@pytest.fixture
def land(tmp_path: Path) -> Land:
    """Lands rows of one raw table as one extraction: `land("shop_customers", [{...}], run="r1")`."""
    return partial(land_rows, tmp_path / "landing")
