"""Faults built into a model are found by cases that look there, and by no others."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from kreislauf.warehouse.model import Model
from kreislauf.warehouse.mutation import mutate
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import Case

AS_OF = datetime(2026, 1, 1)
SQL = """
select
    customer_id,
    case when is_test then 'test' when total_amount >= 100 then 'big' else 'small' end as size
from raw.shop_orders
where cancelled_at is null and created_at < {{ as_of }}
"""


@pytest.fixture
def model() -> Model:
    return Model(
        "core.sizes", Path("sizes.sql"), "Sizes.", "crm", ("customer_id",), SQL, ("raw.shop_orders",)
    )


def _case(given: list[dict], expect: list[dict]) -> Case:
    return Case("a case", AS_OF, {"raw.shop_orders": given}, expect)


def test_a_case_that_looks_away_notices_nothing(model):
    report = mutate(model, [_case([], [])], Schema({model.name: model}))
    assert report.killed == 0
    assert report.total > 10


def test_what_the_cases_cover_is_noticed(model):
    order = {"customer_id": "c1", "created_at": "2025-12-31", "total_amount": 100, "is_test": False}
    given = [
        order,
        order | {"customer_id": "c2", "total_amount": 99},
        order | {"customer_id": "c3", "is_test": True},
        order | {"customer_id": "c4", "cancelled_at": "2025-12-31"},
        order | {"customer_id": "c5", "created_at": "2026-01-01"},
    ]
    sizes = {"c1": "big", "c2": "small", "c3": "test"}
    expect = [{"customer_id": customer, "size": size} for customer, size in sizes.items()]
    schema = Schema({model.name: model})
    assert mutate(model, [_case(given, expect)], schema).survivors == ()

    # Without the order that is worth exactly 100, nobody sees where `big` begins.
    [survivor, *_] = mutate(model, [_case(given[1:], expect[1:])], schema).survivors
    assert survivor.line == 4
