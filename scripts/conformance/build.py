"""One engine's build of every model, and what it gives.

`python -m scripts.conformance.build LANDING FOLDER` builds on the DuckDB that this process imports:
another version of it needs a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

import pyarrow

from kreislauf.connections import Connection
from kreislauf.landing.zone import LandingZone
from kreislauf.quality.audit import count_breaches
from kreislauf.quality.checks import checks_for
from kreislauf.warehouse.build import write_table
from kreislauf.warehouse.engines import Engine, WarehouseError, engine_for
from kreislauf.warehouse.models import Model, ModelError, load_models
from scripts.conformance.worlds import AS_OF

SQL = Path(__file__).resolve().parents[2] / "include" / "sql"


@dataclass
class Built:
    """A build of all models. `failed`: why a table could not be written, by its name. `breaches`: what
    the audit of core counted, by rule. `times`: seconds of each table.
    """

    build_id: str
    seconds: float
    failed: dict[str, str] = field(default_factory=dict)
    breaches: dict[str, int] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)


def build(
    engine: Engine, zone: LandingZone, models: Mapping[str, Model] | None = None, at_once: int = 1
) -> Built:
    """Build and publish, so many tables at once. One that fails does not keep the others from being built."""
    models = models or load_models(SQL)
    begun = time.monotonic()
    info = engine.begin_build(AS_OF)
    engine.load_raw(info, zone.manifests())
    built = Built(info.build_id, 0)

    def write(name: str) -> None:
        since = time.monotonic()
        try:
            write_table(engine, info, models[name])
        except (WarehouseError, ModelError) as error:
            built.failed[name] = str(error)
        built.times[name] = time.monotonic() - since

    _in_order({name: set(model.depends_on) & set(models) for name, model in models.items()}, write, at_once)
    engine.publish(info)
    built.seconds = time.monotonic() - begun
    core = [model for name, model in models.items() if model.layer == "core" and name not in built.failed]
    built.breaches = count_breaches(engine, info, checks_for(core, AS_OF))
    return built


def _in_order(reads: Mapping[str, set[str]], write: Callable[[str], None], at_once: int) -> None:
    """Call `write` for each table once all that it reads are written."""
    order = TopologicalSorter(reads)
    order.prepare()
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(at_once) as threads:
        while order.is_active():
            running |= {threads.submit(write, name): name for name in order.get_ready()}
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                order.done(running.pop(future))


def tables(engine: Engine, built: Built, names: list[str]) -> dict[str, pyarrow.Table]:
    """The rows of the tables that were built."""
    return {
        name: engine.arrow(f"select * from {name}", build_id=built.build_id)
        for name in names
        if name not in built.failed
    }


def duckdb(folder: Path) -> Engine:
    return engine_for(Connection("warehouse", "duckdb", host=str(folder)))


if __name__ == "__main__":
    landing, folder = map(Path, sys.argv[1:])
    print(json.dumps(vars(build(duckdb(folder), LandingZone(landing)))))
