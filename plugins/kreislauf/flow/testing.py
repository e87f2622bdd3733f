"""A published build with the rows a test needs, in the columns that the real SQL files give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from kreislauf.places import INCLUDE
from kreislauf.warehouse.engines import BuildInfo, Engine
from kreislauf.warehouse.model import Model
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema

READ_BY_FLOWS = ("conditions", "triggers", "segments", "cleanup")
"""Layers whose tables exist in such a build in any case, empty where no rows are given."""

ALSO_READ = (
    "core.contacts",
    "core.source_freshness",
    "core.visitor_keys",
    "lifecycle.stage",
    "reports.experiments",
    "scores.send_time",
)
DERIVED = ("core.reach", "core.permissions")
"""Tables of such a build that are computed from its contacts, unless rows are given."""


def publish(engine: Engine, as_of: datetime, rows: Mapping[str, list[dict[str, Any]]]) -> BuildInfo:
    """Publish a build whose tables hold exactly `rows`; columns left out are NULL.

    Raises KeyError for a table or a column that the SQL files do not give.
    """
    schema = _schema()
    build = engine.begin_build(as_of)
    people = [{"is_archived": False, **row} for row in rows.get("core.contacts", [])]
    # Nobody has joined an older record, and nothing was decided before this build.
    keys = [
        {"source": "shop", "source_id": name, "record_id": name, "contact_id": name}
        for name in dict.fromkeys(row["contact_id"] for row in people)
    ]
    rows = {"core.contact_keys": keys, "staging.ledger_decisions": [], **rows, "core.contacts": people}
    tables = {*ALSO_READ, *rows} | {name for name in schema if name.split(".")[0] in READ_BY_FLOWS}
    tables |= {name for table in DERIVED for name in _models()[table].depends_on} - set(DERIVED)
    for table in sorted(tables):
        engine.create_table(build, table, rows_as_select(engine.dialect, table, rows.get(table, [])))
    for table in DERIVED:
        if table not in rows:
            engine.create_table(build, table, _models()[table].compile(engine.dialect, as_of))
    engine.publish(build)
    return engine.build(build.build_id)


@cache
def _models() -> dict[str, Model]:
    return load_models(INCLUDE / "sql")


@cache
def _schema() -> Schema:
    return Schema(_models())


def rows_as_select(dialect: str, table: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """A SELECT that gives these rows in the columns of a table. Raises KeyError for a column it lacks."""
    columns = _schema()[table]
    for row in rows:
        if unknown := set(row) - set(columns):
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}; it has {', '.join(columns)}")
    selects = []
    for row in rows or [{}]:
        values = []
        for name, type_ in columns.items():
            type_ = type_.replace("DOUBLE", "DOUBLE PRECISION") if dialect == "postgres" else type_
            values.append(f'cast({_literal(row.get(name))} as {type_}) as "{name}"')
        selects.append(f"select {', '.join(values)}{'' if rows else ' where 1 = 0'}")
    return " union all ".join(selects)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    text = value.isoformat(" ").removesuffix("+00:00") if isinstance(value, datetime) else str(value)
    return "'" + text.replace("'", "''") + "'"
