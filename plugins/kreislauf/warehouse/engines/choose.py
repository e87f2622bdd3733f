"""The engine that a connection names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from kreislauf.connections import Connection
from kreislauf.warehouse.engines.base import Engine


def engine_for(connection: Connection) -> Engine:
    """The engine of a connection of type duckdb (host: a folder), postgres or spark_connect.

    Raises ValueError for another type, or when no absolute folder is named where one is needed.
    """
    if connection.conn_type == "duckdb":
        from kreislauf.warehouse.engines.parquet import ParquetEngine

        folder = _folder(connection, "host", connection.host)
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
    if connection.conn_type == "spark_connect":
        from kreislauf.warehouse.engines.spark import SparkEngine

        folder = _folder(connection, "extra `folder`", connection.extra.get("folder"))
        return SparkEngine(folder, _spark_url(connection), connection.extra.get("settings"))
    raise ValueError(
        f"connection {connection.conn_id!r} has the type {connection.conn_type!r}; "
        "a warehouse is duckdb, postgres or spark_connect"
    )


def _folder(connection: Connection, where: str, path: str | None) -> Path:
    if not path or not Path(path).is_absolute():
        raise ValueError(
            f"connection {connection.conn_id!r}: {where} must be the absolute path of the warehouse's folder"
        )
    return Path(path)


def _spark_url(connection: Connection) -> str:
    """As Spark Connect's clients take it; login and password become user id and token."""
    host = connection.host.removeprefix("sc://").rstrip("/")
    if not host:
        raise ValueError(f"connection {connection.conn_id!r}: host must be Spark Connect's, sc://host")
    url = f"sc://{host}" + (f":{connection.port}" if connection.port else "")
    options = {
        "user_id": connection.login,
        "token": connection.password,
        "use_ssl": "true" if connection.extra.get("use_ssl") else None,
    }
    given = ";".join(f"{name}={quote(value, safe='')}" for name, value in options.items() if value)
    return f"{url}/;{given}" if given else url
