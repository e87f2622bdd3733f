"""The build's two operators, and what a run of it looks from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from kreislauf.quality.links import DataDocsLink
from kreislauf.warehouse.models import Model

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


def as_of_of_run(context: Context) -> datetime:
    """The moment a build looks from: the Param `as_of`, else the one that all extractions which started it
    have reached, else the run's start. Aware, UTC.
    """
    chosen = context["params"].get("as_of")
    if chosen:
        moment = datetime.fromisoformat(chosen)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    events: Mapping[Any, Any] = context.get("triggering_asset_events") or {}
    reached = [
        max(datetime.fromisoformat(event.extra["as_of"]) for event in announced)
        for announced in ([e for e in found if "as_of" in e.extra] for found in events.values())
        if announced
    ]
    return min(reached, default=context["dag_run"].run_after).astimezone(UTC)


class BuildTable(BaseOperator):
    """Writes one table of the build from its file.

    The DAG holds the file's text, so an edit makes a new version of the DAG; "Rendered Templates"
    shows the statement as the engine got it.
    """

    template_fields = ("sql",)
    template_fields_renderers = {"sql": "sql"}  # ruff: ignore[mutable-class-default] - as Airflow declares it
    ui_color = "#e8f0ea"

    def __init__(self, *, model: Model, **kwargs: Any) -> None:
        super().__init__(
            doc_md=f"{model.sentence}\n\n"
            f"Owner: {model.owner}. One row for each `{', '.join(model.grain)}`.\n\n"
            f"Reads {', '.join(f'`{table}`' for table in model.depends_on) or 'nothing'}.",
            **kwargs,
        )
        self.model = model
        self.sql = model.path.read_text(encoding="utf-8") if model.path.suffix == ".py" else model.sql

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        from kreislauf import hooks

        if not self.model.is_select:
            return
        begun = context["ti"].xcom_pull(task_ids="begin")
        as_of = datetime.fromisoformat(begun["as_of"])
        self.sql = self.model.compile(hooks.warehouse().dialect, as_of)

    def execute(self, context: Context) -> int:
        """Rows written. Raises WarehouseError, which names the file."""
        from kreislauf import hooks
        from kreislauf.warehouse.build import write_table
        from kreislauf.warehouse.engines import WarehouseError

        engine = hooks.warehouse()
        build = engine.build(context["ti"].xcom_pull(task_ids="begin")["build_id"])
        try:
            rows = write_table(engine, build, self.model)
        except WarehouseError as error:
            raise WarehouseError(f"{self.model.path}: {error}") from None
        self.log.info("%s: %s rows", self.model.name, rows)
        return rows


class AuditTables(BaseOperator):
    """Audits tables of the build; when one breaks a rule, the build is not published."""

    operator_extra_links = (DataDocsLink(),)
    ui_color = "#f3ecd8"

    def __init__(self, *, audit: str, models: list[Model], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.audit = audit
        self.models = models
        self.docs: str | None = None

    def execute(self, context: Context) -> dict[str, int]:
        """How many rules were checked, and how many of those that only warn were broken."""
        from kreislauf import hooks
        from kreislauf.quality.audit import AuditFailed, audit, docs_folder

        engine = hooks.warehouse()
        build = engine.build(context["ti"].xcom_pull(task_ids="begin")["build_id"])
        self.docs = f"{build.build_id}/{self.audit}.html"
        try:
            report = audit(engine, build, self.models, docs_folder(build.build_id) / f"{self.audit}.html")
        except AuditFailed as error:
            engine.block(build, error.headline)
            # The rows will not have changed at the next try.
            raise AirflowFailException(str(error)) from None
        for warning in report.warnings:
            self.log.warning("%s", warning)
        return {"rules": report.rules, "warnings": len(report.warnings)}
