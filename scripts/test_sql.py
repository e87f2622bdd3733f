"""Runs the YAML cases of one SQL file, on DuckDB alone, in about a second.

    python -m scripts.test_sql segments/lapsed_buyers

Of the other files only those that it is made from are checked. `make test` runs the cases on PostgreSQL
as well.
"""

from __future__ import annotations

import sys

import duckdb

from kreislauf.places import REPOSITORY
from kreislauf.warehouse.models import Model, ModelError, check_model, load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import CaseError, DuckDBBackend, load_cases, run_case
from scripts.models import find

SQL = REPOSITORY / "include" / "sql"
CASES = REPOSITORY / "tests" / "sql"


def main(arguments: list[str]) -> int:
    """1 when a case fails, or the file or its cases are malformed."""
    if len(arguments) != 1:
        print("name one file: make test-sql segments/lapsed_buyers", file=sys.stderr)
        return 2
    try:
        return _run(arguments[0])
    except (ModelError, CaseError, LookupError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(given: str) -> int:
    models = load_models(SQL, check=False)
    name = find(given, models)
    path = CASES / f"{name.replace('.', '/')}.yaml"
    if not path.is_file():
        raise LookupError(f"there are no cases yet; write {path.relative_to(REPOSITORY)}")
    for needed in _upstream(name, models):
        check_model(models[needed], models)
    schema, backend, failed = Schema(models), DuckDBBackend(), 0
    cases = load_cases(path)
    for case in cases:
        try:
            run_case(case, models[name], schema, backend)
            print(f"ok      {case.name}")
        except (CaseError, duckdb.Error) as error:
            failed += 1
            print(f"FAILED  {case.name}\n{error}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _upstream(name: str, models: dict[str, Model]) -> list[str]:
    """The model and all that it is made from, in the order of `models`."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name in models and name not in found:
            found.add(name)
            waiting += models[name].depends_on
    return [name for name in models if name in found]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
