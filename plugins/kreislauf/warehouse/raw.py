"""The raw tables as declared: what ingest writes and staging reads."""

from __future__ import annotations

from kreislauf.sources.streams import LINEAGE_COLUMNS, STREAMS

Columns = dict[str, str]
"""Type by column name; types as DuckDB writes them, which PostgreSQL reads too."""

_STORED_AS = {"EPOCH": "TIMESTAMP", "MILLIS": "TIMESTAMP", "JSON_LIST": "VARCHAR"}

MANIFESTS: Columns = {
    "run": "VARCHAR",
    "source": "VARCHAR",
    "stream": "VARCHAR",
    "since": "TIMESTAMP",
    "until": "TIMESTAMP",
    "as_of": "TIMESTAMP",
    "rows": "BIGINT",
}
"""`raw.manifests`: one row an extraction, also of an empty window. `rows`: of all its tables."""


def raw_columns() -> dict[str, Columns]:
    """Every raw table (without its layer) with its columns and types, as declared in streams.py."""
    tables = {"manifests": MANIFESTS}
    for stream in STREAMS:
        for name, table in stream.tables.items():
            declared = {column: _STORED_AS.get(c.type, c.type) for column, c in table.columns.items()}
            position = {"_child": "BIGINT"} if table.explode else {}
            tables[name] = declared | LINEAGE_COLUMNS | position
    return tables
