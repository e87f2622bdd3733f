"""Sends the newsletters that come by themselves, and each a second time to who did not open it.

**When.** Whenever `build_warehouse` publishes: an issue goes out with the first build of its day, at the time
the plan says, by each person's own clock. An issue that could not go out for two days is left out.

**What to change where.** include/newsletters.yaml: days, templates in turn, segment, who is left out, time,
resend. A wrong name there is an import error of this DAG. One issue by hand: `campaign_newsletter`.

**Touches** the ledger, under the name `campaign_newsletter`: an issue's name is its key, so nobody gets it
twice, whichever of the two DAGs sends it. Reads the published build.

**Approval.** With more recipients than the plan's `approve_above` messages wait, and `send_approval` asks.

**Rerun.** Clear any task, or trigger a run: what was decided stays decided, nothing is sent twice.

**When a task is red**

- `decide`: nothing is published yet (run `build_warehouse`), or the log names the table.
- `send`: the log says what was refused and which connection to check. What was not sent waits in the
  ledger; mend it and clear the task.
"""

from typing import Any

from airflow.sdk import DAG, chain, task

from kreislauf.assets import PUBLISHED
from kreislauf.flow.campaign import ISSUE, RESEND
from kreislauf.flow.dag import (
    DEFAULTS,
    SEND_RETRIES,
    AskApproval,
    as_of_param,
    describe,
    dry_run_param,
    moment_of,
    run_of,
    send_batches,
)
from kreislauf.flow.model import Step, dag_id
from kreislauf.flow.newsletters import due, load_newsletters
from kreislauf.flow.policy import load_policy

FLOW = "campaign_newsletter"
NEWSLETTERS = load_newsletters()

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=[PUBLISHED],
    catchup=False,
    max_active_runs=1,
    tags=["campaign"],
    default_args=DEFAULTS,
    params={"as_of": as_of_param(), "dry_run": dry_run_param(False)},
) as dag:

    @task(multiple_outputs=False)
    def decide(**context: Any) -> dict[str, Any]:
        """Decide for everyone whom an issue is for, and plan the messages: reasons by issue and step."""
        from kreislauf import hooks
        from kreislauf.flow import campaign
        from kreislauf.flow.candidates import gate
        from kreislauf.flow.decide import decide

        engine, ledger, policy = hooks.warehouse(), hooks.ledger(), load_policy()
        moment = moment_of(context)
        run, counts = run_of(moment, context), {}
        for issue, step in due(NEWSLETTERS, run.as_of, FLOW):
            people = campaign.audience(engine, step, run, issue, policy)
            is_dry = context["params"]["dry_run"]
            counts[f"{issue.name} {step.name}"] = decide(
                ledger, step, run, people, gate(engine, step, run), policy, is_dry
            )
        return moment | {"reasons": counts}

    @task(multiple_outputs=False, pool="mail_api", retry_policy=SEND_RETRIES, trigger_rule="none_failed")
    def send(**context: Any) -> dict[str, Any]:
        """Send the planned batches that are due: messages by step and what became of them."""
        if context["params"]["dry_run"]:
            return {}
        moment = context["ti"].xcom_pull("decide")
        steps = (Step(FLOW, "", name, trigger="") for name in (ISSUE, RESEND))
        return {step.name: send_batches(step, moment, context) for step in steps}

    chain(decide(), AskApproval(flow=FLOW), send())
