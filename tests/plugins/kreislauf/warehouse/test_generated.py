"""Tables made from all files of a layer."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from kreislauf.warehouse.models import ModelError, load_models


def _segment(folder: Path, name: str, *, grain: str = "contact_id", columns: str = "contact_id") -> None:
    path = folder / "segments" / f"{name}.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"-- It's {name}.\n-- owner: crm\n-- grain: {grain}\nselect {columns} from raw.ids\n")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    columns = {"ids": {"contact_id": "VARCHAR", "day": "DATE"}}
    monkeypatch.setattr("kreislauf.warehouse.models.raw_columns", lambda: columns)
    return tmp_path


def test_a_file_is_enough_to_be_a_member(folder):
    _segment(folder, "young")
    _segment(folder, "loud", columns="contact_id, day")
    models = load_models(folder)
    database = duckdb.connect()
    database.execute("create schema segments")
    database.execute("create table segments.young as select 'c1' as contact_id")
    database.execute("create table segments.loud as select 'c2' as contact_id, date '2026-01-01' as day")
    as_of = datetime(2026, 1, 1)
    members = database.execute(models["segments.members"].compile("duckdb", as_of)).fetchall()
    assert sorted(members) == [("loud", "c2"), ("young", "c1")]
    catalogue = database.execute(models["segments.catalogue"].compile("duckdb", as_of)).fetchall()
    assert sorted(catalogue) == [("loud", "It's loud.", "crm"), ("young", "It's young.", "crm")]


def test_all_files_have_one_grain(folder):
    _segment(folder, "loud")
    _segment(folder, "young", grain="contact_id, day", columns="contact_id, day")
    with pytest.raises(ModelError, match=r"its grain is contact_id, day; that of segments[.]loud"):
        load_models(folder)


def test_their_names_are_taken(folder):
    _segment(folder, "members")
    with pytest.raises(ModelError, match="is made from all segments"):
        load_models(folder)
