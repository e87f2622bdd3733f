"""Reading SQL files, and the errors that say what is wrong with one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kreislauf.warehouse.models import ModelError, load_models

HEADER = "-- A sentence.\n-- owner: crm\n-- grain: contact_id\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, sql: str, header: str = HEADER) -> Path:
        path = tmp_path / f"{name}.sql"
        path.parent.mkdir(exist_ok=True)
        path.write_text(header + sql)
        return tmp_path

    return write


def test_a_file_says_what_it_reads_and_ctes_are_not_tables(write):
    folder = write("core/contacts", "select customer_id as contact_id from raw.shop_customers")
    write(
        "segments/quiet",
        """{% set lapsed_after = "180 days" %}
with contacts as (select * from core.contacts), other as (select * from contacts)
select contact_id from other
where exists (
    select 1 from raw.shop_orders as o where o.created_at < {{ as_of }} - interval '{{ lapsed_after }}'
)
""",
    )
    models = load_models(folder)
    model = models["segments.quiet"]
    assert list(models)[:1] == ["core.contacts"]
    assert model.depends_on == ("core.contacts", "raw.shop_orders")
    assert model.uses_as_of and not models["core.contacts"].uses_as_of
    assert (model.sentence, model.owner, model.grain) == ("A sentence.", "crm", ("contact_id",))
    compiled = model.compile("duckdb", datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert "'2026-01-01 12:00:00'" in compiled and "180" in compiled


def test_what_a_file_reads_is_known_without_parsing_it(write):
    folder = write("core/contacts", "select 1 as contact_id")
    write(
        "segments/x",
        "select 'from core.nothing' as contact_id -- from core.nothing\nFROM core.contacts as c, ((",
    )
    assert load_models(folder, check=False)["segments.x"].depends_on == ("core.contacts",)


def test_models_come_after_what_they_read(write):
    folder = write("core/a", "select contact_id from core.z")
    write("core/z", "select customer_id as contact_id from raw.shop_customers")
    assert list(load_models(folder)) == ["core.z", "core.a"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select contact_id,\nfrom where", r"x\.sql:5: malformed SQL"),
        ("select contact_id from core.contact", r"x\.sql:4: unknown table core\.contact; did you mean core"),
        ("select contact_id\nfrom contacts", r"x\.sql:5: contacts is neither a CTE.*mean core\.contacts"),
        ("select contact_id from reports.total", r"x\.sql:4: segments\.x reads reports\.total, .* right"),
        ("select 1 as contact_id; select 2", r"x\.sql.*more than one statement"),
        ("insert into core.contacts select 1", r"x\.sql.*a model is one SELECT, not INSERT"),
        ("{% for i in [1] %}select 1 as contact_id{% endfor %}", r"x\.sql:4: Jinja for is not allowed"),
        ("select {{ 1 + 1 }} as contact_id", r"x\.sql:4: Jinja add is not allowed"),
        ("\nselect {{ limit }} as contact_id", r"x\.sql:5: limit is not set"),
        ("select c.contact_id from raw.crm_deals as b, core.contacts as c", r"x\.sql:4: write core"),
        ("select 1 as other", r"x\.sql:3: grain names contact_id, which the SELECT does not give"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_and_reason(write, sql, message):
    write("core/contacts", "select customer_id as contact_id from raw.shop_customers")
    write("reports/total", "select 1 as contact_id")
    with pytest.raises(ModelError, match=message):
        load_models(write("segments/x", sql))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "the header begins with a sentence"),
        ("-- No full stop\n-- owner: crm\n-- grain: a\n", "ends in a full stop"),
        ("-- A sentence.\n-- grain: a\n", "the header lacks `-- owner: crm`"),
        ("-- A sentence.\n-- owner: crm\n", "the header lacks `-- grain: contact_id`"),
        (
            "-- A\n-- sentence\n-- that\n-- ends.\n-- owner: crm\n-- grain: a\n",
            "more than five comment lines",
        ),
        ("-- A sentence.\n-- answers: Nothing.\n-- owner: crm\n-- grain: a\n", "one or more questions"),
    ],
)
def test_a_header_is_wanted(write, header, message):
    with pytest.raises(ModelError, match=message):
        load_models(write("core/x", "select 1 as a", header))


def test_an_emptied_file_is_named(write):
    with pytest.raises(ModelError, match=r"x\.sql:1: the file is empty"):
        load_models(write("core/x", "\n", header=""))


def test_a_circle_is_shown(write):
    write("core/a", "select contact_id from core.b")
    with pytest.raises(ModelError, match=r"in a circle: core\.[ab] -> core\.[ab] -> core\.[ab]"):
        load_models(write("core/b", "select contact_id from core.a"))


def test_an_unknown_layer_is_named(write):
    with pytest.raises(ModelError, match=r"'segment' is no layer; did you mean segments"):
        load_models(write("segment/x", "select 1 as contact_id"))
