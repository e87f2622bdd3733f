"""The DAG of a flow. Its graph reads as the flow, and every flow has the same task names.

    trigger -> <step>: decide -> send -> <next step>: decide -> send -> account

A branch decides only; what stands on its sides runs side by side and comes together after it. The
campaign and the DAGs that maintain share what stands here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, ExceptionRetryPolicy, Param, RetryAction, RetryRule, TaskGroup, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

from kreislauf.assets import PUBLISHED
from kreislauf.delivery.transport import DeliveryError, SendingDisabled
from kreislauf.flow.model import Flow, FlowError, Step, dag_id
from kreislauf.flow.policy import load_policy
from kreislauf.flow.summary import note, table
from kreislauf.schedule import BEFORE_A_BUILD

log = logging.getLogger(__name__)

DEFAULTS = {
    "owner": "crm",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "priority_weight": BEFORE_A_BUILD,
}

MANUAL = """

**Steps**

{steps}

**When.** Whenever `build_warehouse` publishes. **Touches** the ledger (decisions, messages) and the mail
provider; reads the published build.

**Rerun.** Clear any task, or trigger a run: what was decided stays decided, nothing is sent twice.
`dry_run` decides everything, shows the counts and takes it back: nothing is written, nothing is sent.

**When a task is red**

- `trigger`: nothing is published yet. Run `build_warehouse`.
- `decide`: the log names the table or field. Nothing was decided; mend it and clear the task.
- `send`: the log says what was refused and which connection to check, such as a wrong key. What was
  not sent waits in the ledger; mend it and clear the task.

**When too few mails go out.** `account` counts the reasons. Many `quality_gate`: a source is behind or the
last build failed its audits. Many `paused`: the kill switch in the ledger is set.
"""

# A refusal does not change by asking again; everything else may.
SEND_RETRIES = ExceptionRetryPolicy(
    rules=[RetryRule(exception=[DeliveryError, SendingDisabled], action=RetryAction.FAIL)]
)


def as_of_param() -> Param:
    """The form's moment, the same in every DAG."""
    return Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="As of",
        description="Decide as of this moment. Empty: the moment of the build that is read.",
    )


def dry_run_param(is_dry: bool) -> Param:
    """The form's switch between counting and doing."""
    return Param(
        is_dry,
        type="boolean",
        title="Dry run",
        description="Count who would be written to, and why the others would not; write and send nothing.",
    )


def flow_dag(flow: Flow, file: str, doc: str | None) -> DAG:
    """The DAG of a flow declared in `file`. Raises FlowError if the flow cannot be run as written."""
    steps = flow.resolve(file)
    text = (doc or "").strip()
    listed = "\n".join(f"{number}. `{step.name}` {step.words}" for number, step in enumerate(steps, 1))
    with DAG(
        dag_id(file),
        description=describe(doc),
        doc_md=text + MANUAL.format(steps=listed),
        schedule=[PUBLISHED],
        catchup=False,
        max_active_runs=1,
        tags=["flow"],
        default_args=DEFAULTS,
        params={"as_of": as_of_param(), "dry_run": dry_run_param(False)},
    ) as dag:

        @task(multiple_outputs=False, task_display_name=flow.in_words())
        def trigger(**context: Any) -> dict[str, Any]:
            """Take the build to decide on, and count the journeys its trigger has started."""
            from kreislauf import hooks
            from kreislauf.flow.candidates import occurrences

            moment = moment_of(context)
            run = run_of(moment, context)
            found = moment | {"occurrences": occurrences(hooks.warehouse(), steps[0], run)}
            return found | ({"dry_run": rehearse(steps, run)} if context["params"]["dry_run"] else {})

        @task(multiple_outputs=False)
        def account(**context: Any) -> dict[str, Any]:
            """Add up what this run decided and what became of it."""
            if context["params"]["dry_run"]:
                counts = context["ti"].xcom_pull("trigger")["dry_run"]["counts"]
                return {step: {"dry_run": counted} for step, counted in counts.items()}
            counted = count_run(context)
            counts = {step.name: counted[step.name] for step in steps if step.name in counted}
            log.info("%s", note(counts))
            return counts

        first, last = trigger(), account()
        groups = {step.name: _step_group(step) for step in steps}
        for step in steps:
            before = [groups[name] for name in dict.fromkeys(each.step for each in step.previous)]
            (before or [first]) >> groups[step.name]
        followed = {each.step for step in steps for each in step.previous}
        [group for name, group in groups.items() if name not in followed] >> last
    dag.fileloc = file  # the file the author wrote, not this one
    return dag


def _step_group(step: Step) -> TaskGroup:
    # The moment is pulled, not passed: an argument would be one more arrow in the picture of the flow.
    with TaskGroup(step.name) as group:

        @task(multiple_outputs=False, task_display_name=step.words)
        def decide(**context: Any) -> dict[str, int]:
            """Give every candidate of this step exactly one reason, and plan the messages."""
            from kreislauf import hooks
            from kreislauf.flow.candidates import candidates, gate
            from kreislauf.flow.decide import decide as decide_step

            moment = context["ti"].xcom_pull("trigger")
            if context["params"]["dry_run"]:
                return moment["dry_run"]["counts"][step.name]
            engine, run, policy = hooks.warehouse(), run_of(moment, context), load_policy()
            rows = candidates(engine, step, run, policy.holdout)
            counts = decide_step(hooks.ledger(), step, run, rows, gate(engine, step, run), policy)
            log.info("%s", table({step.name: counts}))
            return counts

        decided = decide()
        if step.channel is None:
            return group

        @task(
            multiple_outputs=False,
            task_display_name="send",
            pool="mail_api",
            retry_policy=SEND_RETRIES,
            trigger_rule="none_failed",
        )
        def send(**context: Any) -> dict[str, Any]:
            """Send the batches that wait for this step, of this run and of earlier ones."""
            if context["params"]["dry_run"]:
                return {}
            return send_batches(step, context["ti"].xcom_pull("trigger"), context)

        sent = send()
        if step.approve_above is None:
            decided >> sent
        else:
            decided >> AskApproval(flow=step.flow) >> sent
    return group


def moment_of(context: Mapping[str, Any]) -> dict[str, str]:
    """The build that started this run, or the published one, and the moment to decide as of."""
    from kreislauf import hooks

    events = context["triggering_asset_events"]
    extras = [event.extra for event in events[PUBLISHED]] if PUBLISHED in events else []
    if extras:
        build = max(extras, key=lambda extra: extra["as_of"])
    else:
        published = hooks.warehouse().published()
        if published is None:
            raise AirflowFailException("no build is published yet: run build_warehouse first")
        build = {"build_id": published.build_id, "as_of": _iso(published.as_of)}
    return {"build_id": build["build_id"], "as_of": context["params"].get("as_of") or build["as_of"]}


def run_of(moment: Mapping[str, str], context: Mapping[str, Any]) -> Any:
    """The run as the ledger knows it."""
    from kreislauf.flow.decide import Run

    as_of = _aware(datetime.fromisoformat(moment["as_of"]))
    return Run(context["dag_run"].run_id, moment["build_id"], as_of)


def send_batches(step: Step, moment: Mapping[str, str], context: Mapping[str, Any]) -> dict[str, Any]:
    """Send the planned batches of a step that are due; the counts of messages by what became of them.

    What waited too long, through a pause or an outage, is skipped as expired.

    Raises DeliveryError with what to check when the provider refuses to go on.
    """
    as_of = run_of(moment, context).as_of
    return _send(step.flow, step.name, step.channel, as_of, context).counts()


def send_due(context: Mapping[str, Any]) -> dict[str, Any]:
    """Send what is due in any flow: the counts by flow and step.

    One that is refused does not keep the others back. Raises DeliveryError that names all refusals.
    """
    from kreislauf import hooks
    from kreislauf.delivery.transport import DeliveryError
    from kreislauf.ledger.batches import due
    from kreislauf.ledger.store import utc_now

    given = context["params"].get("as_of")
    as_of = _aware(datetime.fromisoformat(given)) if given else utc_now()
    counts, refused = {}, []
    for flow, step, channel in due(hooks.ledger(), utc_now(), as_of):
        try:
            counts[f"{flow}/{step}"] = _send(flow, step, channel, as_of, context).counts()
        except (DeliveryError, FlowError) as error:
            refused.append(str(error))
    if refused:
        raise DeliveryError("; ".join(refused))
    return counts


def _send(flow: str, step: str, channel: Any, as_of: datetime, context: Mapping[str, Any]) -> Any:
    from kreislauf import hooks
    from kreislauf.delivery.sender import SendResult, send
    from kreislauf.delivery.templates import Templates
    from kreislauf.flow.withdraw import withdraw
    from kreislauf.ledger.batches import due, sweep
    from kreislauf.ledger.store import utc_now

    ledger, engine = hooks.ledger(), hooks.warehouse()
    if build := engine.published():
        withdraw(ledger, engine, build, as_of, flow)
    if (flow, step, channel) not in due(ledger, utc_now(), as_of):
        # A channel that nobody is reached on needs no connection.
        return SendResult(swept=sweep(ledger, utc_now()), is_paused=ledger.is_paused(flow))
    transport = _transport(channel)
    if transport is None:
        return SendResult(swept=sweep(ledger, utc_now()))
    owner = f"{context['dag_run'].run_id} try {context['ti'].try_number}"
    return send(ledger, transport, Templates(), flow, step, owner, hooks.links(), as_of=as_of)


def _transport(channel: Any) -> Any:
    """What sends on a channel; None for one that is not set up here: its messages wait, and expire.

    Mail has to be: raises DeliveryError if it is not.
    """
    from kreislauf import hooks
    from kreislauf.ledger.schema import Channel

    try:
        return hooks.transport(channel)
    except (AirflowNotFoundException, ValueError) as error:
        if channel is Channel.EMAIL:
            raise DeliveryError(str(error)) from error
        log.warning("%s is not set up, its messages wait until they expire: %s", channel, error)
        return None


def rehearse(steps: Sequence[Step], run: Any) -> dict[str, Any]:
    """What a dry run shows: the whole flow decided and taken back; counts, and contact ids to look up."""
    from kreislauf import hooks
    from kreislauf.flow.preview import preview

    seen = preview(hooks.warehouse(), hooks.ledger(), steps, run, load_policy()).to_json()
    log.info("nothing is written; would be decided:\n%s", table(seen["counts"]))
    log.info("to look up: %s", seen["samples"])
    return seen


def count_run(context: Mapping[str, Any]) -> dict[str, Any]:
    """What this run decided and what became of it, by step."""
    from kreislauf import hooks
    from kreislauf.flow.account import account

    return account(hooks.ledger(), context["dag"].dag_id, context["dag_run"].run_id)


def describe(doc: str | None) -> str:
    """A DAG's description: the first sentence of its file's docstring."""
    return " ".join((doc or "").split()).partition(". ")[0].rstrip(".") + "."


class AskApproval(TriggerDagRunOperator):
    """Starts `send_approval` for what this run has planned beyond the flow's `approve_above`, if anything."""

    def __init__(self, *, flow: str, **kwargs: Any) -> None:
        super().__init__(
            task_id="ask_approval",
            trigger_dag_id="send_approval",
            trigger_run_id=flow + "__{{ run_id }}",
            conf={"flow": flow, "run_id": "{{ run_id }}"},
            skip_when_already_exists=True,
            **kwargs,
        )
        self.flow = flow

    def execute(self, context: Any) -> Any:
        from kreislauf import hooks
        from kreislauf.ledger.batches import waiting

        messages = waiting(hooks.ledger(), self.flow, context["dag_run"].run_id)
        if not messages:
            raise AirflowSkipException("nothing waits for approval")
        self.log.info("messages that wait for approval, by step: %s", messages)
        return super().execute(context)


class ApproveAbove(ApprovalOperator):
    """Asks a person when `value` is above `limit`, and goes on by itself when it is not.

    A dry run ends here: what follows is skipped. Nobody's answer within `response_timeout` is a no.
    """

    template_fields = (*ApprovalOperator.template_fields, "value", "limit")

    def __init__(self, *, value: Any, limit: Any, **kwargs: Any) -> None:
        kwargs = {"response_timeout": timedelta(days=1), "defaults": self.REJECT, "retries": 0} | kwargs
        super().__init__(**kwargs)
        self.value = value
        self.limit = limit

    def execute(self, context: Any) -> Any:
        if context["params"]["dry_run"]:
            raise AirflowSkipException("dry run: nothing is written, nothing is sent")
        if float(self.value) <= float(self.limit):
            self.log.info("%s is not above %s: no approval needed", self.value, self.limit)
            return None
        return super().execute(context)


def _iso(moment: datetime) -> str:
    return _aware(moment).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
