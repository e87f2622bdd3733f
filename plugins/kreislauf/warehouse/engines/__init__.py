"""Where the warehouse lives: one adapter an engine, chosen by the Airflow connection `warehouse`."""

from kreislauf.warehouse.engines.base import BuildInfo, Engine, NothingPublished, WarehouseError
from kreislauf.warehouse.engines.choose import engine_for

__all__ = ["BuildInfo", "Engine", "NothingPublished", "WarehouseError", "engine_for"]
