"""The same models, run by dbt-core with dbt-duckdb, from the same raw parts.

Each model becomes a dbt model of the same SQL, materialised as a table in a DuckDB file; tables of
constants (lists, fits) become the constants that Kreislauf's own build had. dbt runs as its users run it,
in a process of its own, from `.venv-bench`.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from kreislauf.warehouse.engines.base import without_comments
from kreislauf.warehouse.engines.parquet import raw_relation
from kreislauf.warehouse.models import LAYERS, Model, load_models
from kreislauf.warehouse.raw import raw_columns
from scripts.bench.build import SQL, published_engine, raw_files
from scripts.bench.measure import AS_OF

DBT = Path(__file__).resolve().parents[2] / ".venv-bench" / "bin" / "dbt"
SETTINGS = {"memory_limit": "1400MB", "threads": os.cpu_count() or 1, "preserve_insertion_order": False}
"""DuckDB's, as Kreislauf's own builds have them, with twice the memory: dbt runs two models at a time."""
_REFERENCE = re.compile(rf"\b({'|'.join(LAYERS)})\.([a-z_][a-z0-9_]*)")


def run(folder: Path, size: int) -> dict[str, Any]:
    """`dbt run` of all models; CPU seconds and memory are those of its process."""
    project = folder / "dbt"
    database = project / "warehouse.duckdb"
    models = load_models(SQL)
    _write_project(project, database)
    rows = _open_raw(folder, database)
    engine = published_engine(folder)

    def read(table: str) -> pyarrow.Table:
        return engine.arrow(f"select * from {table}")

    for model in models.values():
        path = project / "models" / model.layer / f"{_dbt_name(model.name)}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_as_dbt(model, model.statement("duckdb", AS_OF, read)), encoding="utf-8")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(
        [str(DBT), "--quiet", "run", "--project-dir", str(project), "--profiles-dir", str(project)],
        env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise RuntimeError(f"dbt run failed:\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}")
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    if differing := _differing(folder, database, models):
        raise RuntimeError(f"dbt's tables have other rows than Kreislauf's: {', '.join(differing)}")
    return {
        "rows": rows,
        "seconds": seconds,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mb": after.ru_maxrss / 1024,
        "models": {result["unique_id"].rpartition(".")[2]: result["execution_time"] for result in results},
    }


def _write_project(project: Path, database: Path) -> None:
    project.mkdir()
    (project / "macros").mkdir()
    (project / "dbt_project.yml").write_text(
        "name: kreislauf\nversion: '1.0'\nprofile: bench\nmodels:\n  +materialized: table\n"
    )
    (project / "profiles.yml").write_text(
        "bench:\n  target: bench\n  outputs:\n    bench:\n      type: duckdb\n"
        f"      path: {database}\n      threads: {os.cpu_count()}\n"
        # A task of Airflow's may begin while the process of the last one still has the file open.
        "      retries: {connect_attempts: 6}\n"
        f"      settings: {json.dumps(SETTINGS | {'TimeZone': 'UTC'})}\n"
    )
    # Schemas are named as the model says, not after the profile.
    (project / "macros" / "schema.sql").write_text(
        "{% macro generate_schema_name(name, node) %}{{ name }}{% endmacro %}\n"
    )


def _open_raw(folder: Path, database: Path) -> int:
    """Views on the raw parts, as the embedded warehouse reads them; their rows."""
    files = raw_files(folder)
    published = published_engine(folder).published()
    written = (folder / "warehouse" / "builds" / published.build_id / "raw").rglob("manifests*.parquet")
    files["raw.manifests"] = [str(path) for path in written]
    rows = 0
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema raw")
        for name, columns in raw_columns().items():
            parts = files.get(f"raw.{name}", [])
            connection.execute(f"create view raw.{name} as {raw_relation(columns, parts)}")
            [(count,)] = connection.execute(f"select count(*) from raw.{name}").fetchall()
            rows += count
    return rows


def _as_dbt(model: Model, sql: str) -> str:
    def ref(found: re.Match[str]) -> str:
        return found[0] if found[1] == "raw" else f"{{{{ ref('{found[1]}__{found[2]}') }}}}"

    table = model.name.partition(".")[2]
    config = f"{{{{ config(schema='{model.layer}', alias='{table}') }}}}\n"
    # A table that a comment speaks of is not read.
    return config + _REFERENCE.sub(ref, without_comments(sql))


def _dbt_name(name: str) -> str:
    return name.replace(".", "__")


def _differing(folder: Path, database: Path, models: dict[str, Model]) -> list[str]:
    """Tables whose number of rows is not that of Kreislauf's own build: then nothing was compared."""
    engine = published_engine(folder)
    published = engine.published()
    with duckdb.connect(str(database), read_only=True) as connection:
        counts = {
            name: connection.execute(f"select count(*) from {name}").fetchall()[0][0] for name in models
        }
    return sorted(name for name, count in counts.items() if published.tables[name] != count)
