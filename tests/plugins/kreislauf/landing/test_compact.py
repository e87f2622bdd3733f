from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from kreislauf.landing import compact as compaction
from kreislauf.landing import replay as replaying
from kreislauf.landing.compact import DamagedPart, clean, compact, compact_all
from kreislauf.landing.extract import extract, write_pages
from kreislauf.landing.index import IndexMoved, read_index
from kreislauf.landing.load import load
from kreislauf.landing.manifest import Manifest, Window
from kreislauf.landing.parts import rows as rows_of
from kreislauf.landing.replay import DamagedPage, replay_stream
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.streams import Column

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = timedelta(days=7)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = max(datetime.now(UTC), NOON) + 60 * DAY
"""Long after the tests' files were written and their months were over."""


@pytest.fixture
def ingest(zone, things, given, make_thing, noon) -> Callable[..., Manifest]:
    """Land `count` things as of so many hours before noon; numbered on, so that each row is another."""
    numbers = iter(range(1_000_000))

    def land(hours: float, count: int = 2, stream=things, into=zone, **changes) -> Manifest:
        moment = noon - timedelta(hours=hours)
        run = into.begin(stream.source, stream.name, moment)
        records = given(make_thing(next(numbers), **changes) for _ in range(count))
        pages = write_pages(run.folder, records.read(stream, Window(None, moment), None))
        loaded = load(stream, run.folder, pages, run.name, run.started)
        manifest = Manifest(
            run=run.name,
            source=stream.source,
            stream=stream.name,
            window=Window(None, moment),
            as_of=moment,
            extracted_at=run.started,
            api_version=None,
            pages=pages,
            **vars(loaded),
            folder=run.folder,
        )
        run.commit(manifest)
        return manifest

    return land


@pytest.fixture
def run(zone, noon):
    """Compact the things, by default long after noon."""

    def run(now: datetime = noon + 3 * DAY, **options):
        return compact(zone, "shop", "things", now, **options)

    return run


@pytest.fixture
def seen(zone, rows):
    """All that a build takes from the landing zone, but where it is."""

    def seen(of: LandingZone = zone):
        manifests = of.manifests()
        return (
            {
                table: sorted(rows_once(rows, manifests, table), key=repr)
                for table in ("things", "thing_lines")
            },
            sorted(repr(as_extracted(manifest)) for manifest in manifests),
        )

    return seen


def rows_once(rows, manifests: list[Manifest], table: str):
    """As engines read: each file once, whoever names it."""
    by_path = {m.table_path(table): m for m in manifests if table in m.tables}
    return rows(list(by_path.values()), table)


def as_extracted(manifest: Manifest) -> Manifest:
    tables = {
        name: {key: value for key, value in entry.items() if key != "compacted"}
        for name, entry in manifest.tables.items()
    }
    return replace(manifest, tables=tables, folder=None)


def parts(zone: LandingZone, table: str = "things") -> int:
    return len({m.table_path(table) for m in zone.manifests() if table in m.tables})


def files(zone: LandingZone) -> dict[str, int]:
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

    monkeypatch.setattr(module, "GROUP_ROWS", 4)
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
    assert len(rows_once(rows, listed, "things")) == 4
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
    assert sorted(row["loyalty"] for row in rows_once(rows, zone.manifests(), "things")) == [
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


# ------------------------------------------------------------------------------ at the same moment


class Killed(BaseException):
    """The process ends here; nothing of ours is cleaned up."""


def kill_at(monkeypatch, at: int) -> None:
    """End the process at its `at`-th change of the disk; what it would have tidied up stays."""
    calls = 0

    def watched(owner, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments, **named):
            nonlocal calls
            calls += 1
            if calls >= at:
                raise Killed
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    for name in ("replace", "rename", "unlink", "mkdir"):
        watched(Path, name)
    watched(os, "fsync")
    watched(shutil, "rmtree")


@pytest.mark.parametrize("what", ["compact", "clean", "replay"])
def test_killed_at_any_write_the_old_or_the_new_is_seen(tmp_path, things, ingest, run, seen, what):
    ingest(1), ingest(2)
    if what != "compact":
        run()
    if what == "clean":
        ingest(25)
        run(LATER)
    before, at, is_over = seen(), 0, False
    while not is_over:
        at += 1
        shutil.copytree(tmp_path / "landing", tmp_path / str(at))
        zone = LandingZone(tmp_path / str(at))
        steps = {
            "compact": lambda zone=zone: compact(zone, "shop", "things", NOON + 3 * DAY),
            "clean": lambda zone=zone: clean(zone, "shop", "things", LATER + 8 * DAY),
            "replay": lambda zone=zone: replay_stream(zone, things),
        }
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, at)
            try:
                steps[what]()
                is_over = True
            except Killed:
                pass
        assert seen(zone) == before
        steps[what]()
        assert seen(zone) == before
        compact(zone, "shop", "things", LATER + 10 * DAY)
        compact(zone, "shop", "things", LATER + 20 * DAY)
        assert seen(zone) == before
        assert sorted(path.name for path in zone.root.glob("shop/things/compacted/*/*")) == [
            "index.json",
            "thing_lines-00000.parquet",
            "things-00000.parquet",
        ]
    assert at > 5


def test_ingests_compactions_and_replays_at_the_same_moment(zone, things, ingest, seen, noon):
    """Whoever reads meanwhile sees each run whole and once, and never loses one that was there."""
    failures: list[BaseException] = []
    is_over = threading.Event()

    def keep_doing(what: Callable[[], object]) -> threading.Thread:
        def loop() -> None:
            while not is_over.is_set():
                try:
                    what()
                except BaseException as error:
                    failures.append(error)
                    return

        return threading.Thread(target=loop)

    # Ten days ago: cleaning goes by the real clock.
    began = (NOON - datetime.now(UTC).replace(hour=12)) / HOUR + 240
    for hours in range(3):
        ingest(began + hours)
    threads = [
        keep_doing(lambda: compact(zone, "shop", "things", datetime.now(UTC))),
        keep_doing(lambda: compact(zone, "shop", "things", datetime.now(UTC), 2 * DAY)),
        keep_doing(lambda: replay_stream(zone, things)),
    ]
    for thread in threads:
        thread.start()
    try:
        last: set[str] = set()
        for hours in range(3, 9):
            ingest(began + hours)
            found, manifests = seen()
            assert len(found["things"]) == 2 * len(manifests) == 2 * (hours + 1)
            assert last <= set(manifests)
            last = set(manifests)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    compact(zone, "shop", "things", datetime.now(UTC))
    assert parts(zone) == 1
    assert set(seen()[1]) == last


def test_two_at_once_add_nothing(zone, ingest, run, seen, monkeypatch):
    for hours in range(4):
        ingest(hours)
    before = seen()
    original = compaction._merge

    def overtaken(*arguments):
        monkeypatch.setattr(compaction, "_merge", original)
        done = original(*arguments)
        run()
        return done

    monkeypatch.setattr(compaction, "_merge", overtaken)
    assert run().after == 8
    assert seen() == before
    assert read_index(zone.folder("shop", "things")).number == 1
    # The index and the merged parts of the one that was first.
    assert len(list((zone.root / "shop/things/compacted").iterdir())) == 2


def test_a_replay_during_a_compaction_wins(zone, things, ingest, run, rows, monkeypatch):
    for hours in (1, 2):
        ingest(hours, count=1, test="?")
    assert zone.manifests()[0].tables == {}
    table = things.tables["things"]
    columns = table.columns | {"is_test": Column("$.test")}
    mended = replace(things, tables=things.tables | {"things": replace(table, columns=columns)})
    original = compaction._merge

    def overtaken(*arguments):
        done = original(*arguments)
        replay_stream(zone, mended)
        return done

    monkeypatch.setattr(compaction, "_merge", overtaken)
    run()
    assert [row["is_test"] for row in rows(zone.manifests(), "things")] == ["?", "?"]


def test_a_compaction_during_a_replay_is_taken_back(zone, things, ingest, run, rows, monkeypatch):
    for hours in (1, 2):
        ingest(hours)
    table = things.tables["things"]
    wider = replace(
        things,
        tables=things.tables | {"things": replace(table, columns=table.columns | {"n": Column("$.id")})},
    )
    original = replaying.replay_run

    def overtaken(manifest, stream):
        monkeypatch.setattr(replaying, "replay_run", original)
        run()
        return original(manifest, stream)

    monkeypatch.setattr(replaying, "replay_run", overtaken)
    replay_stream(zone, wider)
    assert parts(zone) == 2
    assert all(row["n"] == row["thing_id"] for row in rows(zone.manifests(), "things"))


def test_cleaning_leaves_alone_what_a_replay_is_writing(zone, things, ingest, run, seen, monkeypatch):
    now = datetime.now(UTC)
    for _ in range(2):
        ingest((NOON - now) / HOUR + 240)
    before = seen()
    run(now - 3 * DAY)
    for path in zone.root.rglob("things.parquet"):
        os.utime(path, (0, 0))
    original = replaying.replay_run

    def overtaken(manifest, stream):
        renewed = original(manifest, stream)
        clean(zone, "shop", "things", now, keep_replaced=DAY)
        return renewed

    monkeypatch.setattr(replaying, "replay_run", overtaken)
    replay_stream(zone, things)
    assert seen() == before


def test_an_index_is_committed_on_its_own_one_alone(zone, ingest, run):
    ingest(1), ingest(2)
    folder = zone.folder("shop", "things")
    empty = read_index(folder)
    run()
    with pytest.raises(IndexMoved):
        empty.commit([], datetime.now(UTC))
    assert len(read_index(folder).manifests) == 2


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


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_a_build_sees_the_same(
    zone, things, ingest, run, seen, rows, noon, monkeypatch, seed
):
    """Random extractions, compactions, cleanings and replays: rows and manifests are those of the ingests."""
    choice = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    monkeypatch.setattr(compaction, "MERGED_ROWS", choice.choice([5, 20, 1_000]))
    landed, now = 0, NOON
    for _ in range(20):
        before = seen()
        match choice.choice(["ingest", "ingest", "ingest", "compact", "replay", "replay one"]):
            case "ingest":
                count = choice.randrange(4)
                manifest = ingest(choice.uniform(0, 24 * 70), count)
                landed += count
                after = seen()
                assert len(after[0]["things"]) == landed
                assert set(after[1]) - set(before[1]) == {repr(as_extracted(manifest))}
                continue
            case "compact":
                now += timedelta(days=choice.uniform(0, 4))
                done = run(now, older_than=choice.choice([1, 30]) * DAY)
                assert done.after <= done.before
                clean(zone, "shop", "things", LATER + (now - NOON), keep_replaced=DAY)
            case "replay":
                replay_stream(zone, things)
            case "replay one":
                chosen = zone.manifests()
                if chosen:
                    assert replay_stream(zone, things, choice.choice(chosen).run)
        assert seen() == before
