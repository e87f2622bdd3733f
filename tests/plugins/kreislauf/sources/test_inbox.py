from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from kreislauf.landing.extract import extract
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.errors import BadAnswer
from kreislauf.sources.inbox import Inbox
from kreislauf.sources.streams import SITE_EVENTS

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def event(number: int) -> bytes:
    record = {"event_id": f"e{number}", "occurred_at": "2026-11-22T10:00:00Z", "type": "page_view"}
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
def zone(tmp_path) -> LandingZone:
    return LandingZone(tmp_path)


@pytest.fixture
def put(zone):
    def put(name: str, content: bytes):
        path = zone.inbox("site_events") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


def land(zone, hours: int = 0):
    return extract(Inbox(zone, "site_events"), SITE_EVENTS, zone, NOON + timedelta(hours=hours))


def test_files_are_landed_in_the_order_of_their_names_and_removed(zone, put):
    put("2.ndjson", event(3))
    put("1.ndjson.gz", gzip.compress(event(1) + b"\r\n" + event(2)))
    put("3.ndjson.tmp", b"still being written")
    manifest = land(zone)
    [page] = manifest.pages
    assert gzip.decompress((manifest.folder / page["file"]).read_bytes()) == event(1) + event(2) + event(3)
    assert manifest.inbox_files == ["1.ndjson.gz", "2.ndjson"]
    assert [path.name for path in zone.inbox("site_events").iterdir()] == ["3.ndjson.tmp"]


def test_no_inbox_yet_is_an_empty_window(zone):
    assert land(zone).rows == 0


def test_new_files_are_landed_even_at_the_same_moment(zone, put):
    put("1.ndjson", event(1))
    land(zone)
    assert land(zone) is None
    put("2.ndjson", event(2))
    assert land(zone).rows == 1


def test_a_file_that_was_landed_and_not_removed_is_only_removed(zone, put):
    """Killed between the commit and the removal."""
    put("1.ndjson", event(1))
    land(zone)
    left = put("1.ndjson", event(1))
    assert land(zone, hours=1).rows == 0
    assert not left.exists()


def test_a_damaged_file_is_named_and_nothing_is_lost(zone, put):
    good = put("1.ndjson", event(1))
    bad = put("2.ndjson.gz", gzip.compress(event(2) * 500)[:-20])
    with pytest.raises(BadAnswer, match=r"2\.ndjson\.gz is not a complete gzip file"):
        land(zone)
    assert zone.manifests() == []
    assert good.exists()
    assert bad.exists()


def test_a_file_another_run_takes_away_is_no_error(zone, put):
    put("1.ndjson", event(1))
    second = put("2.ndjson", event(2))
    inbox = Inbox(zone, "site_events")
    lines = inbox.read(SITE_EVENTS, None, None)
    assert next(lines) + b"\n" == event(1)
    second.unlink()
    assert list(lines) == []
    assert inbox.position().inbox_files == ["1.ndjson"]
