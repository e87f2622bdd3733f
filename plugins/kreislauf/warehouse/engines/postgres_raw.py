"""The raw tables in PostgreSQL: filled from the part files that manifests name, each part once."""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables and columns are ours; values are bound

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from kreislauf.warehouse.engines import base
from kreislauf.warehouse.engines.base import WarehouseError
from kreislauf.warehouse.raw import Columns, cut, raw_columns

if TYPE_CHECKING:
    from kreislauf.landing.manifest import Manifest

COLLATIONS = ("pg_c_utf8", "C.utf8", "C.UTF-8")
"""Orders text by code point, as DuckDB and Spark do, and knows the case of every letter."""

_BATCH_ROWS = 50_000


def load(
    cursor: psycopg.Cursor, manifests: list[Manifest], as_of: datetime
) -> dict[str, tuple[int, str, str | None]]:
    """Make raw what the manifests name; of each table its rows, its fingerprint, and the condition on
    the rows that a build as of the moment has, if it has not all.
    """
    collation = find_collation(cursor)
    loaded = {}
    for name, columns in raw_columns().items():
        if _make_raw(cursor, name, columns, collation):
            cursor.execute("delete from warehouse.parts where table_name = %s", [name])
        if name == "manifests":
            _load_manifests(cursor, manifests)
        else:
            _load_parts(cursor, name, columns, manifests)
        rows = cursor.execute(f"select count(*) from raw.{name}").fetchone()[0]
        where = cut(name, manifests, as_of)
        loaded[name] = rows, _raw_fingerprint(cursor, name, manifests, where), where
    return loaded


def column_definitions(columns: Columns, collation: str = COLLATIONS[0]) -> str:
    """The column list of CREATE TABLE. Tables made from it inherit the collation of their texts."""
    types = {
        "VARCHAR": f'text collate "{collation}"',
        "DOUBLE": "double precision",
        "HUGEINT": "numeric(38, 0)",
    }
    return ", ".join(f'"{name}" {types.get(type, type)}' for name, type in columns.items())


def find_collation(cursor: psycopg.Cursor) -> str:
    """The first of COLLATIONS that the database has. Raises WarehouseError when it has none."""
    found = cursor.execute(
        "select collname from pg_collation where collname = any(%s)", [list(COLLATIONS)]
    ).fetchall()
    for collation in COLLATIONS:
        if (collation,) in found:
            return collation
    raise WarehouseError(
        f"the database has none of the collations {', '.join(COLLATIONS)}, so text would be ordered "
        "otherwise than on other engines; install the C.UTF-8 locale on its host "
        "and run pg_import_system_collations()"
    )


def _make_raw(cursor: psycopg.Cursor, name: str, columns: Columns, collation: str) -> bool:
    """Create the raw table, also when its declaration has changed; whether it was created."""
    there = cursor.execute(
        """select column_name from information_schema.columns
           where table_schema = 'raw' and table_name = %s order by ordinal_position""", [name]
    ).fetchall()  # fmt: skip
    if [column for (column,) in there] == list(columns):
        return False
    cursor.execute(f"drop table if exists raw.{name} cascade")
    cursor.execute(f"create table raw.{name} ({column_definitions(columns, collation)})")
    return True


def _load_parts(cursor: psycopg.Cursor, name: str, columns: Columns, manifests: list[Manifest]) -> None:
    from kreislauf.warehouse.engines.relations import raw_relation

    known = {
        (source, stream, run): sha256
        for source, stream, run, sha256 in cursor.execute(
            "select source, stream, run, sha256 from warehouse.parts where table_name = %s", [name]
        )
    }
    wanted = {(m.source, m.stream, m.run): m for m in manifests if name in m.tables}
    for key, sha256 in known.items():
        if key not in wanted or wanted[key].tables[name]["sha256"] != sha256:
            cursor.execute(f"delete from raw.{name} where _run = %s", [key[2]])
            cursor.execute(
                "delete from warehouse.parts"
                " where table_name = %s and source = %s and stream = %s and run = %s",
                [name, *key],
            )
    new = [m for key, m in wanted.items() if known.get(key) != m.tables[name]["sha256"]]
    if not new:
        return
    # A part may be of several runs, of which some are here already.
    files = dict.fromkeys(m.table_path(name) for m in new)
    here = {m.run for m in wanted.values() if m.table_path(name) in files} - {m.run for m in new}
    where = f"_run not in ({', '.join(_literal(run) for run in sorted(here))})" if here else None
    _copy_files(cursor, name, raw_relation(columns, files, where))
    cursor.executemany(
        "insert into warehouse.parts values (%s, %s, %s, %s, %s, %s)",
        [(name, m.source, m.stream, m.run, m.tables[name]["sha256"], m.tables[name]["rows"]) for m in new],
    )
    cursor.execute(f"analyze raw.{name}")


def _copy_files(cursor: psycopg.Cursor, name: str, relation: str) -> None:
    import duckdb
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False)
    with (
        duckdb.connect() as reader,
        cursor.copy(f"copy raw.{name} from stdin (format csv)") as copy,
    ):
        for batch in reader.sql(relation).to_arrow_reader(_BATCH_ROWS):
            text = io.BytesIO()
            csv.write_csv(batch, text, options)
            copy.write(text.getvalue())


def _load_manifests(cursor: psycopg.Cursor, manifests: list[Manifest]) -> None:
    cursor.execute("truncate raw.manifests")
    with cursor.copy("copy raw.manifests from stdin") as copy:
        for m in manifests:
            rows = sum(part["rows"] for part in m.tables.values())
            window = (_naive(m.window.since), _naive(m.window.until), _naive(m.as_of))
            copy.write_row((m.run, m.source, m.stream, *window, rows))
    cursor.execute("analyze raw.manifests")


def _raw_fingerprint(cursor: psycopg.Cursor, name: str, manifests: list[Manifest], where: str | None) -> str:
    if name == "manifests":
        return base.parts_fingerprint([f"{m.source}/{m.stream}/{m.run}" for m in manifests], None)
    parts = cursor.execute("select sha256 from warehouse.parts where table_name = %s", [name]).fetchall()
    return base.parts_fingerprint([sha256 for (sha256,) in parts], where)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _naive(moment: datetime | None) -> datetime | None:
    return moment and moment.astimezone(UTC).replace(tzinfo=None)
