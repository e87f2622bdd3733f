"""The few calls of Airflow's REST API that the local commands need."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

POOLS = {"shop_api": 2, "crm_api": 2, "mail_api": 2, "warehouse": 16}
"""Pools by name and slots: how many tasks may talk to one API at a time."""

PAGE = 100
"""The most that Airflow gives at once."""

ACTIVE = frozenset({"queued", "running"})


class RunFailed(RuntimeError):
    """A DAG run failed; the message names each failed task and its log."""


class AirflowApi:
    """A signed-in client."""

    def __init__(self, url: str, password: str, logs: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v2", timeout=60)
        self._url, self._password, self._logs = url, password, logs

    def sign_in(self) -> None:
        answer = httpx.post(
            f"{self._url}/auth/token", json={"username": "admin", "password": self._password}, timeout=30
        )
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> Any:
        return self._patiently("GET", path, params=params).raise_for_status().json()

    def _patiently(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer to a request that may be repeated, and is while SQLite is busy."""
        for wait in (2, 5, 15):
            with contextlib.suppress(httpx.TransportError):
                answer = self._client.request(method, path, **more)
                if not answer.is_server_error:
                    return answer
            time.sleep(wait)
        return self._client.request(method, path, **more)

    def ensure_pools(self) -> None:
        present = {pool["name"] for pool in self.get("/pools")["pools"]}
        for name, slots in POOLS.items():
            if name not in present:
                self._client.post("/pools", json={"name": name, "slots": slots}).raise_for_status()

    def wait_for_dags(self, dag_ids: list[str], seconds: float = 120) -> None:
        """Wait until the DAG processor has read all of them.

        Raises RunFailed with Airflow's import errors, or with the DAGs that are missing.
        """
        deadline = time.monotonic() + seconds
        missing = set(dag_ids)
        while missing and time.monotonic() < deadline:
            present = {dag["dag_id"] for dag in self.get("/dags", limit=100)["dags"]}
            missing = set(dag_ids) - present
            if missing:
                time.sleep(0.5)
        errors = self.get("/importErrors")["import_errors"]
        if errors:
            raise RunFailed("\n".join(f"{e['filename']}: {e['stack_trace']}" for e in errors))
        if missing:
            raise RunFailed(f"Airflow did not find {', '.join(sorted(missing))} within {seconds:.0f} s")

    def pause(self, dag_id: str, is_paused: bool) -> None:
        """Switch a DAG off, or on again."""
        self._patiently("PATCH", f"/dags/{dag_id}", json={"is_paused": is_paused}).raise_for_status()

    def trigger(self, dag_id: str, conf: dict[str, Any], since: str | None = None) -> str:
        """Start a run; its id. One that counts as waiting `since` an earlier moment goes before others."""
        run_id = f"manual__{datetime.now(UTC).isoformat()}"
        run = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        if since:
            run["run_after"] = since
        # The id keeps a second run from being made.
        answer = self._patiently("POST", f"/dags/{dag_id}/dagRuns", json=run, timeout=180)
        if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
            raise RunFailed(f"{dag_id} could not be started: {answer.text}")
        return run_id

    def runs_since(self, dag_id: str, moment: str) -> list[str]:
        """Ids of the DAG's runs that were queued at or after `moment` (ISO 8601), oldest first."""
        runs = self.get(f"/dags/{dag_id}/dagRuns", order_by="-run_after", limit=50)["dag_runs"]
        return [
            run["dag_run_id"] for run in reversed(runs) if run["queued_at"] and run["queued_at"] >= moment
        ]

    def active(self, dag_id: str) -> list[str]:
        """Ids of the DAG's runs that have not ended, oldest first."""
        found = self.get(f"/dags/{dag_id}/dagRuns", order_by="run_after", limit=PAGE, state=sorted(ACTIVE))
        return [run["dag_run_id"] for run in found["dag_runs"]]

    def fail_leftovers(self) -> int:
        """Mark all runs that a killed command left active as failed; how many. No scheduler may run."""
        count = 0
        while runs := self.get("/dags/~/dagRuns", limit=PAGE, state=sorted(ACTIVE))["dag_runs"]:
            for run in runs:
                path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
                # Each of a build's hundreds of tasks is looked at.
                failed = self._patiently("PATCH", path, json={"state": "failed"}, timeout=180)
                failed.raise_for_status()
            count += len(runs)
        return count

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(
                f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances",
                limit=PAGE, offset=len(found), order_by="id",
            )  # fmt: skip
            found += page["task_instances"]
            if len(found) >= page["total_entries"]:
                return found

    def wait(
        self, dag_id: str, run_id: str, progress: Callable[[str, int, int], None], seconds: float = 900
    ) -> list[dict[str, Any]]:
        """Wait for a run's end and give its task instances.

        Raises RunFailed when the run fails, when a task has failed and waits for its retry, or
        when the run takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
            tasks = self.tasks(dag_id, run_id)
            failed = [task for task in tasks if task["state"] in ("failed", "up_for_retry")]
            if state == "failed" or failed:
                raise RunFailed(self._tell(dag_id, run_id, failed))
            progress(dag_id, sum(task["state"] in ("success", "skipped") for task in tasks), len(tasks))
            if state == "success":
                return tasks
            time.sleep(0.5)
        raise RunFailed(f"{dag_id} {run_id} did not end within {seconds:.0f} s; look at {self._url}")

    def _tell(self, dag_id: str, run_id: str, failed: list[dict[str, Any]]) -> str:
        lines = [f"{dag_id} failed (run {run_id})"]
        for task in failed:
            log = (
                f"{self._logs}/dag_id={dag_id}/run_id={run_id}/task_id={task['task_id']}/"
                f"attempt={max(task['try_number'], 1)}.log"
            )
            lines.append(f"  task {task['task_id']}: {task['state']}; its log: {log}")
        return "\n".join(lines)
