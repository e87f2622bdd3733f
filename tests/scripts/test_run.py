"""Which runs the circuit waits for when a full hour starts some of its own."""

from __future__ import annotations

import pytest

from scripts import run
from scripts.run import Circuit, Clock


class Airflow:
    """Runs by id, each with when it was queued; `after` names the runs that start when one has ended."""

    def __init__(self, active: dict[str, str], after: dict[str, dict[str, str]] | None = None) -> None:
        self.runs, self._active, self._after = dict(active), list(active), after or {}
        self.waited_for: list[str] = []
        self.triggered = 0

    def runs_since(self, _dag_id: str, moment: str) -> list[str]:
        return [run_id for run_id, queued_at in self.runs.items() if queued_at >= moment]

    def active(self, _dag_id: str) -> list[str]:
        return list(self._active)

    def trigger(self, _dag_id: str, _conf: dict) -> str:
        self.triggered += 1
        return "by hand"

    def wait(self, _dag_id: str, run_id: str, _tick) -> list[dict]:
        self.waited_for.append(run_id)
        if run_id in self._active:
            self._active.remove(run_id)
        for started, queued_at in self._after.get(run_id, {}).items():
            self.runs[started] = queued_at
        return [{"task_id": "publish", "end_date": run_id}]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PATIENCE", 0.2)


def finish(airflow: Airflow) -> list[dict]:
    circuit = Circuit(None, airflow, {}, Clock())  # type: ignore[arg-type]
    return circuit._finish_triggered("build_warehouse", "08:05")


def test_a_run_that_the_assets_have_started_since_is_waited_for():
    airflow = Airflow({"ours": "08:06"})
    assert finish(airflow) == [{"task_id": "publish", "end_date": "ours"}]
    assert (airflow.waited_for, airflow.triggered) == (["ours"], 0)


def test_the_hours_run_ends_first_and_is_not_taken_for_ours():
    airflow = Airflow({"the hour's": "08:00"}, {"the hour's": {"ours": "08:09"}})
    assert finish(airflow) == [{"task_id": "publish", "end_date": "ours"}]
    assert (airflow.waited_for, airflow.triggered) == (["the hour's", "ours"], 0)


def test_where_the_hour_has_used_up_the_assets_the_run_is_started_by_hand():
    airflow = Airflow({"the hour's": "08:04"})
    finish(airflow)
    assert (airflow.waited_for, airflow.triggered) == (["the hour's", "by hand"], 1)
