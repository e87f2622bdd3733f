"""What Airflow adds: `build_warehouse` in a real scheduler, beside the same models as tasks of Cosmos.

Each has an Airflow of its own with the same settings: Kreislauf's in `.venv`, as `make run` starts it, and
Cosmos' in `.venv-bench`. DuckDB's file takes one writer at a time, so Cosmos runs one task at a time;
Kreislauf's Parquet files have no lock.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts import services
from scripts.airflow_api import AirflowApi, RunFailed
from scripts.bench.family import Family
from scripts.bench.measure import AS_OF
from scripts.local import Local

REPOSITORY = Path(__file__).resolve().parents[2]
WITHIN = 7200
"""Seconds a DAG may take."""
_IDLE = 10
"""Seconds in which the idle Airflow is looked at."""

_COSMOS = '''\
"""The models of the benchmark's dbt project, one Airflow task each."""

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
'''


def kreislauf(folder: Path, size: int) -> dict[str, Any]:
    """A full `build_warehouse`, audits and all, from its start to its end."""
    return _timed(folder, "build_warehouse", REPOSITORY / "dags" / "build", {"as_of": AS_OF.isoformat()})


def cosmos(folder: Path, size: int) -> dict[str, Any]:
    """The same models as a DbtDag, over the database that `dbt run` has left."""
    dags = folder / "cosmos"
    dags.mkdir()
    (dags / "build_cosmos.py").write_text(_COSMOS.format(project=str(folder / "dbt")))
    os.environ |= {"AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    return _timed(folder, "build_cosmos", dags, {})


def _timed(folder: Path, dag_id: str, dags: Path, conf: dict[str, str]) -> dict[str, Any]:
    home = folder / f"airflow-{dag_id}"
    # A landing zone of its own, as publishing lands who entered which segment.
    shutil.copytree(folder / "landing", home / "landing", copy_function=os.link)
    bundle = "airflow.dag_processing.bundles.local.LocalDagBundle"
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
        [{"name": "bench", "classpath": bundle, "kwargs": {"path": str(dags)}}]
    )
    # On a busy machine Airflow answers its own tasks later than the five seconds that they wait.
    os.environ["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"] = "60"
    local = Local.at(home).on_free_ports()
    running = services.start(local, ["--contacts", "10", "--days", "10"])
    try:
        api = AirflowApi(
            local.url("airflow"), local.secrets["airflow_password"], str(local.airflow_home / "logs")
        )
        api.sign_in()
        api.ensure_pools()
        running.start_work()
        api.wait_for_dags([dag_id], seconds=300)
        [supervisor, *_] = json.loads((local.home / "supervisor.json").read_text())
        with Family(supervisor["pid"]) as idle:
            time.sleep(_IDLE)
        with Family(supervisor["pid"]) as busy:
            began = time.perf_counter()
            tasks = api.wait(dag_id, api.trigger(dag_id, conf), lambda *_: None, seconds=WITHIN)
            seconds = time.perf_counter() - began
    except RunFailed as error:
        raise RunFailed(f"{error}\n{_tails(str(error))}") from None
    finally:
        running.stop()
    manifests = [json.loads(path.read_text()) for path in (folder / "landing").rglob("manifest.json")]
    return {
        "rows": sum(table["rows"] for manifest in manifests for table in manifest["tables"].values()),
        "seconds": seconds,
        "cpu_seconds": busy.cpu_seconds,
        "peak_mb": busy.peak_mb,
        "tasks": len(tasks),
        "task_seconds": sum(_seconds(task) for task in tasks),
        "idle_cpu": idle.cpu_seconds / _IDLE,
    }


def _tails(message: str) -> str:
    """The ends of the logs that a failed run names: they are gone with the benchmark's folder."""
    logs = [Path(name) for name in re.findall(r"its log: (\S+)", message)]
    return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs if log.exists())


def _seconds(task: dict[str, Any]) -> float:
    start, end = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    return (end - start).total_seconds()
