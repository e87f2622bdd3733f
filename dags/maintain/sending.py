"""Stops and resumes sending, and settles batches that are in doubt.

**When.** By hand: "Trigger", choose what to do. `report` changes nothing.

**What**

- *report*: what is paused, and the batches in doubt with flow, step, size and error.
- *pause*, *resume*: the kill switch of one flow or of everything. It is read again before every batch, so a
  running `send` stops at its next one. Nobody is lost: who is due meanwhile is decided as `paused`, and asked
  again at the next run.
- *settle as accepted*, *settle as rejected*, *send again*: for a batch in doubt, once a person has looked
  into the provider's log. A batch is in doubt when the provider did not answer. It is never sent again by
  itself, and the provider's events usually settle it within minutes. *Send again* may send twice: be sure
  that nothing was accepted.

**Touches** the ledger's tables `control` and `batch`.

**Rerun.** Clearing does the same once more: pausing twice is pausing once.

**When the task is red**: the batch named in the form is not in doubt (any more); the log says so.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from kreislauf.flow.dag import DEFAULTS, describe
from kreislauf.flow.model import dag_id
from kreislauf.ledger.switch import ACTIONS

params = {
    "action": Param("report", enum=list(ACTIONS), title="Do what", description="`report` changes nothing."),
    "scope": Param(
        "all",
        type="string",
        title="Which flow",
        description="For pause and resume: a flow's DAG id, such as flow_welcome, or `all`.",
    ),
    "reason": Param(
        None,
        type=["null", "string"],
        title="Why",
        description="For pause: kept beside the switch. No personal data.",
    ),
    "batch": Param(
        None,
        type=["null", "string"],
        title="Batch",
        description="For settling: the id of the batch in doubt, from the report.",
    ),
}

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    tags=["maintain"],
    default_args=DEFAULTS | {"retries": 0},
    params=params,
) as dag:

    @task(multiple_outputs=False)
    def act(**context: Any) -> dict[str, Any]:
        """Do what the form says, and report how things stand then."""
        from kreislauf import hooks
        from kreislauf.ledger import switch

        wanted = context["params"]
        ledger = hooks.ledger()
        by = f"{context['dag'].dag_id} {context['dag_run'].run_id}"[:128]
        switch.act(ledger, wanted["action"], by, wanted["scope"], wanted["reason"], wanted["batch"])
        return switch.report(ledger)

    act()
