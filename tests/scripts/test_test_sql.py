"""`make test-sql`: what it says of cases that pass, fail, and are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import test_sql


@pytest.mark.parametrize("name", ["segments/lapsed_buyers", "segments.lapsed_buyers"])
def test_cases_that_pass(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert test_sql.main([name]) == 0
    assert "0 failed" in capsys.readouterr().out


def test_a_case_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "segments" / "lapsed_buyers.yaml"
    copy.parent.mkdir()
    shutil.copy(test_sql.CASES / "segments" / "lapsed_buyers.yaml", copy)
    copy.write_text(copy.read_text() + "\n- name: nobody, and yet somebody\n  expect: [{contact_id: c9}]\n")
    monkeypatch.setattr(test_sql, "CASES", tmp_path)
    assert test_sql.main(["include/sql/segments/lapsed_buyers.sql"]) == 1
    said = capsys.readouterr().out
    assert "FAILED  nobody, and yet somebody" in said
    assert "missing     {contact_id: c9}" in said


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert test_sql.main(["segments/lapsed_buyer"]) == 1
    assert "did you mean segments/lapsed_buyers" in capsys.readouterr().err


def test_of_the_other_files_only_those_that_it_reads_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "-- A table.\n-- owner: crm\n-- grain: order_id\n"
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "orders.sql").write_text(header + "select order_id from raw.shop_orders\n")
    (tmp_path / "core" / "paid.sql").write_text(header + "select order_id from core.orders\n")
    (tmp_path / "core" / "broken.sql").write_text(header + "select order_id from core.nowhere\n")
    (tmp_path / "core" / "paid.yaml").write_text("- name: none\n  expect: []\n")
    monkeypatch.setattr(test_sql, "SQL", tmp_path)
    monkeypatch.setattr(test_sql, "CASES", tmp_path)
    assert test_sql.main(["core/paid"]) == 0

    (tmp_path / "core" / "orders.sql").write_text(header + "select order_id from core.broken\n")
    assert test_sql.main(["core/paid"]) == 1
    assert "broken.sql:4: unknown table core.nowhere" in capsys.readouterr().err
