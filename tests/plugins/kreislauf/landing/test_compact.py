from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from kreislauf.landing import compact as compaction
from kreislauf.landing.compact import DamagedPart, compact, compact_all
from kreislauf.landing.extract import extract
from kreislauf.landing.index import IndexMoved, read_index
from kreislauf.landing.parts import rows as rows_of
from kreislauf.landing.replay import DamagedPage, replay_stream
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.streams import Column
from tests.plugins.kreislauf.landing.conftest import DAY, HOUR, LATER, NOON, as_extracted, parts

WEEK = timedelta(days=7)


def files(zone: LandingZone) -> dict[str, int]:
    """All files and which they are: a file that was written again is another."""
    return {str(path.relative_to(zone.root)): path.stat().st_ino for path in zone.root.rglob("*.*")}


def test_the_runs_of_a_day_get_one_part_and_nothing_else_changes(zone, ingest, run, seen):
    for hours in range(0, 48, 4):
        ingest(hours)
    before, pages = seen(), {name for name in files(zone) if name.endswith(".gz")}
    # Noon's day and the two before it, two tables.
    assert (run().before, parts(zone)) == (24, 3)
    assert seen() == before
    assert pages <= files(zone).keys()


def test_a_month_that_is_over_gets_one_part(zone, ingest, run, seen, noon):
    for days in (0, 1, 2, 3, 23, 24, 25):
        ingest(24 * days), ingest(24 * days + 1)
    before = seen()
    run(noon + DAY)
    # October; the 19th, 20th and 21st of November; two runs of the 22nd, which are too young.
    assert parts(zone) == 1 + 3 + 2
    assert run(noon + 20 * DAY).after == 4
    assert seen() == before


def test_days_are_left_alone_until_they_are_old_enough(zone, ingest, run, noon):
    ingest(0), ingest(1)
    assert run(noon + DAY).after == 4
    assert run(noon + DAY, older_than=timedelta(0)).after == 2


def test_done_twice_it_does_nothing(zone, ingest, run):
    for hours in range(6):
        ingest(hours)
    run()
    before = files(zone)
    assert run().before == 2
    assert files(zone) == before


def test_what_comes_late_joins_its_day(zone, ingest, run, seen):
    for hours in (1, 3, 5):
        ingest(hours)
    run()
    ingest(4)
    before = seen()
    assert (run().before, parts(zone)) == (4, 1)
    assert seen() == before


def test_a_month_that_is_merged_stays_so_when_it_is_young_again(zone, ingest, run, seen):
    """After `older_than` was raised, a month counts as not over, though its runs have one part."""
    for days in (23, 24):
        ingest(24 * days)
    run()
    assert parts(zone) == 1
    ingest(24 * 23 + 1), ingest(24 * 24 + 1)
    before = seen()
    run(older_than=25 * DAY)
    assert parts(zone) == 3
    assert seen() == before
    run()
    assert parts(zone) == 1
    assert seen() == before


def test_an_empty_window_and_a_table_without_rows_are_remembered(zone, ingest, run, seen):
    ingest(1, count=0), ingest(2, count=1), ingest(3, count=0)
    before = seen()
    run()
    assert seen() == before
    assert len(read_index(zone.folder("shop", "things")).manifests) == 3


def test_a_part_does_not_grow_for_ever(zone, ingest, run, seen, monkeypatch):
    monkeypatch.setattr(compaction, "MERGED_ROWS", 5)
    for hours, count in ((9, 2), (8, 2), (7, 2), (6, 9), (5, 1), (4, 1)):
        ingest(hours, count)
    before = seen()
    run()
    assert parts(zone) == 4
    assert seen() == before
    kept = files(zone)
    run()
    assert files(zone) == kept


def test_parts_of_other_columns_stay_apart(zone, things, ingest, run, seen):
    table = things.tables["things"]
    wider = replace(
        things,
        tables={"things": replace(table, columns=table.columns | {"loyalty": Column("$.loyalty")})},
    )
    ingest(9), ingest(8), ingest(7, stream=wider), ingest(6, stream=wider), ingest(5)
    before = seen()
    run()
    assert parts(zone) == 3
    assert seen() == before
    kept = files(zone)
    run()
    assert files(zone) == kept


def test_all_columns_keep_their_types(zone, ingest, run):
    import pyarrow.parquet as pq

    first = ingest(2)
    schema = pq.read_schema(first.table_path("things"))
    ingest(1)
    run()
    [merged] = {manifest.table_path("things") for manifest in zone.manifests()}
    assert pq.read_schema(merged).equals(schema)


def test_the_rows_of_one_run_are_found_among_others(zone, ingest, run, monkeypatch):
    from kreislauf.landing import parts as module

    monkeypatch.setattr(module, "GROUP_ROWS", 7)
    monkeypatch.setattr(module, "_BATCH_ROWS", 3)
    landed = [ingest(hours, count=5) for hours in (3, 2, 1)]
    before = {m.run: [b for part in rows_of(m, "things", 2) for b in part.to_pylist()] for m in landed}
    run()
    after = {
        m.run: [b for part in rows_of(m, "things", 2) for b in part.to_pylist()] for m in zone.manifests()
    }
    assert after == before
    assert all(m.tables["things"]["compacted"] for m in zone.manifests())


# ----------------------------------------------------------------------------------- what is replaced


def test_replaced_parts_stay_for_who_listed_them(zone, ingest, run, rows):
    ingest(1), ingest(2)
    listed = zone.manifests()
    before = rows(listed, "things")
    run(LATER)
    run(LATER + WEEK - HOUR)
    assert rows(listed, "things") == before
    assert run(LATER + WEEK + HOUR).removed == 4
    assert [Path(m.folder / m.tables["things"]["file"]).exists() for m in listed] == [False, False]


def test_merged_parts_stay_until_no_index_in_use_names_them(zone, ingest, run, rows):
    ingest(1), ingest(2)
    run(LATER)
    listed = zone.manifests()
    ingest(3)
    run(LATER + 2 * DAY)
    run(LATER + WEEK + DAY)
    assert len(rows(listed, "things")) == 4
    run(LATER + WEEK + 3 * DAY)
    assert not Path(listed[0].table_path("things")).exists()
    assert len(list((zone.root / "shop/things/compacted").iterdir())) == 2


def test_quarantine_and_pages_are_never_removed(zone, things, given, make_thing, noon, run, rows):
    for hours in (2, 1):
        extract(given([make_thing(hours), b"{"]), things, zone, noon - hours * HOUR)
    run(LATER)
    assert run(LATER + 30 * DAY).removed
    assert [row["reason"] for row in rows(zone.manifests(), "quarantine")] == ["not valid JSON"] * 2
    assert len(list(zone.root.rglob("*.gz"))) == 2


# ------------------------------------------------------------------------------------------- replay


def test_replay_of_the_same_declarations_changes_nothing_but_the_place(zone, things, ingest, run, seen):
    for hours in range(5):
        ingest(hours)
    before = seen()
    run()
    replay_stream(zone, things)
    assert seen() == before
    assert parts(zone) == 5
    run()
    assert seen() == before
    assert parts(zone) == 1


def test_replay_fills_a_new_column_of_what_was_compacted_and_cleaned(zone, things, ingest, run, rows):
    for hours in (2, 1):
        ingest(hours, count=1, loyalty=f"gold {hours}")
    run()
    assert run(LATER).removed
    table = things.tables["things"]
    columns = table.columns | {"loyalty": Column("$.loyalty")}
    wider = replace(things, tables=things.tables | {"things": replace(table, columns=columns)})
    replay_stream(zone, wider)
    run(LATER)
    assert parts(zone) == 1
    assert sorted(row["loyalty"] for row in rows(zone.manifests(), "things")) == [
        "gold 1",
        "gold 2",
    ]


def test_replay_of_one_run_takes_along_those_it_shares_parts_with(zone, things, ingest, run, seen):
    for hours in (1, 2, 30, 31):
        ingest(hours)
    before = seen()
    run()
    chosen = zone.manifests()[0].run
    assert len(replay_stream(zone, things, chosen)) == 2
    assert parts(zone) == 3
    assert seen() == before


def test_a_replay_that_fails_changes_nothing_that_was_compacted(zone, things, ingest, run, seen):
    landed = [ingest(hours) for hours in (1, 2, 3)]
    run()
    before, index = seen(), read_index(zone.folder("shop", "things"))
    page = landed[1].folder / landed[1].pages[0]["file"]
    page.write_bytes(page.read_bytes()[:-9])
    with pytest.raises(DamagedPage):
        replay_stream(zone, things)
    assert seen() == before
    assert read_index(zone.folder("shop", "things")) == index


def test_a_damaged_part_is_named_and_nothing_changes(zone, ingest, run, seen):
    landed = [ingest(hours) for hours in (1, 2)]
    path = Path(landed[0].table_path("things"))
    path.write_bytes(Path(landed[1].table_path("things")).read_bytes())
    before = files(zone)
    with pytest.raises(DamagedPart, match=str(path)):
        run()
    assert files(zone) == before


def test_one_damaged_stream_does_not_keep_the_others_from_it(zone, things, ingest, noon):
    other = replace(things, name="others")
    damaged = ingest(1)
    Path(damaged.table_path("things")).write_bytes(b"")
    ingest(2), ingest(1, stream=other), ingest(2, stream=other)
    with pytest.raises(ExceptionGroup, match="not compacted: shop things"):
        compact_all(zone, noon + 3 * DAY)
    assert len({m.table_path("things") for m in zone.manifests("shop", "others")}) == 1


def test_a_damaged_index_is_named(zone, ingest, run):
    ingest(1), ingest(2)
    run()
    path = zone.root / "shop/things/compacted/00000001/index.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=f"{path} is not an index"):
        zone.manifests()


def test_an_object_store_works_like_a_folder(things, ingest, noon, seen):
    zone = LandingZone(UPath(f"memory://compact-{os.getpid()}/landing"))
    for hours in (1, 2, 30):
        ingest(hours, into=zone)
    before = sorted(repr(as_extracted(manifest)) for manifest in zone.manifests())
    held = sorted(
        r["thing_id"] for m in zone.manifests() for b in rows_of(m, "things", 9) for r in b.to_pylist()
    )
    assert compact(zone, "shop", "things", NOON + 3 * DAY).after == 4
    merged = compact(zone, "shop", "things", LATER)
    # The own parts of the two runs of one day; then those of the third, the merged ones of the day, an index.
    assert (merged.after, merged.removed) == (2, 4)
    assert compact(zone, "shop", "things", LATER + 9 * DAY).removed == 2 + 2 + 1
    assert sorted(repr(as_extracted(manifest)) for manifest in zone.manifests()) == before
    again = [r["thing_id"] for m in zone.manifests() for b in rows_of(m, "things", 9) for r in b.to_pylist()]
    assert sorted(again) == held
    stale = read_index(zone.folder("shop", "things"))
    replay_stream(zone, things)
    with pytest.raises(IndexMoved):
        stale.commit([], LATER)
    assert compact(zone, "shop", "things", LATER).before == 6
