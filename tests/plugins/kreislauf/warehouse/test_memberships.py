"""The record of memberships: what is found at each moment is what the history says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from kreislauf.landing.replay import replay
from kreislauf.landing.zone import LandingZone
from kreislauf.warehouse.build import write_table
from kreislauf.warehouse.engines import BuildInfo, Engine, WarehouseError
from kreislauf.warehouse.memberships import record_memberships
from kreislauf.warehouse.model import values_sql
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema, create_table

MODELS = load_models(Path(__file__).parents[4] / "include" / "sql")
SCHEMA = Schema(MODELS)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTACTS = ("c1", "c2", "c3")
EACH_ITSELF = {contact: contact for contact in CONTACTS}

COMPUTED = [f"reports.membership_{name}" for name in ("names", "differences", "changes", "moves", "history")]
"""From the record and the members, in this order."""

State = Mapping[str, tuple[str, ...]]
"""The segments of each contact."""

History = list[tuple[str, str, int, int | None]]
"""Segment, contact, and the days from and to."""

# ------------------------------------------------------------------------- the SQL, in memory


class Book:
    """The record as tables in memory: publish states of days, read the history."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        for table in ("raw.manifests", "scores.rfm", "lifecycle.stage_history"):
            create_table(self._connection, table, SCHEMA[table])
        self._connection.execute("create schema reports")
        create_table(self._connection, "landed.membership_changes", SCHEMA["raw.membership_changes"])

    def publish(self, day: int, state: State, persons: Mapping[str, str] = EACH_ITSELF) -> History:
        """A build as of a day, recorded; the history that it has."""
        keys = [("shop", record, contact) for record, contact in persons.items()]
        self._fill("core.contact_keys", ("source", "record_id", "contact_id"), keys)
        self._fill("segments.catalogue", ("name",), _named(state))
        self._fill("segments.members", ("name", "contact_id"), _listed(state))
        moment = START.replace(tzinfo=None) + timedelta(days=day)
        # As the cut at the build's moment leaves it.
        self._connection.execute(
            "create or replace view raw.membership_changes as"
            f" select * from landed.membership_changes where as_of <= timestamp '{moment}'"
        )
        for table in COMPUTED:
            self._compute(table, day)
        self._connection.execute(
            "insert into landed.membership_changes by name"
            " select * exclude (is_taken_back) from reports.membership_changes"
        )
        self._connection.execute(
            "insert into raw.manifests by name"
            " select 'warehouse' as source, 'membership_changes' as stream, ?::timestamp as as_of",
            [moment],
        )
        found = self._connection.execute(
            "select name, contact_id, valid_from, valid_to from reports.membership_history order by all"
        ).fetchall()
        return [(name, contact, _day(begin), _day(end)) for name, contact, begin, end in found]

    def rows(self) -> int:
        """How many rows the record has."""
        return self._connection.execute("select count(*) from landed.membership_changes").fetchone()[0]

    def _fill(self, table: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        create_table(self._connection, table, SCHEMA[table])
        if rows:
            self._connection.executemany(
                f"insert into {table} ({', '.join(columns)}) values ({', '.join('?' * len(columns))})", rows
            )

    def _compute(self, table: str, day: int) -> None:
        self._connection.execute(f"create or replace table {table} as {_compiled(table, day)}")


@cache
def _compiled(table: str, day: int) -> str:
    return MODELS[table].compile("duckdb", START + timedelta(days=day))


def _listed(state: State) -> list[tuple[str, str]]:
    """The rows of segments.members."""
    return [(name, contact) for contact, names in state.items() for name in names]


def _named(state: State) -> list[tuple[str]]:
    """The names of segments.catalogue."""
    return [(name,) for name in sorted({name for names in state.values() for name in names})]


def _day(moment: datetime | None) -> int | None:
    return moment and (moment.replace(tzinfo=UTC) - START).days


def test_only_what_changed_is_recorded():
    book = Book()
    book.publish(0, {"c1": ("a",), "c2": ("a", "b")})
    book.publish(1, {"c1": ("a",), "c2": ("b",), "c3": ("a",)})

    assert book.publish(2, {"c1": ("a",), "c2": ("b",), "c3": ("a",)}) == [
        ("a", "c1", 0, None), ("a", "c2", 0, 1), ("a", "c3", 1, None), ("b", "c2", 0, None),
    ]  # fmt: skip
    assert book.rows() == 5


def test_a_segment_whose_file_is_gone_ends_and_a_new_one_begins_at_its_first_build():
    book = Book()
    book.publish(0, {"c1": ("old",), "c2": ("old",)})

    assert book.publish(1, {"c1": ("new",)}) == [
        ("new", "c1", 1, None), ("old", "c1", 0, 1), ("old", "c2", 0, 1),
    ]  # fmt: skip


def test_the_same_moment_again_changes_nothing():
    book = Book()
    book.publish(0, {"c1": ("b",)})
    before = book.publish(1, {"c1": ("a",), "c2": ("b",)})

    assert book.publish(1, {"c1": ("a",), "c2": ("b",)}) == before
    assert book.rows() == 4


def test_a_moment_built_again_from_better_data_is_as_it_was_built_last():
    book = Book()
    state = {"c1": ("a",), "c2": ("a",)}
    book.publish(0, state)
    book.publish(1, state)
    book.publish(0, {"c1": ("b",), "c2": ("a",)})

    assert book.publish(2, state) == [("a", "c1", 1, None), ("a", "c2", 0, None), ("b", "c1", 0, 1)]


def test_a_past_moment_does_not_see_what_came_later():
    book = Book()
    book.publish(2, {"c1": ("b",)})

    assert book.publish(1, {"c1": ("a",)}) == [("a", "c1", 1, None)]


def test_two_contacts_that_become_one_share_their_history():
    book = Book()
    book.publish(0, {"c1": ("a",), "c2": ("a", "b")})
    merged = {"c1": "c1", "c2": "c1"}
    book.publish(1, {"c1": ("a", "b")}, merged)

    assert book.publish(2, {"c1": ("b",)}, merged) == [("a", "c1", 0, 2), ("b", "c1", 0, None)]


STATES = st.lists(
    st.dictionaries(st.sampled_from(CONTACTS), st.sets(st.sampled_from("ab")).map(tuple)),
    min_size=4,
    max_size=4,
)


@settings(max_examples=30, deadline=None)
@given(states=STATES, order=st.permutations(range(4)), again=st.integers(0, 3))
def test_moments_published_in_any_order_give_what_was_found_at_each(states, order, again):
    book = Book()
    for day in [*order, again]:
        book.publish(day, states[day])

    assert book.publish(3, states[3]) == _expected(states)


def _expected(states: list[State]) -> History:
    """The history, found by walking through the states in order."""
    return sorted(
        period
        for contact in CONTACTS
        for name in "ab"
        for period in _periods(name, contact, [name in state.get(contact, ()) for state in states])
    )


def _periods(name: str, contact: str, is_in: list[bool]) -> Iterator[tuple[str, str, int, int | None]]:
    days = [day for day in range(len(is_in)) if is_in[day] != (day > 0 and is_in[day - 1])]
    for turn in range(0, len(days), 2):
        yield name, contact, days[turn], days[turn + 1] if turn + 1 < len(days) else None


# ------------------------------------------------------------------------- the record, in files


class Circuit:
    """A landing zone and a warehouse whose builds are given what they find."""

    def __init__(self, folder: Path, engine: Engine):
        self.zone = LandingZone(folder / "landing")
        self.engine = engine

    def build(self, day: int, state: State) -> BuildInfo:
        """A build as of a day, not published."""
        build = self.engine.begin_build(START + timedelta(days=day))
        self.engine.load_raw(build, self.zone.manifests())
        found = {
            "core.contact_keys": [("shop", contact, contact, contact) for contact in CONTACTS],
            "segments.catalogue": [(name, None, None) for (name,) in _named(state)],
            "segments.members": _listed(state),
            "scores.rfm": [],
            "lifecycle.stage_history": [],
        }
        for table, rows in found.items():
            columns = {name: type.lower() for name, type in SCHEMA[table].items()}
            self.engine.create_table(build, table, values_sql(columns, rows))
        for table in COMPUTED:
            write_table(self.engine, build, MODELS[table])
        return build

    def publish(self, day: int, state: State) -> None:
        build = self.build(day, state)
        record_memberships(self.zone, self.engine, build)
        self.engine.publish(build)

    def history(self) -> History:
        """As the published build has it."""
        rows = self.engine.query("select * from reports.membership_history")
        return sorted((r["name"], r["contact_id"], _day(r["valid_from"]), _day(r["valid_to"])) for r in rows)


@pytest.fixture
def circuit(tmp_path: Path, parquet_engine: Engine) -> Circuit:
    return Circuit(tmp_path, parquet_engine)


def test_a_crash_between_landing_and_switch_is_made_good_by_trying_again(circuit):
    circuit.publish(0, {"c1": ("a",)})
    build = circuit.build(1, {"c2": ("a",)})
    landed = record_memberships(circuit.zone, circuit.engine, build)

    assert record_memberships(circuit.zone, circuit.engine, build).run == landed.run
    circuit.engine.publish(build)

    assert landed.tables["membership_changes"]["rows"] == 2
    assert len(circuit.zone.manifests()) == 2
    assert circuit.history() == [("a", "c1", 0, 1), ("a", "c2", 1, None)]


def test_a_build_that_another_one_has_overtaken_is_not_recorded(circuit):
    early = circuit.build(0, {"c1": ("a",)})
    circuit.publish(1, {"c1": ("b",)})

    with pytest.raises(WarehouseError, match=f"{early.build_id} began before .* trigger the DAG"):
        record_memberships(circuit.zone, circuit.engine, early)

    assert len(circuit.zone.manifests()) == 1


def test_the_record_can_be_replayed_and_knows_moments_without_changes(circuit):
    circuit.publish(0, {"c1": ("a",)})
    circuit.publish(1, {"c1": ("a",)})
    replay(circuit.zone, "warehouse")
    circuit.publish(2, {})

    assert circuit.history() == [("a", "c1", 0, 2)]
    assert len(circuit.zone.manifests()) == 3


def test_what_is_landed_is_what_its_pages_give(circuit):
    circuit.publish(0, {"c1": ("a", "b"), 'c"2': ("ä",)})
    [landed] = circuit.zone.manifests()
    before = parquet.read_table(landed.table_path("membership_changes"))
    [replayed] = replay(circuit.zone, "warehouse")
    after = parquet.read_table(replayed.table_path("membership_changes"))

    assert len(before) == replayed.rows == 3
    assert before.schema.remove_metadata() == after.schema.remove_metadata()
    assert before.to_pylist() == after.to_pylist()
    [latest] = {manifest.tables["membership_changes"]["latest"] for manifest in (landed, replayed)}
    assert latest == "2026-03-01T12:00:00Z"


def test_postgres_records_the_same(tmp_path, postgres_engine):
    circuit = Circuit(tmp_path, postgres_engine)
    circuit.publish(1, {"c1": ("a",), "c2": ("a", "b")})
    circuit.publish(0, {"c1": ("b",)})
    circuit.publish(2, {"c1": ("a", "b")})

    assert circuit.history() == [
        ("a", "c1", 1, None), ("a", "c2", 1, 2), ("b", "c1", 0, 1), ("b", "c1", 2, None), ("b", "c2", 1, 2),
    ]  # fmt: skip
