"""Columns and types: of the raw tables as declared, of the models as DuckDB infers them.

Types are written as DuckDB writes them; they are also PostgreSQL's except for `DOUBLE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import duckdb

from kreislauf.warehouse.models import Model, ModelError
from kreislauf.warehouse.raw import Columns, raw_columns


class Schema(Mapping[str, Columns]):
    """Columns of `layer.table`, inferred when asked for by running the models on no rows.

    A broken model is an error for those who ask for it or for what reads it, not for the others.
    """

    AS_OF = datetime(2026, 1, 1)

    def __init__(self, models: Mapping[str, Model]):
        self._models = models
        self._known = {f"raw.{name}": columns for name, columns in raw_columns().items()}
        self._connection = duckdb.connect()
        self._created: set[str] = set()

    def __getitem__(self, table: str) -> Columns:
        """Raises KeyError for an unknown table, ModelError for a model that DuckDB refuses."""
        if table not in self._known:
            self._known[table] = self._infer(self._models[table])
        return self._known[table]

    def __iter__(self):
        return iter([*(t for t in self._known if t.startswith("raw.")), *self._models])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _infer(self, model: Model) -> Columns:
        for table in model.depends_on:
            columns = self[table]
            if table not in self._created:
                create_table(self._connection, table, columns)
                self._created.add(table)
        try:
            rows = self._connection.execute(f"describe {model.compile('duckdb', self.AS_OF)}").fetchall()
        except duckdb.Error as error:
            raise ModelError(model.path, None, str(error).split("\n\nLINE")[0]) from None
        return {row[0]: row[1] for row in rows}


def create_table(connection: duckdb.DuckDBPyConnection, table: str, columns: Columns) -> None:
    """An empty table of these columns, and its schema when it is the first one in it."""
    layer, _ = table.split(".")
    body = ", ".join(f'"{name}" {type}' for name, type in columns.items())
    connection.execute(f"create schema if not exists {layer}; create or replace table {table} ({body})")
