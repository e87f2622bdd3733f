from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kreislauf.landing.extract import extract
from kreislauf.landing.replay import DamagedPage, main, replay_run
from kreislauf.sources.streams import CRM_OWNERS, Column, Stream


@pytest.fixture
def landed(zone, things, given, make_thing, noon):
    records = [make_thing(1), make_thing(2, loyalty="gold"), make_thing(3, test="maybe"), b"{"]
    return extract(given(records), things, zone, noon)


def with_column(stream: Stream, name: str, column: Column) -> Stream:
    table = stream.tables["things"]
    return replace(
        stream, tables=stream.tables | {"things": replace(table, columns=table.columns | {name: column})}
    )


def test_the_same_declarations_give_the_same_files(landed, things):
    before = {path.name: path.read_bytes() for path in landed.folder.iterdir()}
    assert replay_run(landed, things) == landed
    assert {path.name: path.read_bytes() for path in landed.folder.iterdir()} == before


def test_a_new_column_is_filled_from_the_pages(zone, landed, things, rows):
    assert landed.unknown_fields == ["loyalty"]
    replay_run(landed, with_column(things, "loyalty", Column("$.loyalty")))
    [manifest] = zone.manifests()
    assert manifest.unknown_fields == []
    assert [row["loyalty"] for row in rows(manifest, "things")] == [None, "gold"]


def test_a_corrected_type_brings_records_back_from_quarantine(zone, landed, things, rows):
    replay_run(landed, with_column(things, "is_test", Column("$.test")))
    [manifest] = zone.manifests()
    assert [row["thing_id"] for row in rows(manifest, "things")] == ["t1", "t2", "t3"]
    assert [row["line"] for row in rows(manifest, "quarantine")] == [4]


def test_a_table_that_becomes_empty_is_gone(zone, landed, things):
    replay_run(landed, with_column(things, "gone", Column("$.gone", required=True)))
    [manifest] = zone.manifests()
    assert manifest.tables == {}
    assert sorted(path.name for path in manifest.folder.glob("thing*")) == []


def test_the_high_water_mark_stays(zone, landed, things, given, noon):
    replay_run(landed, things)
    source = given([])
    extract(source, things, zone, noon + timedelta(hours=1))
    assert source.windows[0].since == noon - things.overlap


def test_a_damaged_page_is_named_and_nothing_changes(landed, things):
    page = landed.folder / landed.pages[0]["file"]
    page.write_bytes(page.read_bytes()[:-9])
    before = (landed.folder / "manifest.json").read_bytes()
    with pytest.raises(DamagedPage, match=str(page)):
        replay_run(landed, things)
    assert (landed.folder / "manifest.json").read_bytes() == before


def test_one_run_is_replayed_from_the_command_line(zone, given, noon, rows):
    records = [{"id": "o1", "updatedAt": "2026-11-01T00:00:00Z", "email": "o@example.com"}]
    first, second = (
        extract(given(records), CRM_OWNERS, zone, noon + timedelta(hours=hours)) for hours in (0, 1)
    )
    before = rows(second, "crm_owners")
    for manifest in (first, second):
        Path(manifest.table_path("crm_owners")).unlink()
    main([f"file://{zone.root}", "crm", "owners", second.run])
    assert rows(second, "crm_owners") == before
    assert not Path(first.table_path("crm_owners")).exists()


def test_a_whole_zone_is_replayed_from_the_command_line(zone, given, noon, rows):
    records = [{"id": "o1", "updatedAt": "2026-11-01T00:00:00Z", "email": "o@example.com"}]
    manifest = extract(given(records), CRM_OWNERS, zone, noon)
    before = rows(manifest, "crm_owners")
    Path(manifest.table_path("crm_owners")).unlink()
    main([f"file://{zone.root}", "crm"])
    assert rows(manifest, "crm_owners") == before
