"""The benchmark runs at any size, checks its own results, and leaves nothing behind. No seconds here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kreislauf.warehouse.models import load_models
from scripts.bench.__main__ import STAGES, main

SIZE = 120
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run of everything: its exit code, what it printed, its figures, what it left."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("bench")
    report = folder / "figures.json"
    left = folder / "left"
    left.mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setattr("tempfile.tempdir", str(left))
        code = main([str(SIZE), "--json", str(report), "-v"])
    return {
        "code": code,
        "printed": printed.getvalue(),
        "steps": json.loads(report.read_text())["steps"],
        "left": list(left.iterdir()),
    }


def test_ends_well_and_leaves_nothing(outcome: dict[str, Any]) -> None:
    assert outcome["code"] == 0
    assert outcome["left"] == []


def test_every_step_is_measured_and_listed(outcome: dict[str, Any]) -> None:
    for _, steps in STAGES.values():
        for step in (step for step in steps if step.is_possible):  # dbt only where `make bench` set it up
            found = outcome["steps"][step.name]
            assert found["rows"] > 0, step.name
            assert found["seconds"] > 0, step.name
            assert found["peak_mb"] > 1, step.name
            assert step.title in outcome["printed"] or not step.is_listed
            assert {other.name for other in steps} >= set(step.against)


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
    assert steps["build.later"]["rows"] > steps["build.full"]["rows"]


def test_plans_once_and_sends_what_was_planned(outcome: dict[str, Any]) -> None:
    steps = outcome["steps"]
    assert steps["plan.first"]["decisions"] == {"planned": SIZE}
    assert steps["plan.again"]["decisions"] == {"decided_before": SIZE}
    assert steps["plan.floor"]["rows"] == steps["send.batched"]["rows"] == SIZE
    assert steps["send.batched"]["requests"] == 2  # one for each language
    assert steps["send.single"]["requests"] == SIZE


def test_a_step_that_fails_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(STAGES, "send", ("messages", [STAGES["send"][1][3]]))  # nothing recorded to post
    assert main([str(SIZE), "--only", "send"]) == 1
    assert "send.floor failed" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_size_that_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["5"])
    assert "at least 100" in capsys.readouterr().err
