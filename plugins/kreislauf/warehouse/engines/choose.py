"""The engine that a connection names."""

from __future__ import annotations

from pathlib import Path

from kreislauf.connections import Connection
from kreislauf.warehouse.engines.base import Engine


def engine_for(connection: Connection) -> Engine:
    """The engine of a connection of type duckdb (host: a folder) or postgres.

    Raises ValueError for another type, or when the duckdb connection names no absolute folder.
    """
    if connection.conn_type == "duckdb":
        from kreislauf.warehouse.engines.parquet import ParquetEngine

        folder = Path(connection.host)
        if not connection.host or not folder.is_absolute():
            raise ValueError(
                f"connection {connection.conn_id!r}: host must be the absolute path of the warehouse's folder"
            )
        settings = {
            name: connection.extra[name] for name in ("threads", "memory_limit") if name in connection.extra
        }
        return ParquetEngine(folder, **settings)
    if connection.conn_type in ("postgres", "postgresql"):
        from kreislauf.warehouse.engines.postgres import PostgresEngine

        return PostgresEngine(
            host=connection.host,
            port=connection.port,
            user=connection.login,
            password=connection.password,
            dbname=connection.schema,
        )
    raise ValueError(
        f"connection {connection.conn_id!r} has the type {connection.conn_type!r}; "
        "a warehouse is duckdb or postgres"
    )
