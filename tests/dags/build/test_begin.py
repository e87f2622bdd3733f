"""A malformed SQL file ends a build before it begins, at the first try."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select order_id from core.nowhere", r"^.*core/orders\.sql:4: unknown table core\.nowhere"),
        ("select ordr_id as order_id from raw.shop_orders", r"^.*core/orders\.sql:4: unknown column ordr_id"),
    ],
)
def test_a_malformed_file_is_named_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str, message: str
) -> None:
    dags = DagBag(dag_folder=str(Path(__file__).parents[3] / "dags" / "build")).dags
    begin = dags["build_warehouse"].get_task("begin").python_callable
    broken = tmp_path / "core" / "orders.sql"
    broken.parent.mkdir()
    broken.write_text(f"-- A table.\n-- owner: crm\n-- grain: order_id\n{sql}\n")
    monkeypatch.setitem(begin.__globals__, "SQL", tmp_path)
    with pytest.raises(AirflowFailException, match=message):
        begin()
