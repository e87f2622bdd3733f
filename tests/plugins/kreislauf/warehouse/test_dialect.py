"""The portable functions mean the same on both engines."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import duckdb
import psycopg
import pytest

from kreislauf.warehouse.dialect import DIALECTS, FUNCTIONS, compile_sql


@pytest.fixture(scope="module")
def postgres(postgres_uri):
    with psycopg.connect(postgres_uri) as connection:
        yield connection


NEW_YEAR, EVE = "timestamp '2026-01-01 00:30:00'", "timestamp '2025-12-31 23:00:00.9'"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"DAYS_BETWEEN({EVE}, {NEW_YEAR})", 1),
        (f"DAYS_BETWEEN({NEW_YEAR}, {EVE})", -1),
        (f"DAYS_BETWEEN(cast('2024-02-28' as date), {NEW_YEAR})", 673),
        (f"SECONDS_BETWEEN({EVE}, {NEW_YEAR})", 5400),
        (f"SECONDS_BETWEEN({NEW_YEAR}, {EVE})", -5400),
        (f"CALENDAR_MONTHS_BETWEEN({EVE}, {NEW_YEAR})", 1),
        ("CALENDAR_MONTHS_BETWEEN(cast('2024-01-01' as date), cast('2026-01-31' as date))", 24),
        (f"ADD_DAYS({NEW_YEAR}, 28 + 31)", date(2026, 3, 1)),
        ("ADD_DAYS(cast('2024-03-01' as date), -1)", date(2024, 2, 29)),
        ("RATIO(1, 4)", 0.25),
        ("RATIO(cast(1 as decimal(18, 2)), 0)", None),
        ("RATIO(DAYS_BETWEEN(cast('2026-01-01' as date), cast('2026-01-08' as date)), 2)", 3.5),
        ("DECAY(8, 60, 30)", Decimal("2.000000")),
        ("DECAY(1, 10, 30)", Decimal("0.793701")),
        ("MEDIAN(x)", 2.5),
        ("MEDIAN(x) filter (where x > 2)", 3.5),
        ("POWER(cast(2 as decimal(18, 2)), cast(-1 as bigint))", 0.5),
        ("POWER(2, 3 + 1) + 1", 17.0),
        ("POWER(0.5, 2000)", 0.0),
        ("POWER(10, 400)", None),
        ("POWER(0, 2)", None),
        ("POWER(-2, 2)", None),
        ("POWER(null, 2)", None),
        ("cast(POWER(0.9, 10) as decimal(18, 6))", Decimal("0.348678")),
        ("SQRT(2.25)", 1.5),
        ("SQRT(0)", 0.0),
        ("SQRT(-1)", None),
        ("DAYS_BETWEEN(null, cast('2026-01-01' as date))", None),
    ],
)
def test_equal_on_both(postgres, expression, expected):
    sql = f"select {expression} as y from (values (1), (2), (3), (4)) as t(x)"
    if "x" not in expression.split("MEDIAN")[-1] or "MEDIAN" not in expression:
        sql = f"select {expression} as y"
    assert duckdb.connect().execute(compile_sql(sql, "duckdb")).fetchone()[0] == expected
    assert postgres.execute(compile_sql(sql, "postgres")).fetchone()[0] == expected


def test_each_function_has_each_engines_form():
    for name, function in FUNCTIONS.items():
        sql = f"select {name}({', '.join(function.parameters).replace('end', 'finish')}) as y from t"
        for dialect in DIALECTS:
            assert "{" not in compile_sql(sql, dialect)


def test_a_wrong_number_of_arguments_is_named():
    with pytest.raises(ValueError, match=r"RATIO takes 2 arguments \(part, whole\), not 3"):
        compile_sql("select RATIO(1, 2, 3)", "duckdb")


def test_an_unknown_dialect_is_named():
    with pytest.raises(ValueError, match="unknown dialect 'oracle'"):
        compile_sql("select 1", "oracle")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_where_the_day_counts_the_hour_is_left_out(dialect):
    sql = """select DAYS_BETWEEN(x, timestamp '2026-01-01 17:30:00'),
        ADD_DAYS(timestamp '2026-01-01 17:30:00', 3),
        CALENDAR_MONTHS_BETWEEN(x, timestamp '2026-01-01 17:30:00'),
        date_trunc('week', timestamp '2026-01-01 17:30:00'),
        cast(timestamp '2026-01-01 17:30:00' as date) from t"""
    assert compile_sql(sql, dialect) == compile_sql(sql.replace("17:30:00", "04:00:00.5"), dialect)
    for hour in ("x < {}", "date_trunc('hour', {})", "SECONDS_BETWEEN(x, {})"):
        moment = hour.format("timestamp '2026-01-01 17:30:00'")
        assert "17:30" in compile_sql(f"select {moment} from t", dialect)


def test_a_moment_without_its_hour_is_the_same_day():
    def rows(moment: str) -> list[tuple]:
        sql = (
            f"select DAYS_BETWEEN({moment}, date '2026-03-05'), ADD_DAYS({moment}, 3), cast({moment} as date)"
        )
        return duckdb.connect().execute(compile_sql(sql, "duckdb")).fetchall()

    assert rows("timestamp '2026-02-28 23:59:59.9'") == [(5, date(2026, 3, 3), date(2026, 2, 28))]


READ_TWICE = """
with landed as (select contact_id, change from raw.membership_changes),
kept as (select * from landed where change > 0),
changes as (select * from kept union all select contact_id, 1 as change from scores.rfm),
counted as (select contact_id, count(*) as times from changes group by contact_id),
once as (select contact_id from scores.rfm)
select counted.times from counted
inner join changes on counted.contact_id = changes.contact_id
inner join counted as others on counted.contact_id = others.contact_id
inner join once on counted.contact_id = once.contact_id
"""


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_what_only_reads_is_read_each_time_and_what_computes_is_kept(dialect):
    compiled = compile_sql(READ_TWICE, dialect, pretty=False)
    assert re.findall(r"(\w+) AS NOT MATERIALIZED", compiled) == ["landed", "kept", "changes"]


def test_spark_keeps_nothing_anyway():
    assert "MATERIALIZED" not in compile_sql(READ_TWICE, "spark")
