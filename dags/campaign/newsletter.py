"""Sends one issue of the newsletter to everyone in a segment.

**When.** By hand: "Trigger", choose segment and template, give the issue a name. The first run of an issue
should be the dry run that the form proposes: `preview` then says who would get it and why the others
would not, and everything after it is skipped. Trigger again without `dry_run` to send.

**To whom.** The segment without the people of the segments in `leave_out`. Each gets it at the time chosen in
`at`, by the own clock; `send_due` sends what is for later.

**A second time.** Trigger with `resend` and the same name, three days later or after: who got the issue and
has neither opened nor clicked it gets it once more, with the template's subject named `resend`. What a
machine opened counts as not opened. `campaign_recurring` does this by itself.

**Touches** the ledger (decisions, messages) and the mail provider; reads the published build.

**Approval.** Above `approve_above` recipients `approve` waits for a person (Browse, Required Actions) for at
most a day; no answer is a no.

**Rerun.** The issue's name is its key: nobody gets an issue of the same name twice, whatever is cleared or
triggered again, and with whatever template. Who joined the segment since gets it then.

**When a task is red**

- `preview`: nothing is published yet (run `build_warehouse`), or the log names the table, or what the
  template lacks.
- `send`: the log says what was refused and which connection to check. What was not sent waits in the
  ledger; mend it and clear the task.
"""

from typing import Any

from airflow.sdk import DAG, Param, chain, task

from kreislauf.flow import campaign
from kreislauf.flow.dag import (
    DEFAULTS,
    SEND_RETRIES,
    ApproveAbove,
    as_of_param,
    count_run,
    describe,
    dry_run_param,
    moment_of,
    run_of,
    send_batches,
)
from kreislauf.flow.model import dag_id
from kreislauf.flow.policy import load_policy

SEGMENTS, TEMPLATES = campaign.segments(), campaign.templates("newsletter")

params = {
    "segment": Param(
        "subscribers",
        enum=SEGMENTS,
        title="Segment",
        description="Who gets it: a file of include/sql/segments/.",
    ),
    "leave_out": Param(
        [],
        type="array",
        items={"type": "string", "enum": SEGMENTS},
        examples=SEGMENTS,
        title="Leave out",
        description="Who does not: the people of these segments.",
    ),
    "template": Param(
        "newsletter/monthly",
        enum=TEMPLATES,
        title="Template",
        description="What they get: a template of include/templates/newsletter/.",
    ),
    "name": Param(
        type="string",
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        title="Name of the issue",
        description="Such as 2026-12. Nobody gets an issue of the same name twice.",
    ),
    "at": Param(
        "at once",
        type="string",
        examples=["at once", "at their hour", "at 09:00", "on tuesday at 10:00"],
        title="Time",
        description="When it goes out, by each person's own clock; 'at their hour': when the person reads.",
    ),
    "resend": Param(
        False,
        type="boolean",
        title="Resend",
        description="Send an issue that went out at least three days ago once more to who did not open it.",
    ),
    "approve_above": Param(
        1000,
        type="integer",
        minimum=0,
        title="Approve above",
        description="With more recipients than this a person has to approve before anything is sent.",
    ),
    "as_of": as_of_param(),
    "dry_run": dry_run_param(True),
}


def _issue(context: dict[str, Any]) -> tuple[campaign.Issue, Any]:
    """The issue that the form asks for, and its step."""
    wanted = context["params"]
    issue = campaign.Issue(
        wanted["name"], wanted["template"], wanted["segment"], tuple(wanted["leave_out"]), wanted["at"]
    )
    step = campaign.again if wanted["resend"] else campaign.first
    return issue, step(context["dag"].dag_id, issue)


def _decide(moment: dict[str, Any], context: dict[str, Any], is_dry: bool) -> dict[str, int]:
    from kreislauf import hooks
    from kreislauf.flow.candidates import gate
    from kreislauf.flow.decide import decide

    engine, run, policy = hooks.warehouse(), run_of(moment, context), load_policy()
    issue, step = _issue(context)
    people = campaign.audience(engine, step, run, issue, policy)
    return decide(hooks.ledger(), step, run, people, gate(engine, step, run), policy, is_dry)


with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["campaign"],
    default_args=DEFAULTS,
    params=params,
) as dag:

    @task(multiple_outputs=True)
    def preview(**context: Any) -> dict[str, Any]:
        """Who would get the issue, by language and reason, with a few contact ids to look up."""
        from kreislauf import hooks

        moment = moment_of(context)
        issue, _ = _issue(context)
        people = campaign.preview(hooks.warehouse(), run_of(moment, context), issue)
        reasons = _decide(moment, context, is_dry=True)
        return moment | people | {"reasons": reasons, "recipients": reasons.get("planned", 0)}

    previewed = preview()

    approve = ApproveAbove(
        task_id="approve",
        value=previewed["recipients"],
        limit="{{ params.approve_above }}",
        subject="Send the issue {{ params.name }}{{ ' again' if params.resend }}?",
        body="Template `{{ params.template }}`, segment `{{ params.segment }}`"
        "{% if params.leave_out %} without `{{ params.leave_out | join(', ') }}`{% endif %}. "
        "{% set seen = ti.xcom_pull('preview') %}Recipients: **{{ seen.recipients }}** of {{ seen.people }}. "
        "By language: {{ seen.languages }}. By reason: {{ seen.reasons }}. To look up: {{ seen.sample }}.",
    )

    @task(multiple_outputs=False)
    def plan(**context: Any) -> dict[str, int]:
        """Decide for everyone in the segment, and plan the messages."""
        return _decide(context["ti"].xcom_pull("preview"), context, is_dry=False)

    @task(multiple_outputs=False, pool="mail_api", retry_policy=SEND_RETRIES)
    def send(**context: Any) -> dict[str, Any]:
        """Send the planned batches that are due."""
        _, step = _issue(context)
        return send_batches(step, context["ti"].xcom_pull("preview"), context)

    @task(multiple_outputs=False)
    def account(**context: Any) -> dict[str, Any]:
        """Add up what this run decided and what became of it."""
        return count_run(context)

    chain(previewed, approve, plan(), send(), account())
