"""The build DAG: run whole on a few rows, and what a failed audit does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from kreislauf import hooks
from kreislauf.warehouse.models import load_models
from kreislauf.warehouse.schema import Schema
from kreislauf.warehouse.testing import land_rows

SQL = Path(__file__).parents[3] / "include" / "sql"

CUSTOMER = {
    "customer_id": "gid://shopify/Customer/1",
    "email": "one@example.org",
    "created_at": datetime(2025, 11, 1),
    "updated_at": datetime(2025, 11, 1),
    "email_marketing_state": "SUBSCRIBED",
    "email_marketing_updated_at": datetime(2025, 11, 1),
}
AS_OF = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(Path(__file__).parents[3] / "dags" / "build"))
    assert not bag.import_errors
    return bag.dags["build_warehouse"]


def test_the_edges_are_those_of_the_sql(dag):
    assert dag.get_task("segments.champions").upstream_task_ids >= {"scores.rfm"}
    assert dag.get_task("staging.shop_orders").upstream_task_ids == {"load_raw"}
    assert dag.get_task("audit_staging").upstream_task_ids == {
        task.task_id for task in dag.tasks if task.task_id.startswith("staging.")
    }
    assert dag.get_task("publish").upstream_task_ids == {
        "begin",
        "audit_staging",
        "audit_core",
        "audit_marts",
    }
    assert dag.get_task("publish").trigger_rule == "all_success"


def test_a_table_shows_its_text_before_and_its_statement_after_it_is_rendered(dag, circuit):
    table = dag.get_task("segments.lapsed_buyers")
    assert "{{ as_of }}" in table.sql or "{% set" in table.sql
    table.render_template_fields({"ti": pulled({"as_of": AS_OF, "build_id": "x"})})
    assert "{{" not in table.sql and "{%" not in table.sql
    assert "Owner: " in table.doc_md


def test_a_build_is_published(run_dag, circuit):
    land_rows(circuit.home / "landing", "shop_customers", [CUSTOMER])

    done = run_dag("build/warehouse", as_of=AS_OF)

    assert set(done["states"].values()) == {"success"}
    published = circuit.engine.published()
    assert published.as_of == datetime(2026, 1, 1, tzinfo=UTC)
    assert done["results"]["begin"] == {"build_id": published.build_id, "as_of": AS_OF}
    assert done["results"]["core.contacts"] == published.tables["core.contacts"] == 1
    recorded = hooks.landing().manifests("warehouse", "membership_changes")
    changes = published.tables["reports.membership_changes"]
    assert [(m.cursor, m.rows) for m in recorded] == [(published.build_id, changes)]
    assert changes > 0
    for audit in ("staging", "core", "marts"):
        assert (circuit.home / "data_docs" / published.build_id / f"{audit}.html").is_file()


def test_a_failed_audit_blocks_and_is_not_tried_again(dag, circuit):
    engine = circuit.engine
    good = circuit.publish({})
    build = engine.begin_build(datetime(2026, 1, 1, tzinfo=UTC))
    audit, schema = dag.get_task("audit_marts"), Schema(load_models(SQL))
    rows = {
        "segments.subscribers": "select unnest(['c1', 'c1']) as contact_id",
        "core.contacts": "select 'c1' as contact_id",
    }
    # The marts, and what they are compared with.
    for name in {model.name for model in audit.models} | {n for n in schema if n.startswith("core.")}:
        nothing = ", ".join(f"cast(null as {type}) as {column}" for column, type in schema[name].items())
        engine.create_table(build, name, rows.get(name, f"select {nothing} where false"))

    with pytest.raises(AirflowFailException, match=r"segments\.subscribers: contact_id is unique: .* c1"):
        audit.execute({"ti": pulled({"build_id": build.build_id})})

    assert "segments.subscribers: contact_id is unique" in engine.blocked()
    assert engine.published().build_id == good.build_id
    (link,) = audit.operator_extra_links
    assert link.get_link(audit, ti_key=None) == f"/kreislauf/data_docs/{build.build_id}/marts.html"


def pulled(begun: dict[str, str]) -> SimpleNamespace:
    """A task instance that gives what the task `begin` returned."""
    return SimpleNamespace(xcom_pull=lambda task_ids: begun)
