"""What `make segment` and `make flow` write passes every check without a change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import From
from kreislauf.flow import Email, Flow
from kreislauf.warehouse.lint import lint
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import DuckDBBackend, load_cases, run_case
from scripts.new import main, write

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "include", tmp_path / "include")
    return tmp_path


def cases_pass(root: Path, layer: str, name: str) -> None:
    models = load_models(root / "include" / "sql")
    model, schema = models[f"{layer}.{name}"], Schema(models)
    assert lint(model, schema) == []
    cases = load_cases(root / "tests" / "sql" / layer / f"{name}.yaml")
    assert cases
    for case in cases:
        run_case(case, model, schema, DuckDBBackend())


def test_a_segment(root):
    assert len(write("segment", "night_owls", root)) == 2
    cases_pass(root, "segments", "night_owls")


def test_a_flow(root):
    write("flow", "thanks", root)
    cases_pass(root, "triggers", "thanks")
    flow = Flow("thanks", [Email("first", after="1 day")])
    (step,) = flow.resolve(root / "dags" / "flow" / "thanks.py", root / "include")
    sender = From("hello@shop.example", "Shop", "Weg 1, 10115 Berlin", "https://shop.example")
    for language in ("de", "en"):
        parts = Templates(root / "include" / "templates").preview(step.template, language, sender)
        assert parts["subject"] and "unsubscribe" in parts["html"]
    for path in (root / "dags").rglob("*.py"), (root / "tests").rglob("*.py"):
        for file in path:
            compile(file.read_text(), str(file), "exec")


def test_nothing_is_overwritten(root):
    write("flow", "thanks", root)
    (root / "include/sql/triggers/thanks.sql").write_text("mine")
    (root / "dags/flow/thanks.py").unlink()
    with pytest.raises(FileExistsError, match=r"triggers/thanks\.sql"):
        write("flow", "thanks", root)
    assert (root / "include/sql/triggers/thanks.sql").read_text() == "mine"
    assert not (root / "dags/flow/thanks.py").exists()


@pytest.mark.parametrize("name", ["", "Night", "1st", "night-owls", "../x", "a" * 41])
def test_a_name_that_cannot_be_one(root, name):
    with pytest.raises(ValueError, match="cannot be a name"):
        write("segment", name, root)


def test_the_command_says_what_is_wrong(capsys):
    assert main(["segment"]) == 2
    assert main(["segment", "lapsed_buyers"]) == 1
    assert "there is a segment lapsed_buyers already" in capsys.readouterr().err
