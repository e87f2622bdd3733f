"""Which rules a table has, and how a wrongly declared one is reported."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kreislauf.connections import Connection
from kreislauf.quality.audit import count_breaches
from kreislauf.quality.checks import ExpectationError, checks_for, load_expectations
from kreislauf.warehouse.engines import Engine, engine_for
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema

SQL = Path(__file__).parents[4] / "include" / "sql"
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def models():
    return load_models(SQL)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return engine_for(Connection("warehouse", "duckdb", host=str(tmp_path)))


def test_every_table_has_the_rules_that_need_no_declaration(models):
    titles = {check.title for check in checks_for(models.values(), AS_OF)}
    for model in models.values():
        assert f"{model.name}: {', '.join(model.grain)} is unique" in titles
        assert f"{model.name}: {', '.join(model.grain)} is not null" in titles
        assert f"{model.name}: rows did not collapse" in titles
    assert "segments.champions: contact_id is in core.contacts" in titles
    assert len(titles) == len(checks_for(models.values(), AS_OF)), "two rules of one title"


def test_the_declared_rules_fit_the_models(models, engine):
    assert set(load_expectations()) <= set(models)
    build, schema = engine.begin_build(AS_OF), Schema(models)
    engine.load_raw(build, [])
    for model in models.values():
        empty = ", ".join(f"cast(null as {type}) as {column}" for column, type in schema[model.name].items())
        engine.create_table(build, model.name, f"select {empty} where false")

    counts = count_breaches(engine, build, checks_for(models.values(), AS_OF))

    assert set(counts.values()) == {0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("core.contacts: {check: range}", "a list of checks"),
        ("core.contacts:\n  - {check: rnge, column: x}", "check is one of"),
        ("core.contacts:\n  - {check: range, column: x, severity: fatal}", "severity is error or warn"),
        ("core.contacts:\n  - {check: range, colum: x}", "colum"),
        ("core.contacts:\n  - {check: not_null, columns: [emial]}", "no column emial; it has contact_id"),
    ],
)
def test_a_wrong_declaration_names_file_and_table(models, tmp_path, text, message):
    (tmp_path / "core.yaml").write_text(text)
    with pytest.raises(ExpectationError, match=message) as caught:
        checks_for([models["core.contacts"]], AS_OF, tmp_path)
    assert "core.yaml: core.contacts" in str(caught.value)


def test_what_is_not_yaml_is_named(tmp_path):
    (tmp_path / "core.yaml").write_text("core.contacts:\n  - {check: range")
    with pytest.raises(ExpectationError, match=r"core\.yaml is not YAML"):
        load_expectations(tmp_path)


def test_lifted_suppressions_do_not_stop_a_build(models):
    [rows] = [check for check in checks_for([models["core.suppressions"]], AS_OF) if check.keep is not None]
    assert rows.severity == "warn"


def test_a_declared_share_takes_the_place_of_the_default(models, tmp_path):
    (tmp_path / "core.yaml").write_text("core.orders:\n  - {check: rows, keep: 0.1, severity: warn}")
    found = [
        check for check in checks_for([models["core.orders"]], AS_OF, tmp_path) if check.keep is not None
    ]
    assert [(check.keep, check.severity) for check in found] == [(0.1, "warn")]


def test_a_visitor_nobody_knows_yet_is_a_person_too(models, engine):
    """Of the declared tables only: everywhere else a contact_id is a contact's."""
    build, schema = engine.begin_build(AS_OF), Schema(models)
    given = {
        "core.contacts": [{"contact_id": "shop-1"}],
        "core.visitors": [{"visitor_id": "v-1"}],
        "triggers.visitor_lingered": [
            {"contact_id": name, "occurrence_id": name} for name in ("shop-1", "v-1", "v-2")
        ],
    }
    for table, rows in given.items():
        selects = [
            "select "
            + ", ".join(
                f"cast({_text(row.get(name))} as {type}) as {name}" for name, type in schema[table].items()
            )
            for row in rows
        ]
        engine.create_table(build, table, " union all ".join(selects))

    lingered = [check for check in checks_for([models["triggers.visitor_lingered"]], AS_OF) if check.count]
    counts = count_breaches(engine, build, lingered)

    broken = {title: count for title, count in counts.items() if count and "core.contacts" in title}
    assert broken == {"triggers.visitor_lingered: contact_id is in core.contacts or core.visitors": 1}


def _text(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
