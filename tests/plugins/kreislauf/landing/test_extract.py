"""Windows, the high-water mark, and what is left after things went wrong."""

from __future__ import annotations

import errno
import gzip
import json
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from kreislauf.landing import extract as extraction
from kreislauf.landing.extract import LandingZoneFull, extract
from kreislauf.sources.errors import Unavailable

HOUR = timedelta(hours=1)
HERE = Path(__file__)


def files(zone) -> list[str]:
    return sorted(path.name for path in zone.root.rglob("*") if path.is_file())


def test_the_first_window_is_open_and_the_next_overlaps_it(zone, things, given, noon):
    source = given([])
    extract(source, things, zone, noon)
    extract(source, things, zone, noon + HOUR)
    first, second = source.windows
    assert (first.since, first.until) == (None, noon)
    assert (second.since, second.until) == (noon - things.overlap, noon + HOUR)


def test_pages_hold_the_records_as_received(zone, things, given, make_thing, noon):
    lines = [b'{"id":"t1", "odd" : 1.50}', json.dumps(make_thing(2)).encode()]
    manifest = extract(given(lines), things, zone, noon)
    [page] = manifest.pages
    assert gzip.decompress((manifest.folder / page["file"]).read_bytes()) == b"\n".join(lines) + b"\n"
    assert page["rows"] == 2
    assert manifest.folder == zone.root / "shop" / "things" / "dt=2026-11-22" / f"run={manifest.run}"


def test_a_long_extraction_has_several_pages_and_one_numbering(
    zone, things, given, make_thing, noon, rows, monkeypatch
):
    monkeypatch.setattr(extraction, "PAGE_BYTES", 600)
    manifest = extract(given(make_thing(n) for n in range(10)), things, zone, noon)
    assert len(manifest.pages) > 2
    assert manifest.rows == 10
    assert [row["_line"] for row in rows(manifest, "things")] == list(range(1, 11))


def test_an_empty_window_moves_the_high_water_mark(zone, things, given, noon):
    manifest = extract(given([]), things, zone, noon)
    assert (manifest.pages, manifest.tables, manifest.missing_fields) == ([], {}, [])
    assert files(zone) == ["manifest.json"]


def test_a_window_that_was_landed_is_not_read_again(zone, things, given, make_thing, noon):
    extract(given([make_thing(1)]), things, zone, noon)
    again = given([make_thing(1)])
    assert extract(again, things, zone, noon) is None
    assert extract(again, things, zone, noon - HOUR) is None
    assert again.windows == []
    assert len(zone.manifests()) == 1


def test_reading_again_gives_the_same_rows_in_a_new_version(zone, things, given, make_thing, noon, rows):
    records = [make_thing(n) for n in range(5)]
    first = extract(given(records), things, zone, noon)
    second = extract(given(records), things, zone, noon, since=noon - 100 * HOUR)

    def without_lineage(manifest, table):
        return [
            {k: v for k, v in row.items() if k not in {"_run", "_extracted_at"}}
            for row in rows(manifest, table)
        ]

    assert second.run > first.run
    for table in things.tables:
        assert without_lineage(first, table) == without_lineage(second, table)


def test_reading_again_never_leaves_a_gap(zone, things, given, noon):
    source = given([])
    extract(source, things, zone, noon)
    extract(source, things, zone, noon + 3 * HOUR, since=noon + 2 * HOUR)
    assert source.windows[-1].since == noon - things.overlap


def test_a_window_ends_where_the_sources_own_clock_stands(zone, things, given, make_thing, noon):
    """Our clock may be ahead: what changes in between is not there yet and must not be passed over."""
    first = extract(given([make_thing(1)], clock=noon), things, zone, noon + HOUR)
    assert first.window.until == noon

    late = given([make_thing(2)], clock=noon + 3 * HOUR)
    second = extract(late, things, zone, noon + 2 * HOUR)
    assert (second.window.since, second.window.until) == (noon - things.overlap, noon + 2 * HOUR)


def test_a_source_that_does_not_go_by_windows_is_always_asked(zone, things, given, make_thing, noon):
    extract(given([], goes_by_window=False), things, zone, noon)
    assert extract(given([], goes_by_window=False), things, zone, noon) is None
    assert extract(given([make_thing(1)], goes_by_window=False), things, zone, noon).rows == 1


def test_a_source_that_fails_leaves_nothing_and_the_next_window_covers_it(
    zone, things, given, make_thing, noon
):
    extract(given([]), things, zone, noon)

    def breaks():
        yield make_thing(1)
        raise Unavailable("gone")

    failing = given(breaks())
    with pytest.raises(Unavailable):
        extract(failing, things, zone, noon + HOUR)
    assert files(zone) == ["manifest.json"]
    assert failing.commits == 0

    later = given([make_thing(1)])
    extract(later, things, zone, noon + 2 * HOUR)
    assert later.windows[0].since == noon - things.overlap


def test_a_killed_run_never_happened(zone, things, given, make_thing, noon):
    """Killed by the system after its first page was in place, before the manifest."""
    script = f"""
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE.parents[4] / "plugins")!r}]
from conftest import Given, NOON, ORDERS, thing
from kreislauf.landing import extract as extraction
from kreislauf.landing.zone import LandingZone
extraction.PAGE_BYTES = 600
def lines():
    for number in range(20):
        yield thing(number)
    os.kill(os.getpid(), signal.SIGKILL)
extraction.extract(Given(lines()), ORDERS, LandingZone(Path({str(zone.root)!r})), NOON)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert "part-00000.ndjson.gz" in files(zone)
    assert zone.manifests() == []

    after = given([make_thing(1)])
    extract(after, things, zone, noon)
    assert after.windows[0].since is None
    assert [manifest.rows for manifest in zone.manifests()] == [1]


def test_two_runs_at_once_do_not_meet(zone, things, given, make_thing, noon, rows):
    both_have_begun = threading.Barrier(2, timeout=20)

    def lines(mark):
        yield make_thing(1, tags=[mark])
        both_have_begun.wait()
        yield make_thing(2, tags=[mark])

    results, sources = {}, {mark: given(lines(mark)) for mark in "ab"}
    threads = [
        threading.Thread(target=lambda m=mark: results.update({m: extract(sources[m], things, zone, noon)}))
        for mark in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(zone.manifests()) == 2
    for mark, manifest in results.items():
        assert {row["tags"] for row in rows(manifest, "things")} == {mark}
        assert manifest.rows == 2


def test_a_full_disk_is_named_and_leaves_nothing(zone, things, given, make_thing, noon):
    extract(given([]), things, zone, noon)

    def fills_up():
        yield make_thing(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LandingZoneFull, match=rf"no room to write {zone.root}/shop/things/.*MB free"):
        extract(given(fills_up()), things, zone, noon + HOUR)
    assert files(zone) == ["manifest.json"]


@pytest.mark.parametrize(("limit", "records"), [(4_000, 3_000), (9_000, 600)], ids=["pages", "typed parts"])
def test_no_room_is_noticed_wherever_it_ends(zone, limit, records):
    """The system's own limit on the size of a file: the pages do not fit, or only the typed parts do not."""
    script = f"""
import resource, sys, hashlib
from pathlib import Path
sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE.parents[4] / "plugins")!r}]
from conftest import Given, NOON, ORDERS, thing
from kreislauf.landing.extract import LandingZoneFull, extract
from kreislauf.landing.zone import LandingZone
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
names = (hashlib.sha256(str(n // 4).encode()).hexdigest() for n in range({records}))
try:
    things = (thing(n, tags=[name]) for n, name in enumerate(names))
    extract(Given(things), ORDERS, LandingZone(Path({str(zone.root)!r})), NOON)
except LandingZoneFull as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "no room to write" in done.stdout, done.stderr
    assert files(zone) == []


def test_drift_is_told_to_the_log_without_values(zone, things, given, make_thing, noon, caplog):
    extract(given([make_thing(1, nickname="Zoë", test="Zoë")]), things, zone, noon)
    assert "nickname" in caplog.text
    assert "1 records in quarantine" in caplog.text
    assert "Zoë" not in caplog.text
