"""The benchmark runs at any size, checks its own results, and leaves nothing behind. No seconds here."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kreislauf.flow.files import FOLDER
from kreislauf.warehouse.models import load_models
from scripts.bench import alone, plan, report, send, stages
from scripts.bench.__main__ import main
from scripts.bench.family import Family
from scripts.bench.measure import Stopwatch
from scripts.bench.stages import STAGES, Stage, Step

SIZE = 1_000
"""Few, but enough for every flow to have something to decide."""
REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(1200)  # the first test runs the whole benchmark


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run of everything: its exit code, what it printed, its figures, what it left."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("bench")
    figures = folder / "figures.json"
    left = folder / "left"
    left.mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setattr("tempfile.tempdir", str(left))
        # The conformance tests build on PostgreSQL already.
        steps = tuple(replace(s, most=1) if s.name == "postgres.full" else s for s in STAGES["build"].steps)
        patch.setitem(STAGES, "build", replace(STAGES["build"], steps=steps))
        code = main([str(SIZE), "--json", str(figures), "-v"])
    return {
        "code": code,
        "printed": printed.getvalue(),
        "steps": json.loads(figures.read_text())["runs"][0]["steps"],
        "left": list(left.iterdir()),
    }


def test_ends_well_and_leaves_nothing(outcome: dict[str, Any]) -> None:
    assert outcome["code"] == 0
    assert outcome["left"] == []


def test_every_step_is_measured_and_listed_or_said_to_be_left_out(outcome: dict[str, Any]) -> None:
    for stage in (stage for stage in STAGES.values() if stage.is_default):
        for step in stage.steps:
            assert {other.name for other in stage.steps} >= set(step.against)
            assert step.title in outcome["printed"] or not step.is_listed
            if step.name == "postgres.full" or step.left_out(SIZE):  # dbt only where `make bench` set it up
                assert f"{step.title} is left out: " in outcome["printed"]
                continue
            found = outcome["steps"][step.name]
            assert found["rows"] > 0, step.name
            assert found["seconds"] > 0, step.name
            assert found["peak_mb"] > 1, step.name
    assert "\nairflow (raw rows to all tables, in Airflow) is left out" in outcome["printed"]


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stages, "VENV", tmp_path / ".venv-bench")
    step = Step("dbt.run", "dbt", needs="dbt", most=500)
    assert step.left_out(100) == ".venv-bench has no dbt; `make bench` sets it up"
    (tmp_path / ".venv-bench" / "bin").mkdir(parents=True)
    (tmp_path / ".venv-bench" / "bin" / "dbt").touch(mode=0o755)
    assert step.left_out(500) is None
    assert step.left_out(501) == "it is measured up to 500 contacts"


def test_builds_every_model_from_contacts_of_the_size_asked_for(outcome: dict[str, Any]) -> None:
    models = {model["model"]: model for model in outcome["steps"]["build.full"]["models"]}
    assert set(models) == set(load_models(REPOSITORY / "include" / "sql"))
    assert models["core.contacts"]["rows"] == SIZE
    assert models["core.orders"]["rows"] == SIZE
    assert models["core.order_items"]["rows"] == 2 * SIZE
    for name in ("scores.rfm", "scores.lead_score", "lifecycle.stage", "triggers.cart_abandoned"):
        assert models[name]["rows"] > 0, name
    assert all(model["floor_seconds"] > 0 for model in models.values())


def test_a_build_of_the_same_moment_takes_everything_over(outcome: dict[str, Any]) -> None:
    steps = outcome["steps"]
    assert steps["build.again"]["taken_over"] == len(steps["build.again"]["models"])
    assert steps["build.later"]["rows"] > steps["build.recorded"]["rows"] > steps["build.full"]["rows"]
    by_name = {model["model"]: model["rows"] for model in steps["build.recorded"]["models"]}
    assert by_name["reports.membership_changes"] == 0 < by_name["reports.membership_history"]
    assert steps["build.later"]["taken_over"] + steps["build.later"]["in_part"] <= len(
        steps["build.later"]["models"]
    )


def test_plans_once_and_sends_what_was_planned(outcome: dict[str, Any]) -> None:
    steps = outcome["steps"]
    first, again = steps["plan.first"], steps["plan.again"]
    assert [flow["flow"] for flow in first["flows"]] == sorted(path.stem for path in FOLDER.glob("*.py"))
    assert sum(flow["rows"] for flow in first["flows"]) == first["rows"] == sum(first["decisions"].values())
    assert (
        first["rows"] == again["rows"] == steps["plan.floor"]["rows"] == steps["plan.read_candidates"]["rows"]
    )
    assert first["decisions"]["planned"] > 0 == again["decisions"].get("planned", 0)
    assert "  post_purchase  " in outcome["printed"]
    assert steps["audience.plan"]["rows"] == steps["send.batched"]["rows"] == SIZE
    assert steps["send.batched"]["requests"] == 2  # one for each language
    assert steps["send.single"]["requests"] == steps["send.naive"]["rows"] == SIZE


def test_the_naive_loop_sends_what_the_batches_send() -> None:
    mail = {
        "from": {"email": "hello@shop.example"},
        "subject": "Hello -name-",
        "content": [{"type": "text/plain", "value": "-name-: -link-"}],
    }
    person = {"to": [{"email": "ada@example.com"}], "substitutions": {"-name-": "Ada", "-link-": "https://x"}}
    assert send.filled_in(mail, person) == mail | {
        "subject": "Hello Ada",
        "content": [{"type": "text/plain", "value": "Ada: https://x"}],
        "personalizations": [{"to": [{"email": "ada@example.com"}]}],
    }


def test_each_flow_has_something_to_decide(outcome: dict[str, Any]) -> None:
    # One whose trigger never fires here would be measured as free.
    rows = {flow["flow"]: flow["rows"] for flow in outcome["steps"]["plan.first"]["flows"]}
    assert {flow for flow in rows if not rows[flow]} == set()


def test_planning_again_may_add_no_decision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / plan.LEDGER) as ledger:
        ledger.execute("create table decision (reason)")
        ledger.execute("insert into decision values ('run_cap')")

    def decide_as(added: int, planned: int) -> None:
        def each(*_: Any) -> dict[str, Any]:
            with sqlite3.connect(tmp_path / plan.LEDGER) as ledger:
                ledger.executemany("insert into decision values (?)", [("planned",)] * added)
            return {"rows": 1, "decisions": {"planned": planned}}

        monkeypatch.setattr(plan, "_each", each)

    decide_as(added=0, planned=1)  # what a run had no room for comes with the next
    assert plan.again(tmp_path, 1)["rows"] == 1
    decide_as(added=0, planned=2)
    with pytest.raises(RuntimeError, match="added 0 decisions and 2 messages"):
        plan.again(tmp_path, 1)
    decide_as(added=1, planned=0)
    with pytest.raises(RuntimeError, match="added 1 decisions and 0 messages"):
        plan.again(tmp_path, 1)


def test_pandas_gives_the_rows_of_the_models(outcome: dict[str, Any]) -> None:
    steps = outcome["steps"]
    for name in ("purchase_history", "rfm", "cohort_retention"):  # compared value by value by the step itself
        assert steps[f"frames.{name}"]["rows"] == steps[f"alone.{name}"]["rows"] > 0


def test_pandas_with_other_rows_is_no_comparison(tmp_path: Path) -> None:
    table = tmp_path / "table" / "part"
    table.mkdir(parents=True)
    path = tmp_path / "result.parquet"
    pq.write_table(pa.table({"id": [1, 2, 2]}), table / "0.parquet")
    pq.write_table(pa.table({"id": [1, 1, 2]}), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "table_folder", lambda folder, name: folder / "table")
        with pytest.raises(RuntimeError, match=r"scores\.rfm: 2 rows are not those of the build"):
            alone.checked(tmp_path, "scores.rfm", path, Stopwatch())
        pq.write_table(pa.table({"id": [2, 1, 2]}), path)
        assert alone.checked(tmp_path, "scores.rfm", path, Stopwatch())["rows"] == 3


def test_growth_is_told_of_what_was_asked_for_and_has_grown(capsys: pytest.CaptureFixture[str]) -> None:
    def figures(size: int) -> dict[str, dict[str, Any]]:
        cost = {"cpu_seconds": size / 1e3}
        models = [{"model": "core.contacts", **cost}]
        return {
            "build.full": {"rows": size, "models": models, **cost},
            "send.batched": {"rows": size, **cost},
            "send.naive": {"rows": 1000, **cost},
        }

    runs = {size: figures(size) for size in (1_000, 10_000)}
    report.print_growth(runs, ["send"], is_verbose=True)
    printed = capsys.readouterr().out
    assert "1,000 a request" in printed
    assert not any(words in printed for words in ("full build", "core.contacts", "naive"))
    report.print_growth(runs, ["build"], is_verbose=True)
    printed = capsys.readouterr().out
    assert "full build" in printed and "core.contacts" in printed and "1,000 a request" not in printed


def test_growth_is_the_slope_between_neighbouring_sizes() -> None:
    sizes = [100, 1_000, 10_000]
    assert report.exponent(sizes, [1.0, 10.0, 1000.0], 1) == pytest.approx(1)
    assert report.exponent(sizes, [1.0, 10.0, 1000.0], 2) == pytest.approx(2)
    assert report.exponent(sizes, [None, 10.0, 1000.0], 1) is None


def test_targets_are_met_or_missed_by_seconds_and_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    def figures(cpu: float) -> dict[str, Any]:
        full = {"seconds": 8.0, "cpu_seconds": cpu, "peak_mb": 1500.0, "models": []}
        return {"build.full": full, "build.floor": {"seconds": 4.0, "cpu_seconds": 1.0, "peak_mb": 100.0}}

    report.print_targets({1_000: figures(1), 10_000: figures(20)})
    lines = {line[2:38].strip(): line[38:].split() for line in capsys.readouterr().out.splitlines()[2:]}
    assert lines["full build / floor"] == ["3", "2.00", "20.00", "met", "(MISSED)"]
    assert lines["full build / dbt"] == ["1", "not", "measured"]
    assert lines["peak memory of a full build, MB"] == ["1024", "1,500", "MISSED"]
    assert lines["peak memory of planning, MB"] == ["1024", "not", "measured"]
    assert lines["growth 1,000 to 10,000"] == ["1.1", "1.30", "MISSED"]


def test_a_family_counts_the_work_of_children_that_have_ended() -> None:
    with subprocess.Popen(["sleep", "30"]) as process:
        try:
            with Family(process.pid) as idle:
                pass
        finally:
            process.kill()
    assert idle.cpu_seconds == 0
    busy = "import time\nwhile time.process_time() < 0.4: pass"  # counted in ticks of ten milliseconds
    with Family(os.getpid()) as family:
        subprocess.run([sys.executable, "-c", busy], check=True)
    assert family.cpu_seconds >= 0.3
    assert family.peak_mb > 1


def test_a_step_that_fails_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    nothing_recorded = tuple(step for step in STAGES["send"].steps if step.name == "send.floor")
    monkeypatch.setitem(STAGES, "send", Stage("messages", nothing_recorded))
    assert main([str(SIZE), "--only", "send"]) == 1
    assert "send.floor failed" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_has_told_what_it_measured(tmp_path: Path) -> None:
    printed, figures, left = (tmp_path / name for name in ("printed.txt", "figures.json", "left"))
    left.mkdir()
    command = [
        sys.executable,
        "-m",
        "scripts.bench",
        str(SIZE),
        "--only",
        "land",
        "send",
        "--json",
        str(figures),
    ]
    paths = os.pathsep.join((str(REPOSITORY / "plugins"), str(REPOSITORY)))
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(left)}
    with (
        printed.open("wb") as file,
        subprocess.Popen(
            command, stdout=file, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment
        ) as process,
    ):
        told = []
        for line in process.stderr:  # type: ignore[union-attr]
            told.append(line.strip())
            if line.endswith("send: plan them: a message to each\n"):
                before = printed.read_text()
                while not list(left.glob("*/warm-plan.db")):  # not in the moment between fork and exec
                    time.sleep(0.01)
                process.terminate()
    assert "\nland: orders of two lines" in before and "typed load" in before
    assert process.returncode == 130
    assert printed.read_text().startswith(before)
    assert "plan them: a message to each is left out: the run ended before" in printed.read_text()
    steps = json.loads(figures.read_text())["runs"][0]["steps"]
    assert list(steps) == [*(step.name for step in STAGES["land"].steps), "audience.generate"]
    assert f"{steps['land.typed_load']['peak_mb']:.0f} MB" in told[3]
    assert list(left.iterdir()) == []


def test_refuses_a_size_that_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["5"])
    assert "at least 100" in capsys.readouterr().err
