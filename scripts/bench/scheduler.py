"""What Airflow adds: `build_warehouse` in a real scheduler, beside the same models as tasks of Cosmos.

Runs in `.venv-bench`, where Airflow, Kreislauf's packages, dbt and astronomer-cosmos stand together. Both
DAGs start from the same raw parts in the same Airflow. DuckDB's file takes one writer at a time, so Cosmos
runs one task at a time; Kreislauf's Parquet files have no lock.
"""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts import services
from scripts.airflow_api import AirflowApi
from scripts.bench.measure import AS_OF
from scripts.local import Local

REPOSITORY = Path(__file__).resolve().parents[2]

COSMOS = """\
\"\"\"The models of the benchmark's dbt project, one Airflow task each.\"\"\"

from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior

dag = DbtDag(
    dag_id="build_cosmos",
    schedule=None,
    max_active_tasks=1,
    project_config=ProjectConfig({project!r}, manifest_path={project!r} + "/target/manifest.json"),
    profile_config=ProfileConfig(
        profile_name="bench", target_name="bench", profiles_yml_filepath={project!r} + "/profiles.yml"
    ),
    execution_config=ExecutionConfig(
        execution_mode=ExecutionMode.LOCAL, invocation_mode=InvocationMode.DBT_RUNNER
    ),
    render_config=RenderConfig(load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.NONE),
)
"""


def kreislauf(folder: Path, size: int) -> dict[str, Any]:
    """A full `build_warehouse`, from the first task's start to the last one's end."""
    return _timed(folder, "build_warehouse", {"as_of": AS_OF.isoformat()})


def cosmos(folder: Path, size: int) -> dict[str, Any]:
    """The same models as a DbtDag."""
    return _timed(folder, "build_cosmos", {})


def _timed(folder: Path, dag_id: str, conf: dict[str, str]) -> dict[str, Any]:
    dags = folder / "cosmos"
    dags.mkdir(exist_ok=True)
    (dags / "build_cosmos.py").write_text(COSMOS.format(project=str(folder / "dbt")))
    paths = {"kreislauf": REPOSITORY / "dags" / "build", "cosmos": dags}
    bundle = "airflow.dag_processing.bundles.local.LocalDagBundle"
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
        [{"name": name, "classpath": bundle, "kwargs": {"path": str(path)}} for name, path in paths.items()]
    )
    local = Local.at(folder).on_free_ports()
    running = services.start(local, ["--contacts", "10", "--days", "10"])
    try:
        api = AirflowApi(
            local.url("airflow"), local.secrets["airflow_password"], str(local.airflow_home / "logs")
        )
        api.sign_in()
        api.ensure_pools()
        api.wait_for_dags(["build_warehouse", "build_cosmos"])
        began = time.monotonic()
        tasks = api.wait(dag_id, api.trigger(dag_id, conf), lambda *_: None)
        seconds = time.monotonic() - began
        busy = sum(_seconds(task) for task in tasks if task["end_date"])
        return {"rows": len(tasks), "seconds": seconds, "cpu_seconds": 0.0, "task_seconds": busy}
    finally:
        running.stop()


def _seconds(task: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    return (end - start).total_seconds()
