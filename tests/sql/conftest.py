"""Collects the YAML cases of the SQL models: each runs on DuckDB and on PostgreSQL.

`tests/sql/segments/lapsed_buyers.yaml` tests `include/sql/segments/lapsed_buyers.sql`; the format is
described in `kreislauf.warehouse.testing`. Each file is run without any rows as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pytest

from kreislauf.warehouse.models import Model, ModelError, load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import (
    Backend,
    Case,
    CaseError,
    DuckDBBackend,
    PostgresBackend,
    given_tables,
    load_cases,
    postgres_server,
    run_case,
)

SQL = Path(__file__).parents[2] / "include" / "sql"
ENGINES = ("duckdb", "postgres")


class Workbench:
    """The models, their schema and the engines, each made when the first case asks for it."""

    def __init__(self) -> None:
        self.resources = ExitStack()

    @cached_property
    def models(self) -> dict[str, Model]:
        return load_models(SQL)

    @cached_property
    def schema(self) -> Schema:
        return Schema(self.models)

    @cached_property
    def duckdb(self) -> Backend:
        return DuckDBBackend()

    @cached_property
    def postgres(self) -> Backend:
        backend = PostgresBackend(self.resources.enter_context(postgres_server()))
        self.resources.callback(backend.close)
        return backend


BENCH = pytest.StashKey[Workbench]()


def pytest_configure(config: pytest.Config) -> None:
    bench = config.stash[BENCH] = Workbench()
    config.add_cleanup(bench.resources.close)


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    if file_path.suffix == ".yaml":
        return ModelFile.from_parent(parent, path=file_path)
    return None


class ModelFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield WithoutRows.from_parent(self, name="without any rows")
        for case in load_cases(self.path):
            for engine in ENGINES:
                yield ModelCase.from_parent(self, name=f"{case.name} [{engine}]", case=case, engine=engine)


class ModelItem(pytest.Item):
    """Something that is asked of the model beside whose SQL file this one is."""

    @property
    def bench(self) -> Workbench:
        return self.config.stash[BENCH]

    @property
    def model(self) -> Model:
        name = f"{self.path.parent.name}.{self.path.stem}"
        if name not in self.bench.models:
            raise CaseError(
                f"{self.path}: there is no model {name} (include/sql/{name.replace('.', '/')}.sql)"
            )
        return self.bench.models[name]

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, CaseError | ModelError):
            return f"{self.path}\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, self.name


class ModelCase(ModelItem):
    def __init__(self, *, case: Case, engine: str, **kwargs):
        super().__init__(**kwargs)
        self.case, self.engine = case, engine

    def runtest(self) -> None:
        run_case(self.case, self.model, self.bench.schema, getattr(self.bench, self.engine))


class WithoutRows(ModelItem):
    """On the first day every source is empty: a model must run then, and say the same on both engines."""

    def runtest(self) -> None:
        model, schema = self.model, self.bench.schema
        if not model.is_file:
            pytest.skip("made in Python")
        case = Case(self.name, Schema.AS_OF, given={}, expect=[])
        tables = given_tables(case, model, schema)
        _, rows = self.bench.duckdb.run(tables, model.compile("duckdb", case.as_of))
        for row in rows:
            if None in (row[column] for column in model.grain):
                raise CaseError(f"{model.name}: {self.name}: a row without a key: {row}")
        run_case(replace(case, expect=rows), model, schema, self.bench.postgres)
