from __future__ import annotations

import sqlite3

import pytest

from sandbox.shop.search import SearchError, condition

COLUMNS = {"updated_at": "updated_at", "financial_status": "financial_status", "id": "id", "test": "test"}

ROWS = [
    (1, "2026-11-01T10:00:00Z", "PAID", 0),
    (2, "2026-11-02T10:00:00Z", "PENDING", 0),
    (3, "2026-11-03T10:00:00Z", "REFUNDED", 1),
]


def found(query: str | None) -> list[int]:
    db = sqlite3.connect(":memory:")
    db.execute("create table t (id integer, updated_at text, financial_status text, test integer)")
    db.executemany("insert into t values (?, ?, ?, ?)", ROWS)
    result = condition(query, COLUMNS)
    return [row[0] for row in db.execute(f"select id from t where {result.sql} order by id", result.values)]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (None, [1, 2, 3]),
        ("  ", [1, 2, 3]),
        ("updated_at:>='2026-11-02T10:00:00Z'", [2, 3]),
        ("updated_at:>2026-11-02T10:00:00Z", [3]),
        ("updated_at:>='2026-11-02T00:00:00Z' AND updated_at:<'2026-11-03T00:00:00Z'", [2]),
        ("updated_at:>='2026-11-02T11:00:00+01:00'", [2, 3]),
        ("financial_status:paid OR financial_status:'refunded'", [1, 3]),
        ("(financial_status:paid OR financial_status:pending) AND updated_at:>'2026-11-01T12:00:00Z'", [2]),
        ("financial_status:paid OR financial_status:pending updated_at:>'2026-11-01T12:00:00Z'", [1, 2]),
        ("-financial_status:paid", [2, 3]),
        ("NOT (id:1 OR id:2)", [3]),
        ("id:gid://shopify/Order/2", [2]),
        ("test:true", [3]),
    ],
)
def test_filters_select(query, ids):
    assert found(query) == ids


def test_an_unknown_filter_selects_everything_and_is_reported():
    result = condition("updatedAt:>=2026-11-02 AND financial_status:paid", COLUMNS)
    assert result.ignored == ["updatedAt"]
    assert found("updatedAt:>=2026-11-02 AND financial_status:paid") == [1]


@pytest.mark.parametrize("query", ["(id:1", "id:1)", "id:1 OR", "updated_at:>soon"])
def test_an_unreadable_query_is_an_error(query):
    with pytest.raises(SearchError):
        condition(query, COLUMNS)
