"""A table that does not fit into the memory it was given gets twice as much, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kreislauf.warehouse.engines.base import WarehouseError
from kreislauf.warehouse.engines.parquet import ParquetEngine

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def one_text_of(numbers: int) -> str:
    """It cannot be kept on the disk in part."""
    return f"select length(string_agg(cast(i as varchar), ',')) as length from range({numbers}) as t (i)"


def limit_of(engine: ParquetEngine) -> float:
    [row] = engine.query("select current_setting('memory_limit') as found", build_id=None)
    return float(row["found"].split()[0])


def test_what_needs_more_memory_gets_it_once(tmp_path, caplog):
    engine = ParquetEngine(tmp_path, memory_limit="60MB", threads=1)
    build = engine.begin_build(AS_OF)
    assert engine.create_table(build, "reports.large", one_text_of(2_000_000)) == 1
    assert "reports.large does not fit into 60MB of memory; trying with twice as much" in caplog.text
    engine.create_table(build, "reports.small", one_text_of(10))
    engine.publish(build)
    assert limit_of(engine) < 60, "the next table has the usual limit again"


def test_what_needs_even_more_fails_and_says_where(tmp_path):
    engine = ParquetEngine(tmp_path, memory_limit="60MB", threads=1)
    build = engine.begin_build(AS_OF)
    said = r"reports\.large .* could not be written: Out of Memory.*; .* raise memory_limit"
    with pytest.raises(WarehouseError, match=said):
        engine.create_table(build, "reports.large", one_text_of(20_000_000))
