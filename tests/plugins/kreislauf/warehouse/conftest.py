"""Engines on real files and a real server, and raw rows without a source."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from kreislauf.connections import Connection
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.sources.streams import STREAMS
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.raw import raw_columns
from kreislauf.warehouse.schema import create_table
from kreislauf.warehouse.testing import postgres_server

STREAM_OF = {name: (s.source, s.name) for s in STREAMS for name in s.tables}

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

    def land(table: str, rows: list[dict[str, Any]], run: str = "20260101T000000Z") -> Manifest:
        source, stream = STREAM_OF[table]
        folder = tmp_path / "landing" / source / stream / "dt=2026-01-01" / f"run={run}"
        folder.mkdir(parents=True)
        file = folder / f"{table}.parquet"
        with duckdb.connect() as connection:
            create_table(connection, f"raw.{table}", raw_columns()[table])
            lineage = {"_run": run, "_extracted_at": datetime(2026, 1, 1)}
            landed = pa.Table.from_pylist([lineage | {"_line": i} | row for i, row in enumerate(rows, 1)])
            if rows:
                connection.register("landed", landed)
                connection.execute(f"insert into raw.{table} by name select * from landed")
            connection.execute(f"copy raw.{table} to '{file}' (format parquet)")
        part = {"file": file.name, "rows": len(rows), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        return Manifest(
            run=run, source=source, stream=stream, window=Window(None, moment), as_of=moment, extracted_at=moment,
            api_version=None, pages=[{"file": "part-00000.ndjson.gz", "rows": len(rows), "sha256": ""}],
            tables={table: part} if rows else {}, quarantined=0, unknown_fields=[], missing_fields=[], folder=folder,
        )  # fmt: skip

    return land
