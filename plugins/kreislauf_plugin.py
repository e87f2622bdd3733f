"""Kreislauf in Airflow's UI: the Data Docs that audit tasks link to, and notes on the runs of flows.

With `AIRFLOW__CORE__LAZY_LOAD_PLUGINS=False` this file is loaded before tasks are forked; what it imports,
the hundreds of tasks of a build need not import each.
"""

from __future__ import annotations

import importlib
from typing import Any

from airflow.listeners import hookimpl
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


class RunNotes:
    """Notes on a finished run of a flow or campaign how many were due, planned, skipped and why."""

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """Called in the scheduler with the run it is about to save."""
        from airflow.utils.session import create_session
        from sqlalchemy.orm import object_session

        if not dag_run.dag_id.startswith(("flow_", "campaign_")):
            return
        if session := object_session(dag_run):
            self._note(dag_run, session)
        else:  # from `dag.test`
            with create_session() as session:
                self._note(session.get(type(dag_run), dag_run.id), session)

    def _note(self, dag_run: Any, session: Any) -> None:
        from airflow.models.xcom import XCOM_RETURN_KEY, XComModel

        from kreislauf.flow.summary import note

        if dag_run.dag_run_note is not None and dag_run.dag_run_note.user_id is not None:
            return  # a person's own note stays
        asked = XComModel.get_many(
            run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids="account", key=XCOM_RETURN_KEY
        )
        with session.no_autoflush:
            found = session.scalars(asked).first()
        if found is not None and (text := note(XComModel.deserialize_value(found))):
            dag_run.note = text


class KreislaufPlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "kreislauf"
    fastapi_apps = [{"app": page, "url_prefix": "/kreislauf", "name": "Kreislauf"}]  # ruff: ignore[mutable-class-default]
    listeners = [RunNotes()]  # ruff: ignore[mutable-class-default]
    operator_extra_links = [DataDocsLink()]  # ruff: ignore[mutable-class-default]
