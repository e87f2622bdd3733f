"""Typed parts: reading the rows of a run, and merging parts into one without holding their rows in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kreislauf.landing.files import new_file
from kreislauf.landing.manifest import COMPACTED, Manifest

GROUP_ROWS = 122_880
"""Rows of a row group, as DuckDB writes them by itself: engines read row groups side by side."""

GROUP_BYTES = 64 * 1024 * 1024
"""A row group is closed at this size in memory, however few rows it has."""

_BATCH_ROWS = 16_384


def rows(manifest: Manifest, table: str, at_a_time: int) -> Iterator[pa.RecordBatch]:
    """The rows of a raw table that a run brought, in the order of its records."""
    with manifest.part(table).open("rb") as file:
        part = pq.ParquetFile(file)
        if COMPACTED not in manifest.tables[table]:
            yield from part.iter_batches(at_a_time)
            return
        groups = _groups_with(part, manifest.run)
        for batch in part.iter_batches(at_a_time, row_groups=groups) if groups else ():
            found = batch.filter(pc.equal(batch.column("_run"), manifest.run))
            if found.num_rows:
                yield found


def schema(path: Any) -> pa.Schema:
    """The columns of a part and their types."""
    with path.open("rb") as file:
        return pq.read_schema(file).remove_metadata()


def merge(parts: Iterable[Any], target: Any) -> int:
    """Write the rows of parts of equal schema into one, in their order; return their number."""
    with new_file(target) as file:
        writer: pq.ParquetWriter | None = None
        try:
            for group in _row_groups(parts):
                writer = writer or pq.ParquetWriter(file, group.schema, compression="zstd")
                writer.write_table(group)
        finally:
            if writer:
                writer.close()
    with target.open("rb") as file:
        return pq.read_metadata(file).num_rows


def _row_groups(parts: Iterable[Any]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for path in parts:
        with path.open("rb") as file:
            for batch in pq.ParquetFile(file).iter_batches(_BATCH_ROWS):
                waiting.append(batch.replace_schema_metadata(None))
                rows, size = rows + batch.num_rows, size + batch.nbytes
                if rows >= GROUP_ROWS or size >= GROUP_BYTES:
                    yield pa.Table.from_batches(waiting)
                    waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _groups_with(part: pq.ParquetFile, run: str) -> list[int]:
    """The row groups that may have rows of a run, by their statistics."""
    place = part.schema_arrow.get_field_index("_run")
    found = []
    for number in range(part.num_row_groups):
        statistics = part.metadata.row_group(number).column(place).statistics
        if not (statistics and statistics.has_min_max) or statistics.min <= run <= statistics.max:
            found.append(number)
    return found
