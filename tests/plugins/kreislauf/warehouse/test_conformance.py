"""The same tables from DuckDB and from PostgreSQL, whatever models there are.

Raw rows are drawn from few values, so that keys meet, versions pile up, ties and NULLs occur; what a
model makes of them need not be sensible, only equal.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kreislauf.sources.streams import STREAMS, Table
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.raw import raw_columns

SQL = Path(__file__).parents[4] / "include" / "sql"
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 120

WORDS = {
    "email_marketing_state": ["SUBSCRIBED", "PENDING", "UNSUBSCRIBED", "NOT_SUBSCRIBED"],
    "email_marketing_opt_in_level": ["CONFIRMED_OPT_IN", "SINGLE_OPT_IN"],
    "salutation": ["Frau", "Herr", "Mr.", "x"],
    "locale": ["de", "en-GB", "de-AT", "fr"],
    "hs_language": ["de", "en-us"],
    "language": ["de", "en-us", "de-de"],
    "country": ["Germany", "Deutschland", "GB", "at", "Österreich"],
    "country_code": ["DE", "AT", "CH", "GB", "US"],
    "currency": ["EUR", "CHF"],
    "lifecycle_stage": ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "customer"],
    "lead_status": ["NEW", "OPEN", "UNQUALIFIED"],
    "deal_stage": ["appointmentscheduled", "closedwon", "closedlost"],
    "event_type": [
        "page_view", "product_view", "cart_add", "search", "content_download", "form_submit",
        "delivered", "open", "click", "bounce", "dropped", "spamreport", "unsubscribe", "processed",
    ],
    "bounce_type": ["bounce", "blocked"],
    "state": ["planned", "claimed", "accepted", "rejected", "in_doubt"],
    "reason": ["planned", "hard_bounce", "opt_out", "complaint", "soft_bounce", "not_due"],
    "flow": ["welcome", "abandoned_cart"],
    "note": ["C536365", "", "damaged"],
    "topic": ["boots", "Zelte"],
    "title": ["Zelt", "zelt", "Äxte", "Boot"],
}  # fmt: skip


def random_rows(draw: random.Random) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {}
    for stream in STREAMS:
        parents: list[dict[str, Any]] = []
        for name, table in stream.tables.items():
            rows = []
            for line in range(1, ROWS + 1):
                row = draw_row(draw, name, table)
                row |= {"_run": "r1", "_line": line, "_extracted_at": datetime(2026, 1, 1)}
                if table.explode:
                    parent = draw.choice(parents)
                    shared = [key for key in row if key.endswith("_id") and key in parent]
                    row |= {key: parent[key] for key in ["_run", "_line", "_extracted_at", *shared]}
                    row["_child"] = line
                rows.append(row)
            parents = parents or rows
            tables[name] = rows
    return tables


def draw_row(draw: random.Random, name: str, table: Table) -> dict[str, Any]:
    types = raw_columns()[name]
    row = {column: value(draw, column, type) for column, type in types.items()}
    for key in (key for key, column in table.columns.items() if column.required):
        if key.endswith(("_id", "_key")):
            row[key] = key_value(draw, name, key)
        while row[key] is None:
            row[key] = value(draw, key, types[key])
    return row


def key_value(draw: random.Random, table: str, column: str) -> str:
    own = column == next(iter(raw_columns()[table]))
    return str(draw.randint(1, ROWS // 2 if own else 40))


def draw_moment(draw: random.Random) -> datetime:
    # Few distinct moments make ties; some lie after as_of.
    return datetime(2024, 12, 1) + timedelta(days=draw.randint(0, 420), hours=draw.choice([0, 0, 7]))


def value(draw: random.Random, column: str, type: str) -> Any:
    if draw.random() < 0.15:
        return None
    if type == "TIMESTAMP":
        return draw_moment(draw)
    if type == "BOOLEAN":
        return draw.random() < 0.3
    if type == "BIGINT":
        return draw.randint(0, 4)
    if type.startswith("DECIMAL"):
        return Decimal(draw.randint(-500, 20000)) / 100
    if column in WORDS:
        return draw.choice(WORDS[column])
    if "email" in column:
        n = draw.randint(1, 50)
        one, next_one = f"p{n}@example.org", f"p{n + 1}@example.org"
        return draw.choice([one, f" {one.upper()} ", f"p{n}@example", f"{one};{next_one}"])
    if column.endswith(("_id", "_ids")):
        return str(draw.randint(1, 40))
    return draw.choice(["ä", "Ä", "a b", "Z", ""])


@pytest.mark.parametrize("seed", [1, 2])
def test_every_model_gives_the_same_rows_on_both_engines(parquet_engine, postgres_engine, land, seed):
    draw = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    manifests = [
        land(name, rows, run=f"r{i}-{name}") for i, (name, rows) in enumerate(random_rows(draw).items())
    ]
    models = load_models(SQL)
    builds = {}
    for engine in (parquet_engine, postgres_engine):
        build = engine.begin_build(AS_OF)
        engine.load_raw(build, manifests)
        for model in models.values():
            engine.create_table(build, model.name, model.compile(engine.dialect, AS_OF))
        builds[engine.dialect] = build

    differences, filled = [], 0
    for name in models:
        left, right = (
            engine.arrow(f"select * from {name}", build_id=builds[engine.dialect].build_id)
            for engine in (parquet_engine, postgres_engine)
        )
        if types(left) != types(right):
            differences.append(f"{name}: columns {set(types(left).items()) ^ set(types(right).items())}")
        one, other = sorted_rows(left), sorted_rows(right)
        filled += bool(one)
        if one != other:
            here, there = [row for row in one if row not in other], [row for row in other if row not in one]
            differences.append(f"{name}: {len(one)} and {len(other)} rows, {here[:2]} against {there[:2]}")
    assert not differences, "\n".join(differences)
    assert filled > len(models) * 0.6


def types(table) -> dict[str, str]:
    """Column types; whole numbers of every width are one type."""
    found = {field.name: str(field.type).replace("large_", "") for field in table.schema}
    return {name: "whole" if "int" in type else type for name, type in found.items()}


def sorted_rows(table) -> list[tuple]:
    rows = [
        tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in row.values())
        for row in table.to_pylist()
    ]
    return sorted(rows, key=repr)
