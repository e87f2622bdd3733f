"""What `make segment` and `make flow` write passes every check without a change."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a newcomer has it, to be written into."""
    root = tmp_path_factory.mktemp("newcomer") / "kreislauf"
    left_out = shutil.ignore_patterns(".git", ".venv*", "var", ".*_cache", "__pycache__", "tables")
    shutil.copytree(REPOSITORY, root, ignore=left_out)
    (root / ".venv").symlink_to((REPOSITORY / ".venv").resolve())
    return root


def run(root: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {"KREISLAUF_HOME": str(root / "var"), "PYTHONPATH": "plugins"}
    ran = subprocess.run(
        command, cwd=root, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def test_the_walk_through_of_the_docs(copy):
    """Its commands, one after the other; and all that `make check` asks of the new files."""
    guide = (REPOSITORY / "docs" / "flows" / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"```\n(.*?)```", guide, re.S)[0].splitlines()
    assert commands[0] == "make flow name=thanks" and commands[-1] == "make check"
    said = ""
    for command in commands[:-1]:
        said += run(copy, "make", "--assume-old=.venv/.ready", *command.split()[1:])
    written = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert len(written) == 6 and all(f"`{path}`" in guide or "first.en" in path for path in written)
    assert "docs/flows/thanks.md" in said
    assert "var/preview/thanks/index.html" in said
    assert (copy / "var" / "preview" / "thanks" / "index.html").stat().st_mode & 0o777 == 0o600
    assert "[thanks](thanks.md)" in (copy / "docs" / "flows" / "README.md").read_text()

    python = str(copy / ".venv" / "bin" / "python")
    files = [path for path in written if path.endswith(".py")]
    run(copy, python, "-m", "ruff", "check", *files)
    run(copy, python, "-m", "ruff", "format", "--check", *files)
    run(copy, python, "-m", "sqlfluff", "lint", "include/sql/triggers/thanks.sql")
    cases_pass(copy, "triggers", "thanks")
    run(copy, python, "-m", "scripts.docs", "--check")
    run(copy, python, "-m", "pytest", "-q", "tests/templates", "-k", "thanks")


def test_the_journey_of_a_new_flow(copy):
    if not (copy / "dags" / "flow" / "thanks.py").exists():
        write("flow", "thanks", copy)
    run(copy, str(copy / ".venv" / "bin" / "python"), "-m", "pytest", "-q", "tests/dags/flow/test_thanks.py")


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
