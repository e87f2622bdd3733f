from __future__ import annotations

import os
from datetime import timedelta

import pytest
from airflow.sdk import ObjectStoragePath
from upath import UPath

from kreislauf.landing import zone as zones
from kreislauf.landing.extract import extract
from kreislauf.landing.files import new_file
from kreislauf.landing.manifest import Manifest
from kreislauf.landing.zone import LandingZone


@pytest.mark.parametrize("kind", [lambda path: path, UPath, lambda path: ObjectStoragePath(f"file://{path}")])
def test_takes_any_kind_of_path(tmp_path, things, given, make_thing, noon, rows, kind):
    root = tmp_path / "landing"
    extract(given([make_thing(1)]), things, LandingZone(kind(root)), noon)
    [manifest] = LandingZone(root).manifests()
    assert manifest.table_path("things").startswith(str(root))
    assert len(rows(manifest, "things")) == 1


def test_an_object_store_works_like_a_folder(things, given, make_thing, noon):
    zone = LandingZone(UPath(f"memory://bucket-{os.getpid()}/landing"))
    extract(given([make_thing(1)]), things, zone, noon)
    extract(given([make_thing(2)]), things, zone, noon + timedelta(hours=1))
    assert [manifest.rows for manifest in zone.manifests("shop", "things")] == [1, 1]
    assert next(zone.latest("shop", "things")).window.since == noon - things.overlap
    with pytest.raises(ZeroDivisionError):
        extract(given(1 / 0 for _ in range(1)), things, zone, noon + timedelta(hours=2))
    assert len(zone.manifests()) == 2


def test_manifests_are_sorted_and_filtered(zone, things, given, noon):
    for hours in (5, 30, 3):
        extract(given([]), things, zone, noon + timedelta(hours=hours), since=noon)
    assert [manifest.as_of - noon for manifest in zone.manifests()] == sorted(
        manifest.as_of - noon for manifest in zone.manifests("shop", "things")
    )
    assert zone.manifests("crm") == []


def test_latest_comes_first(zone, things, given, noon):
    for hours in (1, 30, 60):
        extract(given([]), things, zone, noon + timedelta(hours=hours))
    assert [(m.as_of - noon) // timedelta(hours=1) for m in zone.latest("shop", "things")] == [60, 30, 1]


def test_a_manifest_survives_being_written_and_read(zone, things, given, make_thing, noon):
    manifest = extract(given([make_thing(1, new="x", test="?")]), things, zone, noon)
    assert zone.manifests() == [manifest]
    assert Manifest.from_json(manifest.to_json(), manifest.folder) == manifest


def test_a_damaged_manifest_is_named(zone, things, given, noon):
    manifest = extract(given([]), things, zone, noon)
    (manifest.folder / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match=f"{manifest.folder}/manifest.json is not a manifest"):
        zone.manifests()


def test_what_killed_runs_left_is_cleaned_away_but_not_what_runs_now(zone, things, given, noon, monkeypatch):
    mine = zone.begin("shop", "things", noon)
    (mine.folder / "part-00000.ndjson.gz.tmp").write_bytes(b"half")
    zone.begin("shop", "things", noon)
    assert mine.folder.exists()
    monkeypatch.setattr(zones, "ABANDONED_AFTER", timedelta(0))
    extract(given([]), things, zone, noon)
    assert not mine.folder.exists()


def test_runs_of_one_moment_have_their_own_folders_and_sort_by_their_start(zone, noon):
    runs = [zone.begin("shop", "things", noon) for _ in range(5)]
    assert len({run.folder for run in runs}) == 5
    assert [run.name for run in runs] == sorted(run.name for run in runs)


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "file"
    with new_file(path) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), new_file(path) as file:
        file.write(b"new")
        _ = 1 / 0
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
