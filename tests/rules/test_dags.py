"""What every DAG file keeps to. The messages say what to write."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DAGS = REPOSITORY / "dags"
FILES = sorted(DAGS.rglob("*.py"))
TAGS = {"ingest", "build", "flow", "campaign", "send", "maintain"}


def _name(path: Path) -> str:
    return "_".join(path.relative_to(DAGS).with_suffix("").parts)


@pytest.fixture(scope="module")
def dags():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS))
    assert not bag.import_errors, bag.import_errors
    return {path: [dag for dag in bag.dags.values() if Path(dag.fileloc) == path] for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_holds_one_dag_named_as_its_path(path, dags):
    assert [dag.dag_id for dag in dags[path]] == [_name(path)], "dag_id is the path under dags/ joined with _"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_the_docstring_is_the_operators_manual(path, dags):
    (dag,) = dags[path]
    text = (dag.doc_md or "").lower()
    assert len(text) > 300, f"{path}: the docstring tells what, when, what it touches, what to do when red"
    assert "red" in text, f"{path}: say what to do when a task is red"
    assert dag.description, f"{path}: the docstring's first sentence is the description"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_tags_owner_and_schedule(path, dags):
    (dag,) = dags[path]
    assert set(dag.tags) <= TAGS and path.parts[-2] in dag.tags, f"tags are of {sorted(TAGS)}"
    assert dag.catchup is False
    assert all(task.owner != "airflow" for task in dag.tasks), f"{path}: default_args need an owner"
    assert not re.search(r"schedule\s*=\s*[\"']", path.read_text()), f"{path}: pass a timetable class"


def test_all_else_goes_before_the_next_build(dags):
    """A build's task weighs as much as all that wait for it, so its first ones nearly as much as all."""
    (build,) = dags[DAGS / "build" / "warehouse.py"]
    heaviest = sum(task.priority_weight for task in build.tasks)
    for path, (dag,) in dags.items():
        if dag.dag_id != build.dag_id:
            weights = [task.priority_weight for task in dag.tasks]
            assert min(weights) > heaviest, f"{path}: default_args need the DEFAULTS of its kind"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_params_explain_themselves(path, dags):
    (dag,) = dags[path]
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("title") and param.description, f"{path}: {name} needs title and description"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_safe_mode_discovers_the_file(path):
    text = path.read_bytes().lower()
    assert b"airflow" in text and b"dag" in text, f"{path}: without both words Airflow ignores the file"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_parsing_imports_nothing_heavy(path):
    heavy = {"pandas", "great_expectations", "pyarrow", "httpx", "sendgrid", "mjml"}
    imported = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert not imported & heavy, f"{path}: import {imported & heavy} inside the task that needs it"


@pytest.mark.parametrize("path", sorted((DAGS / "flow").glob("*.py")), ids=_name)
def test_a_flow_is_at_most_thirty_lines_of_code(path):
    source = path.read_text()
    docstring = ast.get_docstring(ast.parse(source), clean=False) or ""
    lines = [line for line in source.replace(docstring, "").splitlines() if line.strip()]
    assert len(lines) <= 30
