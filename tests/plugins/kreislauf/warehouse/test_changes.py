"""A build that computes only what changed equals one from scratch, whatever happens in between."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from kreislauf.warehouse.engines import WarehouseError
from kreislauf.warehouse.engines import parquet as parquet_engine_module
from kreislauf.warehouse.engines.changes import Change, Update
from kreislauf.warehouse.engines.parquet import ParquetEngine
from kreislauf.warehouse.engines.relations import rows_of
from kreislauf.warehouse.testing import land_rows

AS_OF = datetime(2026, 1, 10, 6, tzinfo=UTC)
PEOPLE = [f"p{n}" for n in range(12)]

TABLES = {
    # The latest version of each record, and each event once.
    "staging.customers": """
        with versions as (
            select *, row_number() over (
                partition by customer_id order by updated_at desc, _run desc, _line desc
            ) as recency from raw.shop_customers
        )
        select customer_id, email, city, updated_at from versions where recency = 1""",
    "staging.events": """
        with ranked as (
            select *, row_number() over (partition by event_id order by _run, _line) as copy
            from raw.site_events
        )
        select event_id, visitor_id, customer_id, product_id, occurred_at from ranked where copy = 1""",
    # Who a visitor is, looked up by events; a look-up of a changed table.
    "core.visitors": """
        select visitor_id, min(customer_id) as customer_id from staging.events
        where customer_id is not null and visitor_id is not null
        group by visitor_id having min(customer_id) = max(customer_id)""",
    "core.touches": """
        select 'site-' || e.event_id as touch_id, e.occurred_at, e.product_id,
            coalesce(e.customer_id, v.customer_id) as customer_id
        from staging.events as e left join core.visitors as v on e.visitor_id = v.visitor_id""",
    "core.duplicates": "select product_id from staging.events",
    "scores.engagement": """
        with touched as (
            select customer_id, count(*) as touches, max(occurred_at) as last_at from core.touches
            where customer_id is not null group by customer_id
        )
        select c.customer_id, c.city, coalesce(t.touches, 0) as touches, t.last_at
        from staging.customers as c left join touched as t on c.customer_id = t.customer_id""",
    "scores.ranks": """
        select customer_id, row_number() over (order by touches desc, customer_id) as place
        from scores.engagement""",
    "segments.busy": "select customer_id from scores.ranks where place <= 3",
    "segments.members": """
        select 'busy' as name, customer_id from segments.busy union all
        select 'seen' as name, customer_id from scores.engagement
        where touches > 0 and last_at >= timestamp '{day}'""",
    "reports.products": "select product_id, count(*) as touches from core.touches group by product_id",
    "reports.hours": "select touch_id from core.touches where occurred_at < timestamp '{moment}'",
}


class World:
    """Rows that land, bit by bit; some come twice, late, or changed."""

    def __init__(self, seed: int, landing: Path) -> None:
        self.random = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
        self.landing = landing
        self.manifests = []
        self.events: list[dict] = []

    def land(self, until: datetime, events: int, customers: int) -> None:
        pick, now = self.random.choice, until.replace(tzinfo=None)
        new = [
            {
                "event_id": f"e{len(self.events) + n}",
                "visitor_id": pick([None, *(f"v{i}" for i in range(15))]),
                "customer_id": pick([None, None, *PEOPLE]),
                "product_id": pick([None, "a", "b", "c"]),
                "occurred_at": now - timedelta(minutes=self.random.randrange(1, 3000)),
            }
            for n in range(events)
        ]
        again = self.random.sample(self.events, min(len(self.events), events // 10))
        self.events += new
        self._land("site_events", [*new, *again], until)
        changed = [
            {
                "customer_id": person,
                "email": f"{person}@example.org",
                "city": pick([None, "Berlin", "Wien"]),
                "updated_at": now - timedelta(minutes=self.random.randrange(1, 500)),
            }
            for person in self.random.sample(PEOPLE, customers)
        ]
        self._land("shop_customers", changed, until)

    def _land(self, table: str, rows: list[dict], until: datetime) -> None:
        if rows:
            run = f"{until:%Y%m%dT%H%M%SZ}"
            self.manifests.append(land_rows(self.landing, table, rows, run=f"{run}{len(self.manifests)}"))


def engine_in(folder: Path) -> ParquetEngine:
    engine = ParquetEngine(folder, threads=1)
    engine.in_part_from = 0
    return engine


def build(engine: ParquetEngine, manifests, as_of: datetime, tables=TABLES):
    made = engine.begin_build(as_of)
    engine.load_raw(made, manifests)
    moments = {"day": f"{as_of:%Y-%m-%d 00:00:00}", "moment": f"{as_of:%Y-%m-%d %H:%M:%S}"}
    for name, sql in tables.items():
        engine.create_table(made, name, sql.format(**moments))
    return made


def rows(engine: ParquetEngine, build_id: str | None = None, tables=TABLES) -> dict[str, Counter]:
    return {
        name: Counter(tuple(row.values()) for row in engine.query(f"select * from {name}", build_id=build_id))
        for name in tables
    }


def noted(engine: ParquetEngine, build_id: str) -> dict[str, dict]:
    return {name: engine._table(build_id, name) for name in TABLES}


@pytest.mark.parametrize("seed", range(2))
def test_build_after_build_equals_one_from_scratch(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(parquet_engine_module, "MOST_PARTS", 4)
    world, engine = World(seed, tmp_path / "landing"), engine_in(tmp_path / "kept")
    steps = [(0, 300, 12), (1, 6, 1), (2, 0, 2), (3, 5, 0), (20, 4, 1), (44, 90, 6), (45, 3, 1)]
    by = Counter()
    for hours, events, customers in steps:
        as_of = AS_OF + timedelta(hours=hours)
        world.land(as_of, events, customers)
        made = build(engine, world.manifests, as_of)
        for name, table in noted(engine, made.build_id).items():
            by[name] += bool(table.get("by"))
            assert table["rows"] == sum(rows(engine, made.build_id, [name])[name].values())
        engine.publish(made)
        afresh = engine_in(tmp_path / f"afresh-{hours}")
        afresh.publish(build(afresh, world.manifests, as_of))
        assert rows(engine) == rows(afresh)
    # It was not all computed whole.
    names = ("staging.events", "core.touches", "core.duplicates", "segments.members", "scores.engagement")
    for name in names:
        assert by[name] > 0, (name, by)


@pytest.fixture
def world(tmp_path):
    world = World(7, tmp_path / "landing")
    world.land(AS_OF, 300, 12)
    return world


@pytest.fixture
def engine(tmp_path, world):
    engine = engine_in(tmp_path / "warehouse")
    engine.publish(build(engine, world.manifests, AS_OF))
    return engine


LATER = AS_OF + timedelta(hours=1)


def test_new_rows_are_added_to_what_was_there(engine, world):
    before = noted(engine, engine.published().build_id)
    world.land(LATER, 5, 0)
    after = noted(engine, build(engine, world.manifests, LATER).build_id)
    for name, column in (("staging.events", "event_id"), ("core.touches", "changes")):
        assert after[name]["by"] == column
        assert after[name]["parts"][:-1] == before[name]["parts"]
        assert after[name]["changes"]["from"] == before[name]["content"]
    for noted_of in ("content", "parts"):
        assert after["staging.customers"][noted_of] == before["staging.customers"][noted_of]


def test_what_was_computed_in_part_and_whole_has_one_mark(engine, world, tmp_path):
    world.land(LATER, 5, 2)
    in_part = noted(engine, build(engine, world.manifests, LATER).build_id)["staging.events"]
    other = engine_in(tmp_path / "other")
    whole = noted(other, build(other, world.manifests, LATER).build_id)["staging.events"]
    assert in_part["by"] and "by" not in whole
    assert (in_part["content"], in_part["fingerprint"]) == (whole["content"], whole["fingerprint"])


def test_a_table_written_twice_is_the_same(engine, world):
    world.land(LATER, 5, 2)
    made = build(engine, world.manifests, LATER)
    first, sizes = rows(engine, made.build_id), noted(engine, made.build_id)
    for name, sql in TABLES.items():
        engine.create_table(made, name, sql.format(day=AS_OF.date(), moment=f"{LATER:%Y-%m-%d %H:%M:%S}"))
    again = noted(engine, made.build_id)
    assert rows(engine, made.build_id, ["core.touches"])["core.touches"] == first["core.touches"]
    place = engine.folder / "builds" / made.build_id / "core" / "touches"
    assert {part.name for part in place.iterdir()} == set(again["core.touches"]["parts"])
    assert again["core.touches"]["rows"] == sizes["core.touches"]["rows"]


def test_two_builds_at_once_do_not_meet(engine, world):
    world.land(LATER, 5, 2)
    one, other = build(engine, world.manifests, LATER), build(engine, world.manifests, LATER)
    assert rows(engine, one.build_id) == rows(engine, other.build_id)
    engine.publish(one)
    third = build(engine, world.manifests, LATER)
    assert (
        noted(engine, third.build_id)["core.touches"]["parts"]
        == (noted(engine, one.build_id)["core.touches"]["parts"])
    )


def test_a_build_goes_on_when_another_is_published_meanwhile(engine, world, tmp_path):
    world.land(LATER, 5, 2)
    names = list(TABLES)
    made = build(engine, world.manifests, LATER, {name: TABLES[name] for name in names[:4]})
    world.land(LATER + timedelta(hours=1), 7, 3)
    engine.publish(build(engine, world.manifests[:], LATER + timedelta(hours=1)))
    for name in names[4:]:
        engine.create_table(
            made, name, TABLES[name].format(day=LATER.date(), moment=f"{LATER:%Y-%m-%d %H:%M:%S}")
        )
    afresh = engine_in(tmp_path / "afresh")
    first = build(afresh, world.manifests[:-2], LATER)
    wanted = rows(afresh, first.build_id)
    found = rows(engine, made.build_id)
    assert found == wanted


def test_a_failure_between_the_rows_and_their_json_leaves_no_table(engine, world, monkeypatch):
    world.land(LATER, 5, 2)
    made = engine.begin_build(LATER)
    engine.load_raw(made, world.manifests)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_link", lambda writing: shutil.rmtree(engine.folder / "nowhere"))
        with pytest.raises(FileNotFoundError):
            engine.create_table(made, "staging.events", TABLES["staging.events"])
    assert "staging.events" not in engine.build(made.build_id).tables
    assert not list((engine.folder / "builds" / made.build_id / "staging" / "events").iterdir())
    engine.create_table(made, "staging.events", TABLES["staging.events"])
    assert sum(rows(engine, made.build_id, ["staging.events"])["staging.events"].values()) == 305


def test_a_table_that_is_another_every_time_is_compared_once(engine, world, monkeypatch):
    name = "reports.shares"
    sql = "select touch_id, (select count(*) from core.touches) as of_all from core.touches"
    made = build(engine, world.manifests, AS_OF, TABLES | {name: sql})
    engine.publish(made)
    compare, compared = Update.compare, []
    monkeypatch.setattr(Update, "compare", lambda *args: compared.append(args) or compare(*args))
    for hour in (1, 2):
        world.land(AS_OF + timedelta(hours=hour), 5, 0)
        made = engine.begin_build(AS_OF + timedelta(hours=hour))
        engine.load_raw(made, world.manifests)
        for table in ("staging.events", "core.visitors", "core.touches"):
            engine.create_table(made, table, TABLES[table])
        compared.clear()
        engine.create_table(made, name, sql)
        engine.publish(made)
        assert len(compared) == (hour == 1)
        assert engine.query(f"select min(of_all) as n from {name}") == [{"n": 300 + 5 * hour}]


def test_of_equal_rows_as_many_go_as_are_gone(tmp_path):
    file, part = tmp_path / "0.parquet", tmp_path / "part"
    with duckdb.connect() as database:
        database.execute("create schema core; create table core.touches as select 'a' as product_id")
        database.execute(f"copy (select 'a' as product_id from range(3)) to '{file}' (format parquet)")
        update = Update(database, rows_of([file], with_position=True), 3)
        change = Change("select 'a' as product_id", "select 'b' as product_id from range(2)", 4)
        assert (
            update.compute(
                TABLES["core.duplicates"].replace("staging.events", "core.touches"), {"core.touches": change}
            )
            == "changes"
        )
        assert (update.added, update.removed) == (2, 1)
        update.write(part)
        left = database.execute(update.rows_now(part)).fetchall()
    assert sorted(left) == [("a",), ("a",), ("b",), ("b",)]


def test_what_cannot_be_computed_in_part_is_computed_whole(engine, world):
    world.land(LATER, 5, 2)
    made = engine.begin_build(LATER)
    engine.load_raw(made, world.manifests)
    published = engine.published().build_id
    for part in engine._files(published, "staging.events"):
        part.unlink()  # the published build was removed meanwhile
    engine.create_table(made, "staging.events", TABLES["staging.events"])
    assert sum(rows(engine, made.build_id, ["staging.events"])["staging.events"].values()) == 305


def test_an_error_of_the_statement_is_one_without_values(engine, world):
    made = engine.begin_build(LATER)
    engine.load_raw(made, world.manifests)
    with pytest.raises(WarehouseError, match=r"staging\.events of build") as caught:
        engine.create_table(
            made, "staging.events", "select cast(event_id as bigint) as n from raw.site_events"
        )
    assert "e1" not in str(caught.value).partition("could not be written")[2]


def test_a_row_that_counts_only_from_a_moment_on_is_added_at_it(engine, world, tmp_path):
    early = {"event_id": "soon", "occurred_at": LATER.replace(tzinfo=None) - timedelta(minutes=30)}
    world.land(AS_OF, 0, 0)
    world._land("site_events", [early], AS_OF)
    engine.publish(build(engine, world.manifests, AS_OF))
    assert sum(rows(engine)["staging.events"].values()) == 300
    made = build(engine, world.manifests, LATER)
    assert sum(rows(engine, made.build_id)["staging.events"].values()) == 301
    assert noted(engine, made.build_id)["staging.events"]["by"] == "event_id"
