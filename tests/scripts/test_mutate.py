"""`make test-sql faults=yes`: its table, what it keeps, and what is left when it is interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import mutate

SQL = """-- Orders of a size.
-- owner: crm
-- grain: order_id
select
    order_id
from raw.shop_orders
where total_amount >= 100
"""
CASES = """
- name: from a hundred on
  given:
    raw.shop_orders:
      - {order_id: o1, total_amount: 100}
      - {order_id: o2, total_amount: 99}
  expect: [{order_id: o1}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder, name in (
        (tmp_path / "sql", "SQL"),
        (tmp_path / "cases", "CASES"),
        (tmp_path / "var", "KEPT"),
    ):
        monkeypatch.setattr(mutate, name, folder)
        (folder / "core").mkdir(parents=True)
    for table in ("big", "large"):
        (tmp_path / "sql" / "core" / f"{table}.sql").write_text(SQL)
        (tmp_path / "cases" / "core" / f"{table}.yaml").write_text(CASES)
    mutate._models.cache_clear()
    mutate._schema.cache_clear()
    yield tmp_path
    mutate._models.cache_clear()
    mutate._schema.cache_clear()


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["mutate", "--processes", "1", *arguments])
    return mutate.main()


def test_the_table_counts_files_and_faults(root, monkeypatch, capsys):
    assert _run(monkeypatch) == 0
    assert "| core | 2 | 6 | 6 | 100.0% | core.big 100% |\n| all | 2 | 6 " in capsys.readouterr().out


def test_a_file_below_the_share_is_named_with_what_went_unnoticed(root, monkeypatch, capsys):
    (root / "cases" / "core" / "big.yaml").write_text("- name: nothing\n  expect: []\n")
    assert _run(monkeypatch, "core") == 1
    said = capsys.readouterr().out
    assert "below 80 %: core.big" in said
    assert "include/sql/core/big.sql:7: without `WHERE total_amount >= 100`" in said


def test_only_what_was_changed_is_run_again(root, monkeypatch, capsys):
    _run(monkeypatch)
    before = {path.stem: path.stat().st_mtime_ns for path in (root / "var").glob("*.json")}
    (root / "cases" / "core" / "big.yaml").write_text("- name: nothing\n  expect: []\n")
    assert _run(monkeypatch) == 1
    after = {path.stem: path.stat().st_mtime_ns for path in (root / "var").glob("*.json")}
    assert {name for name in after if after[name] != before[name]} == {"core.big"}
    assert "| all | 2 | 6 | 3 |" in capsys.readouterr().out


def test_an_interrupted_run_says_how_far_it_came(root, monkeypatch, capsys):
    whole = mutate._reports

    def interrupted(names, processes):
        yield next(whole(names[:1], processes))
        raise KeyboardInterrupt

    monkeypatch.setattr(mutate, "_reports", interrupted)
    assert _run(monkeypatch) == 130
    said = capsys.readouterr()
    assert "interrupted after 1 of 2 files" in said.err
    assert "| all | 1 | 3 | 3 |" in said.out


def test_cases_that_do_not_fit_are_named_at_the_end(root, monkeypatch, capsys):
    unknown = CASES.replace("total_amount", "amount")
    (root / "cases" / "core" / "big.yaml").write_text(unknown)
    assert _run(monkeypatch) == 1
    said = capsys.readouterr()
    assert "there is no column amount" in said.err
    assert "so not run: core.big" in said.out


def test_a_file_that_is_not_there_is_no_file(root, monkeypatch):
    with pytest.raises(SystemExit, match="did you mean core/large"):
        _run(monkeypatch, "core/larg")
