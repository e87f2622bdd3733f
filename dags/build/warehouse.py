"""Builds the warehouse beside the published one, audits it, and publishes it with one switch.

**When.** Once both hourly extractions have come in (`raw.shop` and `raw.engagement`; the nightly CRM rides
along), one build at a time. The build looks from the moment that both have reached, or from the Param
`as_of`.

**Touches.** Reads the landing zone. Writes a new build into the warehouse and removes old ones, but never
one that was replaced less than an hour ago; `publish` lands who entered and left segments. One task a file
of `include/sql/`, joined as the SQL reads.

**When it is red.** Nothing was published: readers keep the last build, and flows do not send while an audit
stands failed.

- *`begin` is red*: a SQL file is malformed, or reads a table or column that is not there; its log names
  file and line, all of them at once.
- *A table is red*: its log names the error, its "Rendered Templates" show the statement. Mend the SQL file
  (`make sql segments/lapsed_buyers` tries it) and clear the task.
- *An audit is red*: its log names table, rule, count and sample keys; "Data Docs" (tab Details) show every
  rule. Mend the data or the rule (`plugins/kreislauf/quality/expectations/`) and trigger the DAG again.

**To run it again** trigger it. With the same `as_of` and the same extractions it gives the same tables.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from kreislauf.assets import PUBLISHED, RAW_ENGAGEMENT, RAW_SHOP
from kreislauf.warehouse.models import ModelError, load_models
from kreislauf.warehouse.operator import AuditTables, BuildTable, as_of_of_run

SQL = Path(__file__).parents[2] / "include" / "sql"
MODELS = load_models(SQL, check=False)
LAYERS = list(dict.fromkeys(model.layer for model in MODELS.values()))


@task(multiple_outputs=False)
def begin() -> dict[str, str]:
    """Check the SQL files and open a new build."""
    from kreislauf import hooks
    from kreislauf.warehouse.lint import unusable

    try:
        broken = unusable(load_models(SQL))
    except ModelError as error:
        broken = [error]
    if broken:  # trying again would find the same
        raise AirflowFailException("\n".join(map(str, broken)))
    build = hooks.warehouse().begin_build(as_of_of_run(get_current_context()))
    return {"build_id": build.build_id, "as_of": build.as_of.isoformat().replace("+00:00", "Z")}


@task(multiple_outputs=False)
def load_raw(begun: dict[str, str]) -> dict[str, int]:
    """Make what the landing zone holds the build's raw tables."""
    from kreislauf import hooks

    engine = hooks.warehouse()
    return engine.load_raw(engine.build(begun["build_id"]), hooks.landing().manifests())


@task(outlets=[PUBLISHED], multiple_outputs=False)
def publish(begun: dict[str, str], *, outlet_events: Any = None) -> dict[str, int]:
    """Record who entered and left what, switch readers to the build, and remove the oldest ones."""
    from kreislauf import hooks
    from kreislauf.quality.audit import drop_docs
    from kreislauf.warehouse.memberships import record_memberships

    engine = hooks.warehouse()
    build = engine.build(begun["build_id"])
    record_memberships(hooks.landing(), engine, build)
    engine.publish(build)
    outlet_events[PUBLISHED].extra = begun
    drop_docs(engine.drop_old())
    return engine.build(begun["build_id"]).tables


with DAG(
    dag_id="build_warehouse",
    description=__doc__.splitlines()[0],
    doc_md=__doc__,
    schedule=(RAW_SHOP & RAW_ENGAGEMENT),
    catchup=False,
    max_active_runs=1,
    tags=["build"],
    default_args={
        "owner": "data", "retries": 1, "retry_delay": timedelta(seconds=10), "pool": "warehouse",
    },
    params={
        "as_of": Param(
            None, type=["null", "string"], format="date-time", title="As of",
            description="Look from this moment (ISO 8601) instead of from what the extractions have reached.",
        )
    },
) as dag:  # fmt: skip
    begun = begin()
    loaded = load_raw(begun)
    tables: dict[str, BuildTable] = {}
    for layer in LAYERS:
        with TaskGroup(layer, prefix_group_id=True):
            for model in (m for m in MODELS.values() if m.layer == layer):
                table = BuildTable(task_id=model.name.partition(".")[2], model=model)
                reads = [tables[name] for name in model.depends_on if name in tables]
                (reads or loaded) >> table
                tables[model.name] = table

    audits = []
    marts = [layer for layer in LAYERS if layer not in ("staging", "core")]
    for name, layers in {"staging": ["staging"], "core": ["core"], "marts": marts}.items():
        audited = [model for model in MODELS.values() if model.layer in layers]
        audit = AuditTables(task_id=f"audit_{name}", audit=name, models=audited)
        [tables[model.name] for model in audited] >> audit
        audits.append(audit)
    audits >> publish(begun)
