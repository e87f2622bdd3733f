"""By which columns a statement can be computed in part: never by one by which it cannot."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from kreislauf.warehouse.locality import localities
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.scopes import NotLocal, Scopes

SQL = Path(__file__).parents[4] / "include" / "sql"
COLUMNS = {
    "core.contacts": ["contact_id", "country", "company_id"],
    "core.orders": ["order_id", "contact_id", "amount"],
    "core.companies": ["company_id", "size"],
    "core.touches": ["touch_id", "contact_id", "visitor_id"],
    "core.visitors": ["visitor_id", "contact_id"],
}


def local(sql: str, *changed: str) -> list[str]:
    try:
        scopes = Scopes.of(sql, COLUMNS.__getitem__)
    except NotLocal:
        return []
    return [found.column for found in localities(scopes, set(changed or COLUMNS))]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select contact_id, amount from core.orders", ["contact_id", "amount"]),
        ("select contact_id, count(*) as n from core.orders group by contact_id", ["contact_id"]),
        ("select distinct contact_id from core.orders where amount > 3", ["contact_id"]),
        ("select 'o-' || order_id as id from core.orders", ["id"]),
        (
            "select contact_id, row_number() over (partition by contact_id order by amount) as n"
            " from core.orders",
            ["contact_id"],
        ),
        (
            "select contacts.contact_id, count(orders.order_id) as n from core.contacts as contacts"
            " left join core.orders as orders on contacts.contact_id = orders.contact_id"
            " group by contacts.contact_id",
            ["contact_id"],
        ),
        (
            "with bought as (select contact_id, sum(amount) as total from core.orders group by contact_id),"
            " both_kinds as (select contact_id, total from bought union all"
            " select contact_id, 0 as total from core.contacts)"
            " select contact_id, max(total) as total from both_kinds group by contact_id",
            ["contact_id"],
        ),
        (
            "select contact_id from core.contacts as c where exists"
            " (select 1 from core.orders as o where o.contact_id = c.contact_id and o.amount > 3)",
            ["contact_id"],
        ),
        (
            "select contact_id from core.contacts where contact_id in (select contact_id from core.orders)",
            ["contact_id"],
        ),
        (
            "with outer_one as (with inner_one as (select * from core.orders) select * from inner_one)"
            " select contact_id from outer_one",
            ["contact_id"],
        ),
    ],
)
def test_what_depends_on_rows_of_its_own_key_is_local(sql, columns):
    assert local(sql) == columns


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) as n from core.orders",
        "select contact_id, row_number() over (order by amount) as n from core.orders",
        "select contact_id, amount from core.orders order by amount limit 3",
        "select contact_id, sum(amount) over () as total from core.orders",
        "select contact_id, amount from core.orders where amount > (select sum(amount) from core.orders)",
        # A key that comes from the side that may be missing, and one from both.
        "select o.contact_id from core.contacts as c left join core.orders as o"
        " on c.contact_id = o.contact_id",
        "select coalesce(c.contact_id, o.contact_id) as id from core.contacts as c"
        " full join core.orders as o on c.contact_id = o.contact_id",
        "select c.contact_id from core.contacts as c full join core.orders as o"
        " on c.contact_id = o.contact_id",
        # Another key, no key, a key by inequality.
        "select c.contact_id from core.contacts as c cross join core.orders as o",
        "select c.contact_id from core.contacts as c inner join core.orders as o"
        " on c.contact_id < o.contact_id",
        "select c.contact_id from core.contacts as c inner join core.orders as o"
        " on c.contact_id = o.contact_id or o.amount > 3",
        "select contact_id from core.contacts union all select 'none' as contact_id from core.orders",
        "select max(contact_id) as contact_id from core.orders",
        "select lower(country) as country, max(contact_id) over (partition by contact_id) as top"
        " from core.contacts group by company_id",
        "select contact_id from core.contacts where contact_id not in (select contact_id from core.orders)",
        "select distinct on (amount) contact_id, amount as a from core.orders limit 1",
        "with recursive chain as (select contact_id from core.contacts) select contact_id from chain",
        # Of a left join's condition nothing follows for the rows it is asked for.
        "select o.contact_id from core.orders as o cross join core.contacts as c"
        " left join core.touches as t on t.contact_id = o.contact_id and t.contact_id = c.contact_id",
    ],
)
def test_what_may_depend_on_other_rows_is_not(sql):
    assert local(sql) == []


def test_a_window_of_another_key_is_not_local_in_this_one():
    sql = (
        "select contact_id, order_id, lag(amount) over (partition by contact_id order by order_id) as before"
    )
    assert local(f"{sql} from core.orders") == ["contact_id"]


def test_a_table_that_did_not_change_may_be_read_in_any_way():
    sql = (
        "select c.contact_id, s.total from core.contacts as c"
        " cross join (select sum(amount) as total from core.orders) as s"
    )
    assert local(sql, "core.contacts") == ["contact_id"]
    assert local(sql, "core.orders") == []


def test_a_part_of_a_union_that_did_not_change_need_not_be_local():
    sql = (
        "select contact_id, amount from core.orders union all"
        " (select max(contact_id) as contact_id, 0 as amount from core.contacts)"
    )
    assert "contact_id" in local(sql, "core.orders")
    assert local(sql, "core.contacts") == []


LOOKUP = (
    "select t.touch_id, v.contact_id from core.touches as t"
    " left join core.visitors as v on t.visitor_id = v.visitor_id"
)


def test_what_is_looked_up_touches_the_keys_that_look_it_up():
    [found] = localities(Scopes.of(LOOKUP, COLUMNS.__getitem__), {"core.visitors"})
    [(table, key, _, by, keys)] = found.keys.lookups
    assert (found.column, table, key, by) == ("touch_id", "core.touches", "touch_id", "visitor_id")
    assert [(name, expression) for name, expression, _ in keys.changes] == [("core.visitors", "visitor_id")]


def test_a_look_up_without_equality_is_none():
    assert local(LOOKUP.replace("t.visitor_id = v", "t.visitor_id <> v"), "core.visitors") == []


def test_null_is_a_key_only_where_rows_may_have_none():
    def nulls(sql: str) -> list[bool]:
        found = next(localities(Scopes.of(sql, COLUMNS.__getitem__), {"core.orders"}))
        return [null for *_, null in found.keys.changes]

    assert nulls("select contact_id from core.orders") == [True]
    assert nulls("select contact_id from core.orders where contact_id is not null") == [False]
    assert nulls(
        "select c.contact_id, o.amount from core.contacts as c left join core.orders as o"
        " on c.contact_id = o.contact_id"
    ) == [False]


def test_most_models_can_be_computed_in_part_when_events_arrive():
    models = load_models(SQL, check=False)
    schema = Schema(models)
    changed = {"raw.site_events", "raw.mail_events", "raw.site_answers", "raw.manifests"}
    touched, found = set(), {}
    for name, model in models.items():
        reads = {table for table in model.depends_on if table in changed}
        if reads and model.is_select:
            changed.add(name)
            touched.add(name)
            statement = model.compile("duckdb", datetime(2026, 1, 1))
            scopes = Scopes.of(statement, lambda table: list(schema[table]))
            found[name] = next(localities(scopes, reads), None)
    local_ones = {name: how.column for name, how in found.items() if how}
    assert len(local_ones) > 0.7 * len(touched)
    assert local_ones["core.contacts"] == local_ones["scores.engagement"] == "contact_id"
    assert local_ones["core.touchpoints"] == local_ones["core.site_touchpoints"] == "touchpoint_id"
    assert local_ones["core.message_outcomes"] == "message_key"
    # By its record_id all that was ever recorded would have to be read.
    assert local_ones["reports.membership_moves"] == "contact_id"
    assert not found["reports.segment_overlap"]
