"""Cleans the list: suppresses who should not, or cannot, be written to any more.

**When.** On the first day of each quarter at 06:00 UTC, and by hand.

**What.** `find` counts what the models of `include/sql/cleanup/` found in the published build: hard bounces,
repeated soft bounces, complaints, opt-outs, never confirmed, long unengaged, duplicates, invalid addresses.
It writes a report (contact ids, reasons, evidence; its path is the task's return value). If more than
`approve_above` of the list would be affected, `approve` waits for a person (Browse, Required Actions) for at
most a day; no answer is a no. `suppress` then adds suppressions to the ledger.

**Touches** the ledger's table `suppression`, and the folder `reports/list_cleanup`. Nothing is ever deleted.

**Take it back.** Trigger with `undo_run` set to the id of the run to undo: its suppressions are lifted.
Who was lifted is found again only by newer evidence: another bounce, half a year of silence since.

**Rerun.** Clear any task: who is suppressed already stays so, nothing is counted twice.

**When a task is red**

- `find`: nothing is published yet (run `build_warehouse`), or the log names the table.
- `suppress`: the report is missing; clear `find`.
- `undo`: no run of that id has suppressed anything that is still in force.
"""

from typing import Any

from airflow.sdk import DAG, Param, chain, task

from kreislauf.flow.dag import DEFAULTS, ApproveAbove, describe, dry_run_param, moment_of
from kreislauf.flow.model import dag_id
from kreislauf.schedule import cron

params = {
    "approve_above": Param(
        0.05,
        type="number",
        minimum=0,
        maximum=1,
        title="Approve above",
        description="Share of the list (0 to 1) above which a person has to approve.",
    ),
    "undo_run": Param(
        None,
        type=["null", "string"],
        title="Undo a run",
        description="Id of an earlier run whose suppressions are to be lifted; nothing else is done then.",
    ),
    "dry_run": dry_run_param(False),
}

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=cron("0 6 1 1,4,7,10 *"),
    catchup=False,
    max_active_runs=1,
    tags=["maintain"],
    default_args=DEFAULTS,
    params=params,
) as dag:

    @task.branch
    def choose(**context: Any) -> str:
        """Clean up, or take an earlier run back."""
        return "undo" if context["params"]["undo_run"] else "find"

    @task(multiple_outputs=False, retries=0)
    def undo(**context: Any) -> dict[str, int]:
        """Lift what the run named in the form has suppressed."""
        from kreislauf import hooks
        from kreislauf.flow import cleanup

        by = f"{context['dag'].dag_id} {context['dag_run'].run_id}"
        return {"lifted": cleanup.undo(hooks.ledger(), context["params"]["undo_run"], by[:128])}

    @task(multiple_outputs=True)
    def find(**context: Any) -> dict[str, Any]:
        """Write the report, and count contacts by reason."""
        from kreislauf import hooks
        from kreislauf.flow import cleanup

        report = cleanup.report_path(context["dag_run"].run_id)
        return cleanup.find(hooks.warehouse(), moment_of(context)["build_id"], report)

    found = find()

    approve = ApproveAbove(
        task_id="approve",
        value=found["share"],
        limit="{{ params.approve_above }}",
        subject="Suppress a large part of the list?",
        body="{% set seen = ti.xcom_pull('find') %}**{{ seen.contacts }}** contacts, "
        "a share of {{ seen.share }}. By reason: {{ seen.found }}. The report: `{{ seen.report }}`.",
    )

    @task(multiple_outputs=False)
    def suppress(**context: Any) -> dict[str, int]:
        """Suppress who is in the report and is still found."""
        from kreislauf import hooks
        from kreislauf.flow import cleanup

        run_id = context["dag_run"].run_id
        build_id = moment_of(context)["build_id"]
        report = cleanup.report_path(run_id)
        return cleanup.suppress_reported(hooks.warehouse(), hooks.ledger(), build_id, report, run_id)

    @task(multiple_outputs=False)
    def report(found: dict[str, Any], suppressed: dict[str, int]) -> dict[str, Any]:
        """Say what was found, what is newly suppressed, and how to take it back."""
        return found | {"suppressed": suppressed}

    chain(choose(), [undo(), found])
    suppressed = suppress()
    chain(found, approve, suppressed, report(found, suppressed))
