"""From records as received to typed Parquet: set-based, in DuckDB, from the column declarations.

A record is loaded whole or not at all. One with a value that does not fit its column, or without
a required one, goes to quarantine with the reason; the reasons name table, column and wanted type,
never the value. Lines are read in chunks, so memory does not grow with the amount.
"""
# ruff: file-ignore[hardcoded-sql-expression]

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kreislauf.landing.columns import extraction_sql, fault_sql, field_name, known_fields, presence_sql
from kreislauf.landing.files import digest, new_file
from kreislauf.landing.manifest import iso
from kreislauf.sources.clocks import latest
from kreislauf.sources.streams import Stream, Table

CHUNK_LINES = 5_000
CHUNK_BYTES = 8 * 1024 * 1024

QUARANTINE = pa.schema(
    {"table_name": pa.string(), "line": pa.int64(), "reason": pa.string(), "record": pa.string()}
)
_LINEAGE = {"_run": pa.string(), "_line": pa.int64(), "_extracted_at": pa.timestamp("us")}
_ARROW = {
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "DECIMAL(18,2)": pa.decimal128(18, 2),
    "TIMESTAMP": pa.timestamp("us"),
    "EPOCH": pa.timestamp("us"),
    "MILLIS": pa.timestamp("us"),
}


@dataclass(frozen=True)
class Loaded:
    """What became of the pages: the typed parts, and what was out of the ordinary."""

    tables: dict[str, dict[str, Any]]
    quarantined: int
    unknown_fields: list[str]
    missing_fields: list[str]


def load(
    stream: Stream, folder: Any, pages: list[dict[str, Any]], run: str, extracted_at: datetime
) -> Loaded:
    """Write the typed part of each raw table, and the quarantine, beside the pages of a run.

    `_line` counts the records of the run from 1, over all its pages; `_child` the elements of an
    exploded array from 1. The same pages give the same files. A table without rows gets no file.
    """
    lineage = {"run": run, "extracted_at": extracted_at.astimezone(UTC).replace(tzinfo=None)}
    known = known_fields(stream)
    unknown: set[str] = set()
    unseen = set() if stream.sparse else {path for table in stream.tables.values() for path in _paths(table)}
    with ExitStack() as stack:
        database = stack.enter_context(duckdb.connect())
        database.execute("set TimeZone = 'UTC'")
        parts = {
            name: stack.enter_context(_Part(folder, name, arrow_schema(table)))
            for name, table in stream.tables.items()
        }
        quarantine = stack.enter_context(_Part(folder, "quarantine", QUARANTINE))
        for lines in _chunks(folder, pages):
            _parse(database, lines)
            for name, table in stream.tables.items():
                database.execute(extraction_sql(name, table))
            database.execute(fault_sql(stream))
            for name, part in parts.items():
                part.write(database.sql(_output_sql(name, stream.tables[name]), params=lineage))
            quarantine.write(database.sql(_QUARANTINE_SQL))
            unknown |= _fields(database) - known
            unseen -= _seen(database, stream, unseen)
    return Loaded(
        tables={name: part.entry() for name, part in parts.items() if part.rows},
        quarantined=quarantine.rows,
        unknown_fields=sorted(unknown),
        missing_fields=sorted(field_name(path) for path in unseen) if pages else [],
    )


def arrow_schema(table: Table) -> pa.Schema:
    """The Parquet schema of a raw table: its columns, then the lineage (`_child` for child tables)."""
    columns = {name: _ARROW.get(column.type, pa.string()) for name, column in table.columns.items()}
    child = {"_child": pa.int64()} if table.explode else {}
    return pa.schema(columns | _LINEAGE | child)


class _Part:
    """A Parquet file that begins to exist with its first row, and is in place once it is complete."""

    def __init__(self, folder: Any, table: str, schema: pa.Schema) -> None:
        self.table = table
        self.name = f"{table}.parquet"
        self.path = folder / self.name
        self.schema = schema
        self.rows = 0
        self._latest: list[datetime | None] = []
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *failure: Any) -> bool | None:
        return self._stack.__exit__(*failure)

    def write(self, result: duckdb.DuckDBPyRelation) -> None:
        rows = result.to_arrow_table()
        if rows.num_rows == 0:
            return
        if self._writer is None:
            file = self._stack.enter_context(new_file(self.path))
            self._writer = self._stack.enter_context(pq.ParquetWriter(file, self.schema, compression="zstd"))
        self._writer.write_table(rows.cast(self.schema))
        self.rows += rows.num_rows
        self._latest.append(latest(self.table, rows))

    def entry(self) -> dict[str, Any]:
        """What the manifest says of this file. `latest`: up to when its rows are, if all of them tell."""
        reached = None if None in self._latest else iso(max(self._latest, default=None))
        return {"file": self.name, "rows": self.rows, "sha256": digest(self.path), "latest": reached}


def _chunks(folder: Any, pages: list[dict[str, Any]]) -> Iterator[dict[str, list[Any]]]:
    """The lines of all pages by column: their numbers, their text, and what can be shown of one that
    is no UTF-8; a chunk at a time."""
    number, size = 0, 0
    numbers: list[int] = []
    lines: list[str | None] = []
    broken: list[str | None] = []
    for page in pages:
        with (folder / page["file"]).open("rb") as raw, gzip.open(raw, "rb") as file:
            for line in file:
                number += 1
                size += len(line)
                numbers.append(number)
                text, damage = _decode(line)
                lines.append(text)
                broken.append(damage)
                if len(numbers) >= CHUNK_LINES or size >= CHUNK_BYTES:
                    yield {"numbers": numbers, "lines": lines, "broken": broken}
                    numbers, lines, broken, size = [], [], [], 0
    if numbers:
        yield {"numbers": numbers, "lines": lines, "broken": broken}


def _decode(line: bytes) -> tuple[str | None, str | None]:
    """The line's text, or, for a line that is not UTF-8, what can be shown of it."""
    try:
        return line.rstrip(b"\r\n").decode(), None
    except UnicodeDecodeError:
        return None, line.rstrip(b"\r\n").decode(errors="replace")


def _parse(database: duckdb.DuckDBPyConnection, lines: dict[str, list[Any]]) -> None:
    """The table `records`: each line as a document, `null` where the line is no JSON object."""
    # As lists, not as an Arrow table: making one from strings imports pandas.
    database.execute(
        """
        create or replace temp table records as
        select
            _line,
            coalesce(line, broken) as record,
            case
                when line is null then 'not UTF-8'
                when not json_valid(line) then 'not valid JSON'
                when json_type(line) <> 'OBJECT' then 'not a JSON object'
            end as damage,
            case when damage is null then line else '{}' end as document
        from (
            select
                unnest($numbers::bigint[]) as _line,
                unnest($lines::varchar[]) as line,
                unnest($broken::varchar[]) as broken
        )
        """,
        lines,
    )


def _output_sql(name: str, table: Table) -> str:
    columns = "".join(f'"{column}", ' for column in table.columns)
    child = ", _child" if table.explode else ""
    return (
        f"select {columns}$run as _run, _line, $extracted_at::timestamp as _extracted_at{child} "
        f'from "{name}" where _line not in (select _line from faults) order by _line{child}'
    )


_QUARANTINE_SQL = """
    select
        first(table_name order by position) as table_name,
        _line as line,
        string_agg(distinct reason, '; ' order by reason) as reason,
        any_value(record) as record
    from faults join records using (_line)
    group by _line
    order by _line
"""


def _fields(database: duckdb.DuckDBPyConnection) -> set[str]:
    """The fields at the top of the records of this chunk, and those among their `properties`."""
    return {
        name
        for (name,) in database.execute(
            """
            select distinct unnest(json_keys(document)) from records
            union
            select distinct 'properties.' || unnest(json_keys(document, '$.properties')) from records
            where json_type(document, '$.properties') = 'OBJECT'
            """
        ).fetchall()
    }


def _paths(table: Table) -> list[str]:
    """Where the fields of a table's records are; a child's own fields are not looked for."""
    if table.explode:
        return [table.explode]
    return [column.path for column in table.columns.values()]


def _seen(database: duckdb.DuckDBPyConnection, stream: Stream, paths: set[str]) -> set[str]:
    """Those of the paths that some record of this chunk has, or could not have (no parent object)."""
    if not paths:
        return set()
    ordered = sorted(paths)
    [row] = database.execute(presence_sql(ordered)).fetchall()
    return {path for path, is_seen in zip(ordered, row, strict=True) if is_seen}
