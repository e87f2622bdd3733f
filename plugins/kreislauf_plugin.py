"""Kreislauf in Airflow's UI: the Data Docs that audit tasks link to."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from kreislauf.quality.links import DataDocsLink


async def page(scope: Any, receive: Any, send: Any) -> None:
    """The app, imported where it is served: every task loads this file, and none needs a web server."""
    from kreislauf.page.app import app

    await app(scope, receive, send)


class KreislaufPlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "kreislauf"
    fastapi_apps = [{"app": page, "url_prefix": "/kreislauf", "name": "Kreislauf"}]  # ruff: ignore[mutable-class-default]
    operator_extra_links = [DataDocsLink()]  # ruff: ignore[mutable-class-default]
