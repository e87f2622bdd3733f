"""The engines that are compared: what each needs, and a build of all models on it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pyarrow

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.models import Model
from kreislauf.warehouse.testing import postgres_server
from scripts.conformance import build, servers
from scripts.conformance.servers import REPOSITORY

DUCKDB_15 = REPOSITORY / ".venv-duckdb"


@dataclass(frozen=True)
class Target:
    """An engine by its name. `missing`: why it cannot be compared here, None if it can."""

    name: str
    missing: Callable[[], str | None]
    run: Callable[[Path, LandingZone, Mapping[str, Model]], Result]
    is_measured: bool = True
    """Whether its CPU seconds can be told: those of a server that is not our child cannot."""


@dataclass(frozen=True)
class Result:
    """A build of all models, and the rows of each table."""

    built: build.Built
    tables: dict[str, pyarrow.Table]
    cpu_seconds: float | None = None
    """Of the build, of reading its tables, and of a server that was started for it, with its start."""


def _duckdb(folder: Path, zone: LandingZone, models: Mapping[str, Model]) -> Result:
    return _run(build.duckdb(folder), zone, models)


def _duckdb_15(folder: Path, zone: LandingZone, models: Mapping[str, Model]) -> Result:
    path = os.pathsep.join(map(str, (DUCKDB_15, REPOSITORY / "plugins", REPOSITORY)))
    done = subprocess.run(
        [sys.executable, "-m", "scripts.conformance.build", str(zone.root), str(folder)],
        env=os.environ | {"PYTHONPATH": path}, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    built = build.Built(**json.loads(done.stdout.splitlines()[-1]))
    return Result(built, build.tables(build.duckdb(folder), built, list(models)))


def _postgres(server: Callable[[], AbstractContextManager[str]]) -> Callable[..., Result]:
    def run(folder: Path, zone: LandingZone, models: Mapping[str, Model]) -> Result:
        with server() as uri:
            with psycopg.connect(uri) as connection:
                at = connection.info
                where = {"host": at.host, "port": at.port, "login": at.user, "schema": at.dbname}
            engine = engine_for(Connection("warehouse", "postgres", **where))
            return _run(engine, zone, models)

    return run


def _spark(server: Callable[[], AbstractContextManager[str]]) -> Callable[..., Result]:
    def run(folder: Path, zone: LandingZone, models: Mapping[str, Model]) -> Result:
        with server() as url, spark(url, folder) as engine:
            return _run(engine, zone, models, at_once=2)  # while one is planned, another is computed

    return run


def timed(target: Target, folder: Path, zone: LandingZone, models: Mapping[str, Model]) -> Result:
    """A run of the target with what it cost, its server's CPU seconds included where it has one."""
    before = _cpu_seconds()
    result = target.run(folder, zone, models)
    return replace(result, cpu_seconds=_cpu_seconds() - before if target.is_measured else None)


def _cpu_seconds() -> float:
    """Of this process and of all that it has started and that has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextlib.contextmanager
def spark(url: str, folder: Path) -> Generator[Engine]:
    """The engine of a Spark Connect server, for data of a test's size."""
    extra = {"folder": str(folder), "settings": {"spark.sql.shuffle.partitions": "2"}}
    engine = engine_for(Connection("warehouse", "spark_connect", host=url, extra=extra))
    try:
        yield engine
    finally:
        engine.close()


def _run(engine: Engine, zone: LandingZone, models: Mapping[str, Model], at_once: int = 1) -> Result:
    built = build.build(engine, zone, models, at_once)
    return Result(built, build.tables(engine, built, list(models)))


def _there(path: Path, how: str) -> Callable[[], str | None]:
    return lambda: None if path.exists() else f"there is no {path}; {how}"


def _java() -> str | None:
    if not shutil.which("java"):
        return "there is no java on the PATH; Apache Spark needs version 17 or newer"
    return _there(servers.SPARK, "`make conformance` sets it up")()


REFERENCE = Target("duckdb 2.0", lambda: None, _duckdb)
"""What the others are compared with."""

QUICK = (
    Target("duckdb 1.5", _there(DUCKDB_15, "`make test` sets it up"), _duckdb_15),
    Target("postgres 18", lambda: None, _postgres(postgres_server), is_measured=False),
    Target(
        "postgres 15",
        _there(servers.POSTGRES_15, "install PostgreSQL 15 (Debian: postgresql-15)"),
        _postgres(servers.postgres_15),
    ),
)

SPARK = (
    Target("sail", _there(servers.SAIL, "`make conformance` sets it up"), _spark(servers.sail)),
    Target("spark", _java, _spark(servers.spark_cluster)),
)
