"""Asks a person whether what a flow has planned may go out.

**When.** A flow starts it when one run plans more messages than its `approve_above`. The flow itself goes on;
the messages wait.

**What to do.** Browse, Required Actions: *Approve* or *Reject*, within a day. No answer is a no. Approved
messages go out with the next `send_due`, those that have expired meanwhile are skipped. Rejected ones are
recorded as skipped, `not_approved`, and never sent.

**Touches** the ledger's tables `batch` and `message`. Clearing `apply` does nothing twice.
"""

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, task

from kreislauf.flow.dag import DEFAULTS, describe
from kreislauf.flow.model import dag_id

YES, NO = "Approve", "Reject"

params = {
    "flow": Param(type="string", title="Flow", description="Whose messages wait, such as flow_winback."),
    "run_id": Param(type="string", title="Run", description="The run of the flow that planned them."),
}

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    tags=["send"],
    default_args=DEFAULTS,
    params=params,
) as dag:

    @task(multiple_outputs=False)
    def count(**context: Any) -> dict[str, int]:
        """How many messages wait, by step."""
        from kreislauf import hooks
        from kreislauf.ledger.batches import waiting

        return waiting(hooks.ledger(), context["params"]["flow"], context["params"]["run_id"])

    ask = HITLOperator(
        task_id="ask",
        subject="Send what {{ params.flow }} has planned?",
        body="Messages by step: {{ ti.xcom_pull('count') }}. Run `{{ params.run_id }}`. "
        "Without an answer within a day they are not sent.",
        options=[YES, NO],
        defaults=[NO],
        response_timeout=timedelta(days=1),
    )

    @task(multiple_outputs=False)
    def apply(**context: Any) -> dict[str, Any]:
        """Write the answer down."""
        from kreislauf import hooks
        from kreislauf.ledger.batches import approve

        chosen = context["ti"].xcom_pull("ask")["chosen_options"]
        wanted = context["params"]
        is_approved = chosen == [YES]
        return {
            "approved": is_approved,
            "messages": approve(hooks.ledger(), wanted["flow"], wanted["run_id"], is_approved),
        }

    count() >> ask >> apply()
