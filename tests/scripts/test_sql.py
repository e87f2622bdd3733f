"""`make sql` tells an analyst what a file becomes, what is wrong with it, and what it gives."""

from __future__ import annotations

import sys

import pytest

from scripts.sql import main


@pytest.fixture
def sql(tmp_path, monkeypatch, capsys):
    """Run the command in an installation of its own; its exit code, output and errors."""
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
    monkeypatch.setenv("KREISLAUF_HOME", str(tmp_path))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sql", *arguments])
        code = main()
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    "name", ["segments/lapsed_buyers", "include/sql/segments/lapsed_buyers.sql", "segments.lapsed_buyers"]
)
def test_before_the_first_build_it_shows_the_statement(sql, name):
    code, out, err = sql(name)
    assert (code, err) == (0, "")
    assert "scores.rfm" in out and "recency_days > 180" in out and "No build has been published yet" in out


def test_a_moment_that_is_none_is_answered_with_an_example(sql, capsys):
    with pytest.raises(SystemExit):
        sql("segments/lapsed_buyers", "--as-of", "yesterday")
    assert "'yesterday' is no moment; write it as 2026-" in capsys.readouterr().err


def test_a_wrong_name_is_answered_with_the_likely_one(sql):
    code, _, err = sql("segments/lapsed_buyer")
    assert code == 1 and "did you mean segments/lapsed_buyers, " in err


def test_all_files_are_checked(sql):
    assert sql("--check") == (0, "", "")
