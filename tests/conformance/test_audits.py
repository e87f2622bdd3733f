"""Great Expectations judges the same on each engine: a broken table fails, and says by what."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from kreislauf.connections import Connection
from kreislauf.quality.audit import AuditFailed, audit
from kreislauf.warehouse.dialect import compile_sql
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.models import Model, load_models
from kreislauf.warehouse.testing import postgres_server
from scripts.conformance import build, servers, targets

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [("c1", "champion"), ("c2", None), ("c2", "champion"), (None, "champion"), ("c9", None)]


@contextlib.contextmanager
def opened(name: str, folder: Path) -> Generator[Engine]:
    if name == "duckdb":
        yield build.duckdb(folder)
    elif name == "postgres":
        with postgres_server() as uri, psycopg.connect(uri) as connection:
            at = connection.info
            yield engine_for(
                Connection("warehouse", "postgres", at.host, at.port, login=at.user, schema=at.dbname)
            )
    else:
        if not servers.SAIL.exists():
            pytest.skip("Sail is not set up; `make conformance` does that")
        with servers.sail() as url, targets.spark(url, folder) as engine:
            yield engine


@pytest.fixture
def models(tmp_path: Path) -> list[Model]:
    for name, grain in {"core/contacts": "contact_id", "scores/broken": "contact_id"}.items():
        path = tmp_path / "sql" / f"{name}.sql"
        path.parent.mkdir(parents=True)
        path.write_text(f"-- A test.\n-- owner: tests\n-- grain: {grain}\nselect 'c1' as contact_id\n")
    return [load_models(tmp_path / "sql")["scores.broken"]]


@pytest.mark.parametrize("name", ["duckdb", "postgres", "sail"])
def test_a_broken_table_is_not_published(name, models, tmp_path):
    rows = ", ".join(f"({', '.join(repr(v) if v else 'null' for v in row)})" for row in ROWS)
    with opened(name, tmp_path / "warehouse") as engine:
        found = engine.begin_build(AS_OF)
        for table, select in {
            "core.contacts": "select x as contact_id from (values ('c1'), ('c2')) as t(x)",
            "scores.broken": f"select x as contact_id, y as segment from (values {rows}) as t(x, y)",
        }.items():
            engine.create_table(found, table, compile_sql(select, engine.dialect))
        with pytest.raises(AuditFailed) as failed:
            audit(engine, found, models, tmp_path / "docs" / "scores.html")

    said = [str(breach) for breach in failed.value.breaches]
    assert said == [
        "scores.broken: contact_id is not null: broken by 1 row; for example None",
        "scores.broken: contact_id is unique: broken by 1 row; for example c2",
        "scores.broken: contact_id is in core.contacts: broken by 1 row; for example c9",
    ]
