"""Writing one table of a build, whatever kind of model it is."""

# ruff: file-ignore[hardcoded-sql-expression]: names of tables are ours

from __future__ import annotations

from typing import TYPE_CHECKING

from kreislauf.warehouse.model import Model

if TYPE_CHECKING:
    import pyarrow

    from kreislauf.warehouse.engines import Engine
    from kreislauf.warehouse.engines.base import BuildInfo


def write_table(engine: Engine, build: BuildInfo, model: Model) -> int:
    """Rows written. What the model reads has to be written before.

    Raises WarehouseError or ModelError.
    """

    def read(table: str) -> pyarrow.Table:
        return engine.arrow(f"select * from {table}", build_id=build.build_id)

    return engine.create_table(build, model.name, model.statement(engine.dialect, build.as_of, read))
