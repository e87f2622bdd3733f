"""What `make conformance` prints: an engine a line, and what each table took on each."""

from __future__ import annotations

import pyarrow as pa

from scripts.conformance.__main__ import Verdict, times
from scripts.conformance.build import Built
from scripts.conformance.targets import Result


def verdict(name: str, seconds: dict[str, float], cpu: float | None = 3.25) -> Verdict:
    built = Built("b1", sum(seconds.values()), times=seconds)
    return Verdict(name, Result(built, {table: pa.table({"id": [1]}) for table in seconds}, cpu), [], [], [])


def test_an_engines_line_has_its_seconds_and_those_of_the_middle_table() -> None:
    line = verdict("sail", {"core.a": 1.0, "core.b": 0.25, "core.c": 0.5}).line().split()
    assert line == ["sail", "3", "3", "0", "0", "1.8", "3.2", "500"]
    assert verdict("postgres 18", {"core.a": 1.0}, None).line().split()[-2:] == ["-", "1000"]


def test_tables_are_listed_by_the_longest_that_any_engine_took() -> None:
    here = verdict("duckdb 2.0", {"core.a": 0.1, "core.b": 0.3, "core.c": 0.2})
    there = verdict("spark", {"core.a": 9.0, "core.b": 1.0, "core.c": 2.0})
    lines = [line.split() for line in times([here, there], most=2).strip().splitlines()]
    assert lines[1:] == [
        ["core.a", "0.10", "9.00"],
        ["core.c", "0.20", "2.00"],
        ["all", "3", "tables", "0.6", "12.0"],
    ]
