"""What both engines promise."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from kreislauf.connections import Connection
from kreislauf.warehouse.dialect import compile_sql
from kreislauf.warehouse.engines import Engine, NothingPublished, WarehouseError, engine_for
from kreislauf.warehouse.engines.folder import FolderEngine
from kreislauf.warehouse.raw import raw_columns

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
CUSTOMERS = [
    {
        "customer_id": "1",
        "email": "Ärger@example.org",
        "updated_at": datetime(2025, 1, 1),
        "first_name": 'a "b", c',
    },
    {"customer_id": "2", "email": None, "updated_at": datetime(2025, 1, 2), "first_name": ""},
]


LOWER = "select customer_id, lower(email) as email from raw.shop_customers"


def build_contacts(engine: Engine, manifests, as_of=AS_OF, sql=LOWER):
    build = engine.begin_build(as_of)
    engine.load_raw(build, manifests)
    engine.create_table(build, "core.contacts", compile_sql(sql, engine.dialect))
    return build


def test_a_build_is_seen_only_once_it_is_published(engine, land):
    build = build_contacts(engine, [land("shop_customers", CUSTOMERS)])
    with pytest.raises(NothingPublished, match="build_warehouse"):
        engine.query("select * from core.contacts")
    assert engine.published() is None

    engine.publish(build)

    assert engine.published().build_id == build.build_id
    assert engine.published().as_of == AS_OF
    assert engine.published().tables["core.contacts"] == 2
    assert engine.published().tables["raw.shop_customers"] == 2
    rows = engine.query("select customer_id, email from core.contacts order by customer_id")
    assert rows == [{"customer_id": "1", "email": "ärger@example.org"}, {"customer_id": "2", "email": None}]


def test_a_reader_that_named_its_build_is_not_disturbed_by_the_next(engine, land):
    first = build_contacts(engine, [land("shop_customers", CUSTOMERS[:1], run="r1")])
    engine.publish(first)
    second = build_contacts(
        engine,
        [land("shop_customers", CUSTOMERS, run="r2")],
        sql="select 'x' as other from raw.shop_customers",
    )
    engine.publish(second)

    assert engine.query("select count(*) as n from core.contacts", build_id=first.build_id) == [{"n": 1}]
    assert engine.query("select other from core.contacts") == [{"other": "x"}, {"other": "x"}]


def test_raw_rows_arrive_as_they_are(engine, land):
    build = engine.begin_build(AS_OF)
    loaded = engine.load_raw(build, [land("shop_customers", CUSTOMERS)])

    assert loaded["shop_customers"] == 2 and loaded["manifests"] == 1 and loaded["crm_deals"] == 0
    rows = engine.query("select * from raw.shop_customers order by customer_id", build_id=build.build_id)
    assert list(rows[0]) == list(raw_columns()["shop_customers"])
    assert [row["first_name"] for row in rows] == ['a "b", c', ""]
    assert rows[1]["email"] is None and rows[0]["updated_at"] == datetime(2025, 1, 1)
    assert engine.query("select * from raw.crm_deals", build_id=build.build_id) == []
    assert engine.query("select run, rows from raw.manifests", build_id=build.build_id) == [
        {"run": "20260101T000000Z", "rows": 2}
    ]


def test_raw_follows_the_manifests_when_it_is_loaded_again(engine, land):
    first = land("shop_customers", CUSTOMERS[:1], run="r1")
    engine.load_raw(engine.begin_build(AS_OF), [first])
    replayed = land("shop_customers", [CUSTOMERS[0] | {"email": "new@example.org"}], run="r1b")
    replayed = type(first)(**{**vars(first), "tables": replayed.tables, "folder": replayed.folder})

    for manifests in ([replayed, land("shop_customers", CUSTOMERS[1:], run="r2")],) * 2:
        build = engine.begin_build(AS_OF)
        engine.load_raw(build, manifests)
        rows = engine.query(
            "select email from raw.shop_customers order by customer_id", build_id=build.build_id
        )
        assert [row["email"] for row in rows] == ["new@example.org", None]


def test_a_failed_table_leaves_nothing_and_says_which_it_was_without_values(engine, land):
    build = engine.begin_build(AS_OF)
    engine.load_raw(build, [land("shop_customers", CUSTOMERS)])

    with pytest.raises(WarehouseError, match=r"core\.contacts of build") as caught:
        engine.create_table(
            build, "core.contacts", "select cast(email as integer) as n from raw.shop_customers"
        )

    assert "example.org" not in str(caught.value) and caught.value.__cause__ is None
    assert "core.contacts" not in engine.build(build.build_id).tables


def test_a_table_may_be_written_again(engine, land):
    build = build_contacts(engine, [land("shop_customers", CUSTOMERS)])
    rows = engine.create_table(build, "core.contacts", "select '9' as customer_id")
    assert rows == 1
    assert engine.query("select * from core.contacts", build_id=build.build_id) == [{"customer_id": "9"}]


def test_parameters_are_bound_and_moments_turned_to_utc(engine, land):
    engine.publish(build_contacts(engine, [land("shop_customers", CUSTOMERS)]))
    found = engine.query(
        "select cast(:text as varchar) as text, updated_at from raw.shop_customers"
        " where updated_at < :until and customer_id like '%' and customer_id <> :text",
        {"text": "it's 100 %", "until": datetime(2025, 1, 2, 0, 30, tzinfo=UTC) + timedelta(0), "unused": 1},
    )
    assert [row["text"] for row in found] == ["it's 100 %"] * 2
    with pytest.raises(ValueError, match=":until"):
        engine.query("select 1 as x from core.contacts where cast('2026-01-01' as timestamp) < :until")


def test_big_results_come_in_batches_and_types_are_kept(engine, land):
    engine.publish(build_contacts(engine, [land("shop_customers", CUSTOMERS)]))
    sql = """select cast(1.5 as decimal(18, 2)) as money, cast('2026-01-01' as date) as day, true as flag,
             cast(3 as bigint) as n, cast(0.5 as double precision) as x from core.contacts"""
    rows = [row for batch in engine.batches(sql) for row in batch.to_pylist()]
    assert rows == engine.query(sql)
    assert (
        rows[0]["money"] == Decimal("1.50")
        and rows[0]["flag"] is True
        and str(rows[0]["day"]) == "2026-01-01"
    )


def test_an_empty_result_keeps_its_columns(engine, land):
    engine.publish(build_contacts(engine, []))
    assert engine.arrow("select customer_id, email from core.contacts").column_names == [
        "customer_id",
        "email",
    ]


def test_a_block_is_lifted_by_the_next_publish(engine, land):
    good = build_contacts(engine, [])
    engine.publish(good)
    bad = build_contacts(engine, [])
    engine.block(bad, "core.contacts: key not unique")

    assert engine.blocked() == f"build {bad.build_id}: core.contacts: key not unique"
    assert engine.published().build_id == good.build_id
    engine.publish(bad)
    assert engine.blocked() is None


def test_an_unchanged_table_is_taken_over(engine, land):
    manifests = [land("shop_customers", CUSTOMERS)]
    engine.publish(build_contacts(engine, manifests))
    same = build_contacts(engine, manifests)
    other_sql = build_contacts(engine, manifests, sql="select 1 as one from raw.shop_customers")
    new_input = build_contacts(engine, [*manifests, land("shop_customers", CUSTOMERS, run="r2")])

    assert place(engine, same) == place(engine, engine.published())
    assert place(engine, other_sql) != place(engine, engine.published())
    assert place(engine, new_input) != place(engine, engine.published())
    engine.publish(same)
    engine.drop_old(keep=0)
    assert len(engine.query("select * from core.contacts")) == 2


def test_a_table_with_the_same_rows_as_before_spares_what_reads_it(engine, land):
    def build_after(*landed, sql=LOWER):
        build = build_contacts(engine, landed, sql=sql)
        engine.create_table(build, "segments.all", "select customer_id from core.contacts")
        engine.publish(build)
        return place(engine, build), place(engine, build, "segments.all")

    part = land("shop_customers", CUSTOMERS, run="r1")
    first = build_after(part)
    same = build_after(land("shop_customers", CUSTOMERS[::-1], run="r2"))
    other = [CUSTOMERS[0], CUSTOMERS[1] | {"customer_id": "3"}]
    changed = build_after(land("shop_customers", other, run="r3"))
    renamed = build_after(part, sql=LOWER.replace("as email", "as address"))

    assert same == first
    assert changed[0] != first[0] and changed[1] != first[1]
    assert renamed[0] != first[0] and renamed[0] != changed[0]


EVENTS = [
    {"event_id": str(n), "occurred_at": AS_OF.replace(tzinfo=None) + timedelta(minutes=n), "event_type": "x"}
    for n in range(-2, 3)
]


def test_a_build_has_only_the_rows_from_before_its_moment(engine, land):
    manifests = [land("site_events", EVENTS)]
    for minutes, wanted in ((0, ["-1", "-2"]), (-1, ["-2"]), (1, ["-1", "-2", "0"]), (9, 5)):
        build = engine.begin_build(AS_OF + timedelta(minutes=minutes))
        engine.load_raw(build, manifests)
        found = engine.query(
            "select event_id from raw.site_events order by event_id", build_id=build.build_id
        )
        assert [row["event_id"] for row in found] == wanted or len(found) == wanted
        engine.publish(build)
    engine.drop_old(keep=0)


def test_a_version_of_the_ledger_counts_from_the_moment_it_was_read_for(engine, land):
    # Stamped with real time while a moment long ago is being replayed.
    late = {"planned_as_of": datetime(2025, 12, 31), "updated_at": datetime(2026, 6, 1)}
    rows = [
        {"message_key": "read for this moment", **late},
        {"message_key": "planned on this build", **late, "planned_as_of": AS_OF.replace(tzinfo=None)},
    ]
    then = land("ledger_messages", rows, run="r1")
    later = [
        {"message_key": "read for a later one", **late},
        {"message_key": "but true before", **late, "updated_at": datetime(2025, 12, 31)},
    ]
    after = dataclasses.replace(land("ledger_messages", later, run="r2"), as_of=AS_OF + timedelta(hours=1))
    build = engine.begin_build(AS_OF)
    engine.load_raw(build, [then, after])
    found = engine.query("select message_key from raw.ledger_messages", build_id=build.build_id)
    assert {row["message_key"] for row in found} == {"read for this moment", "but true before"}


def test_builds_that_a_reader_may_still_use_are_kept(engine, land):
    builds = [build_contacts(engine, []) for _ in range(3)]
    for build in builds:
        engine.publish(build)
    assert engine.drop_old(keep=1) == []
    assert engine.query("select count(*) as n from core.contacts", build_id=builds[0].build_id) == [{"n": 0}]


def test_an_unknown_build_is_named(engine):
    with pytest.raises(WarehouseError, match="no build 20200101T000000Z-abc"):
        engine.query("select * from core.contacts", build_id="20200101T000000Z-abc")


def test_duckdb_spills_what_does_not_fit_into_memory(tmp_path, land):
    small = engine_for(
        Connection(
            "warehouse", "duckdb", str(tmp_path / "small"), extra={"memory_limit": "120MB", "threads": 1}
        )
    )
    build = small.begin_build(AS_OF)
    rows = "select md5(cast(range as varchar)) as x, repeat('y', 100) || range as y from range(1500000)"
    assert small.create_table(build, "core.contacts", f"{rows} order by x") == 1_500_000
    assert not list(small.folder.glob("spill-*/*.tmp"))
    folder = small.folder
    del small  # DuckDB ends with it
    assert not list(folder.glob("spill-*"))


def test_what_one_reader_has_open_another_does_not_see(tmp_path):
    engine = engine_for(Connection("warehouse", "duckdb", str(tmp_path)))
    builds = [engine.begin_build(AS_OF) for _ in range(2)]
    for number, build in enumerate(builds):
        engine.create_table(build, "core.contacts", f"select {number} as n from range(200000)")
    reading = [engine.batches("select n from core.contacts", build_id=build.build_id) for build in builds]
    firsts = [next(batches) for batches in reading]
    assert engine.query("select count(*) as n from core.contacts", build_id=builds[0].build_id) == [
        {"n": 200_000}
    ]
    assert [batch["n"][0].as_py() for batch in firsts] == [0, 1]
    assert [sum(batch["n"][-1].as_py() for batch in batches) > 0 for batches in reading] == [False, True]


def place(engine: Engine, build, table="core.contacts") -> object:
    """Where the rows of a table physically are."""
    if isinstance(engine, FolderEngine):
        return {file.stat().st_ino for file in engine._files(build.build_id, table)}
    with engine._transaction() as cursor:
        return engine._locations(cursor, build.build_id)[table]
