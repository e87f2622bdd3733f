"""What every SQL file keeps to: a header, portable SQL, the contract of its layer, and a test."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kreislauf.quality.checks import checks_for, load_expectations
from kreislauf.warehouse.lint import lint_all
from kreislauf.warehouse.models import load_models

REPOSITORY = Path(__file__).resolve().parents[2]
SQL = REPOSITORY / "include" / "sql"
FILES = sorted(path for path in SQL.rglob("*") if path.suffix in (".sql", ".py"))


def _name(path: Path) -> str:
    return f"{path.parent.name}.{path.stem}"


def test_follows_the_rules():
    if findings := lint_all(SQL):
        pytest.fail("\n".join(map(str, findings)), pytrace=False)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_has_a_test(path):
    test = REPOSITORY / "tests" / "sql" / path.parent.name / f"{path.stem}.yaml"
    assert test.is_file(), f"write {test.relative_to(REPOSITORY)} with at least one given/expect case"


def test_says_what_it_answers():
    """Tables that people look at name the questions they answer; `make docs` lists them."""
    layers = ("scores", "lifecycle", "audiences", "reports")
    models = load_models(SQL).values()
    assert [m.name for m in models if m.layer in layers and m.is_file and not m.answers] == []


def test_every_test_has_a_model():
    tests = sorted((REPOSITORY / "tests" / "sql").rglob("*.yaml"))
    tested = {path.with_suffix("") for path in FILES}
    assert [test for test in tests if SQL / test.parent.name / test.stem not in tested] == []


def test_expectations_name_what_there_is():
    models = load_models(SQL)
    unknown = set(load_expectations()) - set(models)
    assert not unknown, f"plugins/kreislauf/quality/expectations/ names tables that do not exist: {unknown}"
    assert checks_for(models.values(), datetime(2026, 1, 1, tzinfo=UTC))
