"""What the portable rules find, and that our own files keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kreislauf.warehouse.lint import lint_all, unusable
from kreislauf.warehouse.models import load_models

SQL = Path(__file__).parents[4] / "include" / "sql"
HEADER = "-- A sentence.\n-- owner: crm\n-- grain: a\n"
CUSTOMERS = "from raw.shop_customers as c"


def findings(tmp_path: Path, sql: str, layer: str = "core") -> list[str]:
    (tmp_path / layer).mkdir(exist_ok=True)
    (tmp_path / layer / "x.sql").write_text(HEADER + sql)
    return [f"{finding.line}: {finding.message}" for finding in lint_all(tmp_path)]


def test_our_files_keep_the_rules():
    assert lint_all(SQL) == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"select c.customer_id as a {CUSTOMERS} order by a", "no order by at the end"),
        (f"select c.customer_id as a {CUSTOMERS} limit 3", "no limit at the end"),
        (f"select * {CUSTOMERS}", "name the columns"),
        ("select 1 / 2 as a", "RATIO"),
        ("select current_date as a", "{{ as_of }}"),
        ("select now() as a", "{{ as_of }}"),
        (f"select\nround(1.5) as a {CUSTOMERS}", "5: round()"),
        (f"select c.customer_id::bigint as a {CUSTOMERS}", "cast(x as type)"),
        ("select cast(1 as numeric) as a", "decimal without digits"),
        ("select cast(1 as real) as a", "double precision"),
        (f"select max(avg_) as a from (select avg(1) as avg_ {CUSTOMERS}) as t", "avg()"),
        (f"select distinct on (c.customer_id) c.customer_id as a {CUSTOMERS}", "row_number()"),
        (f"select c.updated_at - c.created_at as a {CUSTOMERS}", "SECONDS_BETWEEN"),
        (f"select cast(c.created_at as date) + interval '1 day' as a {CUSTOMERS}", "ADD_DAYS"),
        (f"select cast(RATIO(1, 2) as integer) as a {CUSTOMERS}", "floor(x)"),
        (f"select row_number() over (partition by c.email) as a {CUSTOMERS}", "needs an order by"),
        (f"select row_number() over (order by c.email) - 1 as a {CUSTOMERS}", "count from 1"),
        (f"select count(distinct c.email) over () as a {CUSTOMERS}", "count in a CTE"),
        (f"select count(*) filter (where true) over () as a {CUSTOMERS}", "case when"),
        (f"select c.email as a {CUSTOMERS} where c.email in (select email from raw.crm_contacts)", "exists"),
        (f"select c.email as a {CUSTOMERS} where c.email ~* 'x'", "lower(x) ~"),
        (f"select c.email as a {CUSTOMERS} where c.email ~ '\\d'", "backslash"),
        (f"select string_agg(c.email, ';') as a {CUSTOMERS}", "needs an order"),
        (f"select (array_agg(c.email))[1] as a {CUSTOMERS}", "arrays differ"),
        (f"select upper(c.email) as a {CUSTOMERS}", "upper('ß')"),
        (f"select extract(dow from c.created_at) as a {CUSTOMERS}", "extract(dow"),
        (f"select initcap(c.email) as a {CUSTOMERS}", "not among the functions compared"),
        (f"select soundex(c.email) as a {CUSTOMERS}", "soundex"),
        ("select RATIO(1) as a", "RATIO takes 2 arguments"),
        (f"select sum(1) as a {CUSTOMERS}", "has type HUGEINT"),
        (f"select\nc.emial as a {CUSTOMERS}", "5: unknown column emial; did you mean email"),
        ("with recursive r as (select 1 as a union all select a from r) select a from r", "of rounds"),
        ("select g.a from generate_series(1, 2) as g(a)", "values list"),
    ],
)  # fmt: skip
def test_a_rule_says_where_and_what_to_write_instead(tmp_path, sql, expected):
    found = findings(tmp_path, sql)
    assert any(expected in message for message in found), found


@pytest.mark.parametrize(
    "sql",
    [
        f"select c.customer_id as a, cast(sum(1) as bigint) as n {CUSTOMERS} group by c.customer_id",
        f"select c.customer_id as a {CUSTOMERS} where c.created_at < {{{{ as_of }}}} - interval '1 hour'",
        f"select c.customer_id as a {CUSTOMERS} where not exists (select 1 from raw.crm_contacts as o"
        " where lower(o.email) = lower(c.email))",
        f"select c.customer_id as a, cast(date_trunc('month', c.created_at) as date) as m {CUSTOMERS}",
        f"select min(c.email) filter (where c.email like '%@%') as a {CUSTOMERS}",
        f"select split_part(c.email, '@', 2) || '.' as a, bool_or(c.email_valid_format) as b {CUSTOMERS}"
        " group by c.email",
    ],
)
def test_what_is_portable_is_let_through(tmp_path, sql):
    assert findings(tmp_path, sql) == []


def test_a_layer_has_a_contract(tmp_path):
    found = findings(tmp_path, "select 1 as a, 2 as contact_id", layer="triggers")
    assert found == [
        "1: a table of triggers gives contact_id, occurrence_id, occurred_at; "
        "occurrence_id, occurred_at is missing"
    ]


def test_an_unknown_column_is_found_in_the_code_not_in_a_comment(tmp_path):
    found = findings(tmp_path, f"select -- not custmer_id\nc.custmer_id as a {CUSTOMERS}")
    assert found == ["5: unknown column custmer_id; did you mean customer_id?"]


def test_a_broken_file_is_reported_once(tmp_path):
    assert findings(tmp_path, "select from from") == [
        found for found in findings(tmp_path, "select from from") if "malformed SQL" in found
    ]


def test_what_cannot_run_is_told_once_a_file_and_style_is_not(tmp_path):
    layer = tmp_path / "core"
    layer.mkdir()
    for name, sql in {
        "a": f"select c.emial as a {CUSTOMERS}",
        "b": "select a from core.a",
        "c": f"select\nc.email + c.created_at as a {CUSTOMERS}",
        "d": f"select upper(c.email) as a {CUSTOMERS} order by a",
    }.items():
        (layer / f"{name}.sql").write_text(HEADER + sql)
    found = unusable(load_models(tmp_path))
    assert [finding.path.stem for finding in found] == ["a", "c"]
    assert "4: unknown column emial; did you mean email" in str(found[0])
    assert "+(" in found[1].message


def test_nothing_of_ours_is_unusable():
    assert unusable(load_models(SQL)) == []
