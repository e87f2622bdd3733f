"""Sends what has come due: messages planned for a later hour, and what a flow's own `send` left.

**When.** Every 15 minutes. A flow plans a message for the hour at which its recipient's night is over, or at
which the step wants to arrive; this sends it then. Consent, suppressions, frequency caps and the kill switch
are asked once more for each message.

**Touches** the ledger and the providers. Reads the published build: what people told the shop or the CRM
about consent since the message was planned.

**Rerun.** Clear it, or trigger it: nothing is sent twice. `as_of` is for replaying the circuit at another
moment.

**When the task is red**: the log says what was refused by whom and which connection to check. Other flows'
messages were sent all the same. What was not sent waits in the ledger.
"""

from typing import Any

from airflow.sdk import DAG, task

from kreislauf.flow.dag import DEFAULTS, SEND_RETRIES, as_of_param, describe, send_due
from kreislauf.flow.model import dag_id
from kreislauf.schedule import cron

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=cron("*/15 * * * *"),
    catchup=False,
    max_active_runs=1,
    tags=["send"],
    default_args=DEFAULTS,
    params={"as_of": as_of_param()},
) as dag:

    @task(multiple_outputs=False, pool="mail_api", retry_policy=SEND_RETRIES)
    def send(**context: Any) -> dict[str, Any]:
        """Send every batch whose moment has come, flow by flow."""
        return send_due(context)

    send()
