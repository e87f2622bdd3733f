"""Kreislauf in Airflow's UI: the Data Docs that audit tasks link to.

With `AIRFLOW__CORE__LAZY_LOAD_PLUGINS=False` this file is loaded before tasks are forked; what it imports,
the hundreds of tasks of a build need not import each.
"""

from __future__ import annotations

import importlib
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from kreislauf.quality.links import DataDocsLink

for module in (
    "kreislauf.warehouse.engines.parquet",
    "kreislauf.warehouse.operator",
    "kreislauf.warehouse.build",
    "sqlglot.dialects.duckdb",
    "sqlglot.dialects.postgres",
    "kreislauf.flow.dag",
    "kreislauf.landing.dag",
):
    importlib.import_module(module)


async def page(scope: Any, receive: Any, send: Any) -> None:
    """The app, imported where it is served: every task loads this file, and none needs a web server."""
    from kreislauf.page.app import app

    await app(scope, receive, send)


class KreislaufPlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "kreislauf"
    fastapi_apps = [{"app": page, "url_prefix": "/kreislauf", "name": "Kreislauf"}]  # ruff: ignore[mutable-class-default]
    operator_extra_links = [DataDocsLink()]  # ruff: ignore[mutable-class-default]
