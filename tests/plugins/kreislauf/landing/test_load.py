"""Typed rows or quarantine: nothing in between, and nothing lost."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st

from kreislauf.landing import load as loading
from kreislauf.landing.extract import extract
from kreislauf.landing.load import arrow_schema
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.streams import STREAMS, Column, Stream, Table


@pytest.fixture
def land(zone, things, given, noon):
    def land(*records, stream=things):
        return extract(given(records), stream, zone, noon)

    return land


def one_column(type: str, required: bool = False) -> Stream:
    return Stream("shop", "values", {"t": Table({"v": Column("$.v", type, required)})})


def test_records_become_typed_rows_with_lineage(land, make_thing, rows):
    manifest = land(make_thing(1), make_thing(2))
    first, second = rows(manifest, "things")
    assert first == {
        "thing_id": "t1",
        "updated_at": datetime(2026, 11, 22, 10),
        "amount": Decimal("12.50"),
        "is_test": False,
        "tags": "a;b",
        "_run": manifest.run,
        "_line": 1,
        "_extracted_at": manifest.extracted_at.replace(tzinfo=None),
    }
    assert second["_line"] == 2


def test_children_carry_their_parent_and_their_position(land, make_thing, rows):
    nodes = [{"id": "l1", "quantity": 1}, {"id": "l2", "quantity": None}]
    manifest = land(make_thing(1), make_thing(2, lines={"nodes": nodes}))
    found = [row for row in rows(manifest, "thing_lines") if row["thing_id"] == "t2"]
    assert [(row["line_id"], row["quantity"], row["_line"], row["_child"]) for row in found] == [
        ("l1", 1, 2, 1),
        ("l2", None, 2, 2),
    ]


def test_a_record_without_children_is_loaded(land, make_thing, rows):
    without = make_thing(2)
    del without["lines"]
    manifest = land(make_thing(1, lines={"nodes": []}), without, make_thing(3, lines=None))
    assert len(rows(manifest, "things")) == 3
    assert "thing_lines" not in manifest.tables


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        ("TIMESTAMP", "2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10)),
        ("TIMESTAMP", "2026-11-22T10:00:00.123Z", datetime(2026, 11, 22, 10, 0, 0, 123000)),
        ("TIMESTAMP", "2026-11-22T10:00:00+02:00", datetime(2026, 11, 22, 8)),
        ("TIMESTAMP", "2026-11-22T10:00:00", datetime(2026, 11, 22, 10)),
        ("TIMESTAMP", "", None),
        ("DATE", "2026-11-22", date(2026, 11, 22)),
        ("EPOCH", 1764000000, datetime(2025, 11, 24, 16)),
        ("EPOCH", "1764000000.25", datetime(2025, 11, 24, 16, 0, 0, 250000)),
        ("MILLIS", 1764000000123, datetime(2025, 11, 24, 16, 0, 0, 123000)),
        ("BIGINT", "-17", -17),
        ("BIGINT", 250.0, 250),
        ("BIGINT", "", None),
        ("DECIMAL(18,2)", "19.99", Decimal("19.99")),
        ("DECIMAL(18,2)", 0.1, Decimal("0.10")),
        ("DECIMAL(18,2)", "-3", Decimal("-3.00")),
        ("BOOLEAN", True, True),
        ("BOOLEAN", "false", False),
        ("VARCHAR", 'Zoë O\'Hara; "<b>"', 'Zoë O\'Hara; "<b>"'),
        ("VARCHAR", 12, "12"),
        ("VARCHAR", "", ""),
        ("JSON_LIST", ["a", "ö"], "a;ö"),
        ("JSON_LIST", [], None),
        ("JSON_LIST", None, None),
    ],
)
def test_values_are_read_as_their_column_says(land, rows, type, value, expected):
    manifest = land({"v": value}, stream=one_column(type))
    assert [row["v"] for row in rows(manifest, "t")] == [expected]


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("TIMESTAMP", "yesterday"),
        ("TIMESTAMP", "infinity"),
        ("TIMESTAMP", "epoch"),
        ("TIMESTAMP", "2026-02-30T00:00:00Z"),
        ("TIMESTAMP", 1764000000),
        ("DATE", "2026-13-01"),
        ("EPOCH", "2026-11-22T10:00:00Z"),
        ("EPOCH", 1764000000123456),
        ("MILLIS", -1),
        ("BIGINT", 12.7),
        ("BIGINT", "1e3"),
        ("BIGINT", "99999999999999999999"),
        ("BIGINT", [1]),
        ("DECIMAL(18,2)", "12,50"),
        ("DECIMAL(18,2)", "nan"),
        ("DECIMAL(18,2)", "12345678901234567890"),
        ("BOOLEAN", "yes"),
        ("BOOLEAN", 1),
        ("VARCHAR", {"de": "Hemd"}),
        ("VARCHAR", ["a"]),
        ("VARCHAR", "a\u0000b"),
        ("JSON_LIST", "a;b"),
    ],
)
def test_a_value_that_does_not_fit_goes_to_quarantine_without_being_shown(land, rows, type, value):
    manifest = land({"v": value}, stream=one_column(type))
    assert rows(manifest, "t") == []
    [held] = rows(manifest, "quarantine")
    wanted = {"EPOCH": "moment in seconds", "MILLIS": "moment in milliseconds", "JSON_LIST": "list"}
    assert held["reason"] == f"t.v ($.v): not a {wanted.get(type, type)}"
    assert json.loads(held["record"]) == {"v": value}


@pytest.mark.parametrize("record", [{}, {"v": None}, {"v": ""}])
def test_a_missing_required_value_goes_to_quarantine(land, rows, record):
    manifest = land(record, stream=one_column("VARCHAR", required=True))
    assert [row["reason"] for row in rows(manifest, "quarantine")] == ["t.v ($.v): missing"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": "t1", "upda', "not valid JSON"),
        (b'["t1"]', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"id": "\xff\xfe"}', "not UTF-8"),
    ],
)
def test_a_line_that_is_no_record_goes_to_quarantine_and_the_others_are_loaded(
    land, make_thing, rows, line, reason
):
    manifest = land(make_thing(1), line, make_thing(3))
    assert [row["thing_id"] for row in rows(manifest, "things")] == ["t1", "t3"]
    [held] = rows(manifest, "quarantine")
    assert (held["table_name"], held["line"], held["reason"]) == ("things", 2, reason)
    assert manifest.quarantined == 1


def test_a_record_is_loaded_whole_or_not_at_all(land, make_thing, rows):
    """An order without one of its lines would be worse than yesterday's version of it."""
    nodes = [{"id": "l1", "quantity": 1}, {"id": "l2", "quantity": "many"}]
    manifest = land(make_thing(1), make_thing(2, lines={"nodes": nodes}, test="maybe"))
    assert [row["thing_id"] for row in rows(manifest, "things")] == ["t1"]
    assert [row["thing_id"] for row in rows(manifest, "thing_lines")] == ["t1"]
    [held] = rows(manifest, "quarantine")
    assert held["reason"] == (
        "thing_lines.quantity ($.quantity): not a BIGINT; things.is_test ($.test): not a BOOLEAN"
    )


def test_children_that_are_no_list_are_not_lost_silently(land, make_thing, rows):
    manifest = land(make_thing(1, lines={"nodes": {"id": "l1"}}))
    assert [row["reason"] for row in rows(manifest, "quarantine")] == [
        "thing_lines: $.lines.nodes is not a list"
    ]


def test_unknown_and_missing_fields_are_reported(land, make_thing):
    changed = make_thing(1, loyalty="gold", total={"value": "1"}, properties={"x": 1})
    del changed["tags"]
    manifest = land(changed)
    assert manifest.unknown_fields == ["loyalty", "properties", "properties.x"]
    assert manifest.missing_fields == ["tags", "total.amount"]


def test_a_field_is_not_missing_where_no_record_could_hold_it(land, make_thing):
    """An hour of guest orders has no customer, and so no customer's id: that is no drift."""
    assert land(make_thing(1, total=None)).missing_fields == []


def test_a_field_some_record_has_is_not_missing(land, make_thing):
    first = make_thing(1)
    del first["tags"]
    assert land(first, make_thing(2)).missing_fields == []


def test_unknown_columns_are_not_loaded(land, make_thing, rows):
    [row] = rows(land(make_thing(1, loyalty="gold")), "things")
    assert "gold" not in row.values()


def test_chunks_do_not_show(land, make_thing, rows, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK_LINES", 3)
    manifest = land(*(make_thing(number) for number in range(10)))
    assert [row["_line"] for row in rows(manifest, "things")] == list(range(1, 11))
    assert [row["thing_id"] for row in rows(manifest, "thing_lines")] == [f"t{n}" for n in range(10)]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: f"{stream.source}.{stream.name}")
def test_every_declared_stream_can_be_loaded(land, rows, stream):
    """The smallest record that is allowed: its required values and nothing else."""
    manifest = land(_smallest(stream), stream=stream)
    assert rows(manifest, "quarantine") == []
    for name, table in stream.tables.items():
        found = (
            duckdb.connect()
            .sql(
                "describe select * from read_parquet(?, hive_partitioning = false)",
                params=[manifest.table_path(name)],
            )
            .fetchall()
        )
        assert [row[0] for row in found] == arrow_schema(table).names


def _smallest(stream: Stream) -> dict:
    record: dict = {}
    for table in stream.tables.values():
        child: dict = {}
        for column in table.columns.values():
            if column.required:
                value = {"TIMESTAMP": "2026-01-01T00:00:00Z", "DATE": "2026-01-01", "EPOCH": 1}.get(
                    column.type, "1"
                )
                is_own = table.explode and not column.path.startswith("$parent.")
                _set(child if is_own else record, column.path.replace("$parent", "$"), value)
        if table.explode:
            _set(record, table.explode, [child])
    return record


def _set(record: dict, path: str, value: object) -> None:
    *parents, last = path.split(".")[1:]
    for name in parents:
        record = record.setdefault(name, {})
    record[last] = value


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@examples(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "id": values,
                "updatedAt": values,
                "total": values,
                "test": values,
                "tags": values,
                "lines": values,
            },
        )
        | st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line),
        max_size=8,
    )
)
def test_whatever_comes_every_record_is_a_row_or_in_quarantine(
    tmp_path_factory, given, things, noon, records
):
    manifest = extract(given(records), things, LandingZone(tmp_path_factory.mktemp("zone")), noon)
    loaded = manifest.tables.get("things", {"rows": 0})["rows"]
    assert loaded + manifest.quarantined == len(records)
