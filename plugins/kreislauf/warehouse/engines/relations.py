"""Rows in Parquet files as SELECTs for DuckDB: of landed parts, and of the parts of a table.

A part of a table is a folder: `0.parquet` has rows; `removed`, Parquet too, has the rows of the parts before
it that are gone, each with its place.
"""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kreislauf.warehouse.raw import Columns

DATA = "0.parquet"
REMOVED = "removed"

POSITION = "__position"
"""In which data file of a table, and where in it, a row stands: one number."""


def rows_of(files: list[Path], *, with_position: bool = False) -> str:
    """A SELECT of a table's rows, from the data files of its parts in their order."""
    removed = [file for data in files if (file := data.with_name(REMOVED)).exists()]
    if not removed and not with_position:
        return f"select * from {read_parquet(files)}"
    # Both are columns that DuckDB has of every Parquet file.
    position = f"cast(file_index as bigint) * 1099511627776 + file_row_number as {POSITION}"
    rows = f"select *, {position} from {read_parquet(files)}"
    if removed:
        gone = f"select {POSITION} from {read_parquet(removed)}"
        rows = f"select * from ({rows}) where {POSITION} not in ({gone})"
    return rows if with_position else f"select * exclude ({POSITION}) from ({rows})"


def raw_relation(columns: Columns, files: Iterable[str | Path], where: str | None = None) -> str:
    """A SELECT over the part files of a raw table: exactly the declared columns, in their types.

    A column declared after a part was written is NULL there, until the landing zone is replayed.
    """
    typed = ", ".join(f'cast(null as {type}) as "{name}"' for name, type in columns.items())
    empty = f"select {typed} where false"
    if not files:
        return empty
    names = ", ".join(f'"{name}"' for name in columns)
    parts = f"select * from {read_parquet(files, union_by_name=True)}"
    rows = f"select {names} from ({empty} union all by name {parts})"
    return f"{rows} where {where}" if where else rows


def read_parquet(files: Iterable[str | Path], *, union_by_name: bool = False) -> str:
    options = ", union_by_name = true" if union_by_name else ""
    return f"read_parquet([{', '.join(literal(file) for file in files)}]{options})"


def literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
