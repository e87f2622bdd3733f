"""What a statement makes of changed rows alone: only where it takes each row by itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from kreislauf.warehouse.linear import linear
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.scopes import NotLocal, Scopes

COLUMNS = {
    "core.contacts": ["contact_id", "country"],
    "core.orders": ["order_id", "contact_id", "amount"],
}

LINEAR = [
    "select contact_id, amount * 2 as twice from core.orders where amount > 3",
    "with orders as (select * from core.orders) select 'o-' || order_id as id from orders",
    "select contact_id, country from core.contacts union all"
    " select contact_id, cast(order_id as varchar) as country from core.orders where amount > 3",
    "select order_id as id from core.orders where amount > 3 union all"
    " select order_id as id from core.orders where amount > 1",
    "select o.order_id, c.country from core.orders as o left join core.contacts as c"
    " on o.contact_id = c.contact_id",
    "select o.order_id, c.country from core.contacts as c inner join core.orders as o"
    " on o.contact_id = c.contact_id",
    "select order_id from core.orders where contact_id not in (select contact_id from core.contacts)",
]


def of_changes(sql: str) -> str | None:
    try:
        return linear(Scopes.of(sql, COLUMNS.__getitem__), {"core.orders"})
    except NotLocal:
        return None


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        connection.execute(
            "create table core.contacts as from (values ('a', 'DE'), ('b', 'AT')) t(contact_id, country)"
        )
        connection.execute("create table core.orders (order_id int, contact_id varchar, amount int)")
        yield connection


@pytest.mark.parametrize("sql", LINEAR)
def test_it_makes_of_new_rows_what_is_new_in_its_result(database, sql):
    old, new = "(1, 'a', 5), (2, 'b', 2)", "(3, 'a', 7), (4, 'c', 9), (4, 'c', 9), (5, null, null)"
    statement = of_changes(sql)
    database.execute(
        f"create view changed_core_orders as from (values {new}) t(order_id, contact_id, amount)"
    )
    found = database.execute(statement).fetchall()
    results = []
    for rows in (old, f"{old}, {new}"):
        database.execute(f"delete from core.orders; insert into core.orders values {rows}")
        results.append(f"create or replace table result_{len(results)} as {sql}")
        database.execute(results[-1])
    wanted = database.execute("from result_1 except all from result_0").fetchall()
    assert sorted(found, key=repr) == sorted(wanted, key=repr) != []


@pytest.mark.parametrize(
    "sql",
    [
        "select contact_id, count(*) as n from core.orders group by contact_id",
        "select count(*) as n from core.orders",
        "select distinct contact_id from core.orders",
        "select contact_id from core.orders union select contact_id from core.contacts",
        "select contact_id from core.orders except all select contact_id from core.contacts",
        "select order_id, row_number() over (order by amount) as place from core.orders",
        "select order_id from core.orders order by amount limit 3",
        "select unnest([order_id]) as order_id from core.orders",
        # To the right of a left join, twice, and within an expression.
        "select c.contact_id, o.amount from core.contacts as c left join core.orders as o"
        " on c.contact_id = o.contact_id",
        "select a.order_id from core.orders as a inner join core.orders as b on a.contact_id = b.contact_id",
        "select contact_id from core.contacts where contact_id in (select contact_id from core.orders)",
        "select order_id from core.orders where amount > (select avg(amount) from core.orders)",
        "with recursive r as (select order_id from core.orders) select order_id from r",
    ],
)
def test_what_takes_rows_together_is_not_linear(sql):
    assert of_changes(sql) is None


def test_what_reads_nothing_that_changed_makes_nothing_of_it():
    assert of_changes("select contact_id from core.contacts") is None


def test_the_unions_of_whole_layers_are_linear():
    models = load_models(Path(__file__).parents[4] / "include" / "sql", check=False)
    schema = Schema(models)
    for name in ("segments.members", "funnels.members", "cleanup.members", "core.touchpoints"):
        statement = models[name].compile("duckdb", datetime(2026, 1, 1))
        assert linear(Scopes.of(statement, lambda table: list(schema[table])), set(models[name].depends_on))
