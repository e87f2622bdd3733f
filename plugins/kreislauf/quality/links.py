"""The link from an audit task to its Data Docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

DATA_DOCS_URL = "/kreislauf/data_docs"
"""Where the plugin serves `<KREISLAUF_HOME>/data_docs`."""


class DataDocsLink(BaseOperatorLink):
    """Opens the report of the audit, in which every rule and its outcome is listed."""

    name = "Data Docs"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """The report's URL, once the task has run; else none."""
        docs = getattr(operator, "docs", None)
        return f"{DATA_DOCS_URL}/{docs}" if docs else ""
