"""The stays in a funnel, against what its rules say of every single day."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kreislauf.warehouse.dialect import compile_sql
from kreislauf.warehouse.funnels import STAY, with_stays
from kreislauf.warehouse.model import ModelError, render
from kreislauf.warehouse.models import load_models

STAGES = ("cold", "warm", "hot")
FUNNEL = """-- From cold to hot.
-- owner: crm
-- grain: contact_id, entered_at
select
    contact_id,
    cold_from,
    cold_until,
    'c' as cold_evidence,
    warm_from,
    warm_until,
    'w' as warm_evidence,
    hot_from,
    hot_until,
    'h' as hot_evidence
from lifecycle.milestones
"""
START = datetime(2026, 1, 1)
AS_OF = START + timedelta(days=20, hours=6)


@st.composite
def spans(draw):
    """For each stage a first day and the day on which it lapses, which may lie ahead; or nothing."""
    return [
        draw(st.none() | st.integers(0, 20).flatmap(lambda a: st.tuples(st.just(a), st.integers(a + 1, 30))))
        for _ in STAGES
    ]


def stays(contacts: list[list[tuple[int, int] | None]]) -> dict[int, list[dict]]:
    """The stays of contacts 0, 1, 2 …, in order."""
    sql = compile_sql(render(Path("f.sql"), with_stays(Path("f.sql"), FUNNEL), AS_OF), "duckdb")
    with duckdb.connect() as connection:
        ends = ", ".join(f"{stage}_from timestamp, {stage}_until timestamp" for stage in STAGES)
        connection.execute(
            f"create schema lifecycle; create table lifecycle.milestones (contact_id int, {ends})"
        )
        for contact, given_spans in enumerate(contacts):
            moments = [
                None if span is None else START + timedelta(days=day)
                for span in given_spans
                for day in span or (None, None)
            ]
            connection.execute(
                "insert into lifecycle.milestones values (?, ?, ?, ?, ?, ?, ?)", [contact, *moments]
            )
        rows = connection.execute(f"select * from ({sql}) order by contact_id, entered_at").fetchall()
        names = [column[0] for column in connection.description]
    assert tuple(names) == STAY
    found: dict[int, list[dict]] = {contact: [] for contact in range(len(contacts))}
    for row in rows:
        found[row[0]].append(dict(zip(names, row, strict=True)))
    return found


def furthest(contact: list[tuple[int, int] | None], day: int) -> int:
    """The rank of the stage on a day by the rules; 0 for none."""
    held = 0
    for rank in range(1, len(STAGES) + 1):
        known = [span for span in contact[rank - 1 :] if span]
        if known and min(a for a, _ in known) <= day < max(b for _, b in known):
            held = rank
    return held


@settings(max_examples=10, deadline=None)
@given(contacts=st.lists(spans(), min_size=12, max_size=12))
def test_on_every_day_a_contact_stands_in_the_furthest_stage_that_it_holds(contacts):
    for contact, found in stays(contacts).items():
        for day in range(21):
            moment = START + timedelta(days=day)
            there = [
                stay["stage_rank"]
                for stay in found
                if stay["entered_at"] <= moment and (stay["left_at"] is None or moment < stay["left_at"])
            ]
            assert there == [rank for rank in [furthest(contacts[contact], day)] if rank]


@settings(max_examples=10, deadline=None)
@given(contacts=st.lists(spans(), min_size=12, max_size=12))
def test_first_times_lead_upwards_to_the_highest_stage_each_naming_the_next(contacts):
    for found in stays(contacts).values():
        firsts = [stay for stay in found if stay["is_first"]]
        assert all(stay["evidence"] == "lapsed" for stay in found if not stay["is_first"])
        assert [stay["stage_rank"] for stay in firsts] == sorted({stay["stage_rank"] for stay in firsts})
        following = [(stay["entered_at"], stay["stage"]) for stay in firsts[1:]] + [(None, None)] * bool(
            firsts
        )
        assert [(stay["passed_at"], stay["passed_to"]) for stay in firsts] == following
        assert {stay["highest_stage"] for stay in found} == {stay["stage"] for stay in firsts[-1:]}


def test_a_contact_of_whom_nothing_is_known_stands_nowhere():
    assert stays([[None, None, None]]) == {0: []}


def test_a_stage_without_an_end_is_named():
    with pytest.raises(
        ModelError, match=r"f.sql: hot_until is missing: a stage has _from, _until and _evidence"
    ):
        with_stays(Path("f.sql"), FUNNEL.replace("    hot_until,\n", ""))


def test_what_gives_stays_by_itself_is_left_as_it_is():
    text = "with stage_evidence as (select 1) select 'as hot_evidence' as stage -- as hot_evidence\n"
    assert with_stays(Path("f.sql"), text) == text


def test_lines_keep_their_numbers():
    completed = with_stays(Path("f.sql"), FUNNEL).splitlines()
    for number, line in enumerate(FUNNEL.splitlines()):
        assert completed[number].endswith(line)


def test_a_new_file_is_a_new_funnel(tmp_path: Path):
    (tmp_path / "funnels").mkdir()
    (tmp_path / "funnels" / "heat.sql").write_text(FUNNEL)
    models = load_models(tmp_path, check=False)
    assert models["funnels.heat"].columns == STAY
    assert models["funnels.heat"].uses_as_of
    assert models["funnels.members"].columns == ("name", *STAY)
