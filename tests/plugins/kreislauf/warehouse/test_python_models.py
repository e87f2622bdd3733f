"""Tables that Python computes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow
import pytest

from kreislauf.warehouse.models import ModelError, load_models
from kreislauf.warehouse.schema import Schema

DOC = '"""How many orders there are.\n\nowner: data\ngrain: name\n"""\n'
READS = 'READS = ("raw.shop_orders",)\n'
COLUMNS = 'COLUMNS = {"name": "VARCHAR", "orders": "BIGINT", "share": "DOUBLE", "at": "TIMESTAMP"}\n'
ROWS = """
def rows(tables, as_of):
    orders = tables["raw.shop_orders"].num_rows
    yield {"name": "it's all", "orders": orders, "share": 0.1 + 0.2, "at": as_of}
    yield {"name": "none", "orders": None, "share": None, "at": None}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "core" / "order_count.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_its_rows_are_the_table(tmp_path):
    models = load_models(_write(tmp_path, DOC + READS + COLUMNS + ROWS))
    model = models["core.order_count"]
    assert model.sentence == "How many orders there are."
    assert model.depends_on == ("raw.shop_orders",)
    assert Schema(models)["core.order_count"] == {
        "name": "VARCHAR", "orders": "BIGINT", "share": "DOUBLE", "at": "TIMESTAMP",
    }  # fmt: skip
    statement = model.statement(
        "duckdb", datetime(2026, 1, 1, tzinfo=UTC), lambda table: pyarrow.table({table: [1, 2]})
    )
    assert duckdb.connect().execute(statement).fetchall() == [
        ("it's all", 2, 0.1 + 0.2, datetime(2026, 1, 1)),
        ("none", None, None, None),
    ]


def test_is_not_run_when_it_is_loaded(tmp_path):
    load_models(_write(tmp_path, DOC + "import nothing_of_that_name\n" + READS + COLUMNS + ROWS))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("READS = (\n", "malformed Python"),
        (READS + COLUMNS + ROWS, "docstring"),
        (DOC + COLUMNS + ROWS, "READS is missing"),
        (DOC + READS + COLUMNS, "rows is missing"),
        (DOC + "READS = tuple(x)\n" + COLUMNS + ROWS, "not computed"),
        (DOC + READS + 'COLUMNS = {"orders": "BIGINT"}\n' + ROWS, "grain names name"),
        (DOC + 'READS = ("raw.shop_order",)\n' + COLUMNS + ROWS, "did you mean raw.shop_orders"),
        (DOC + 'READS = ("reports.kpis",)\n' + COLUMNS + ROWS, "unknown table reports.kpis"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, word):
    with pytest.raises(ModelError, match=word):
        load_models(_write(tmp_path, text))


def test_rows_have_the_declared_columns(tmp_path):
    rows = "def rows(tables, as_of):\n    return [{'name': 'x'}]\n"
    model = load_models(_write(tmp_path, DOC + READS + COLUMNS + rows))["core.order_count"]
    with pytest.raises(ModelError, match="COLUMNS are name, orders"):
        model.statement("duckdb", datetime(2026, 1, 1), lambda table: pyarrow.table({table: []}))
