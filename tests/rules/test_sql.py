"""What every SQL file keeps to: a header, a test, portable SQL, the contract of its layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from kreislauf.warehouse.lint import lint_all
from kreislauf.warehouse.models import load_models

REPOSITORY = Path(__file__).resolve().parents[2]
SQL = REPOSITORY / "include" / "sql"
FILES = sorted(SQL.rglob("*.sql"))


@pytest.fixture(scope="module")
def models():
    return load_models(SQL)


def _name(path: Path) -> str:
    return f"{path.parent.name}.{path.stem}"


def test_portable():
    assert [str(finding) for finding in lint_all(SQL)] == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_has_a_test(path):
    test = REPOSITORY / "tests" / "sql" / path.parent.name / f"{path.stem}.yaml"
    assert test.is_file(), f"write {test.relative_to(REPOSITORY)} with at least one given/expect case"


def test_every_test_has_a_model():
    tests = sorted((REPOSITORY / "tests" / "sql").rglob("*.yaml"))
    assert [t for t in tests if not (SQL / t.parent.name / f"{t.stem}.sql").is_file()] == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_header(path, models):
    model = models[_name(path)]
    assert model.sentence.endswith("."), "the first comment line is a sentence"
    assert model.owner and model.grain
