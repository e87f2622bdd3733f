"""Compaction that is killed, or not alone: beside ingests, replays, cleaning, and itself."""

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

from kreislauf.landing import compact as compaction
from kreislauf.landing import replay as replaying
from kreislauf.landing.compact import clean, compact
from kreislauf.landing.index import IndexMoved, read_index
from kreislauf.landing.replay import replay_stream
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.streams import Column
from tests.plugins.kreislauf.landing.conftest import DAY, HOUR, LATER, NOON, as_extracted, parts


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

    monkeypatch.setattr(compaction, "ABANDONED_AFTER", 1_000 * DAY)
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
