"""What the ingest DAGs share: a task a stream, and the announcement at the end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule, task

from kreislauf.landing.manifest import iso
from kreislauf.schedule import BEFORE_A_BUILD
from kreislauf.sources.errors import BadAnswer, Throttled, Unauthorized, Unavailable
from kreislauf.sources.streams import Stream

DEFAULTS = {
    "owner": "data",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "priority_weight": BEFORE_A_BUILD,
}

# Inside a task, requests are tried again for minutes already; these are the tries after that.
RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(Unauthorized, RetryAction.FAIL, reason="refused: mend the connection first"),
        RetryRule(BadAnswer, RetryAction.FAIL, reason="the source has changed: asking again gives the same"),
        RetryRule(Throttled, RetryAction.RETRY, retry_delay=timedelta(minutes=10), reason="throttled"),
        RetryRule(Unavailable, RetryAction.RETRY, retry_delay=timedelta(minutes=2), reason="no answer"),
    ]
)

PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="As of",
        description="Read what changed before this moment. Empty: the start of the run.",
    ),
    "since": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="Read again since",
        description="Also read again what changed since this moment. Empty: since the last run.",
    ),
}


def pull(stream: Stream, pool: str = "default_pool") -> Any:
    """The task that lands one window of a stream. It returns counts."""

    @task(
        task_id=f"pull_{stream.source}_{stream.name}" if stream.name == "events" else f"pull_{stream.name}",
        pool=pool,
        retry_policy=RETRIES,
        multiple_outputs=False,
    )
    def pull_stream(**context: Any) -> dict[str, Any]:
        from kreislauf import hooks
        from kreislauf.landing.extract import extract

        since = context["params"]["since"]
        again = parse_moment(since) if since else None
        source, moment = hooks.source(stream), as_of(context)
        manifest = extract(source, stream, hooks.landing(), moment, again)
        if manifest is None:
            return {"records": 0, "until": iso(min(moment, source.now() or moment))}
        return {
            "records": manifest.rows,
            "rows": {name: table["rows"] for name, table in manifest.tables.items()},
            "quarantined": manifest.quarantined,
            "unknown_fields": manifest.unknown_fields,
            "missing_fields": manifest.missing_fields,
            "until": iso(manifest.window.until),
        }

    return pull_stream()


def announce(asset: Asset) -> Any:
    """The last task: one asset event a run, with the moment all its streams reach to."""

    @task(outlets=[asset])
    def announce(**context: Any) -> str:
        pulled = context["ti"].xcom_pull(task_ids=sorted(context["task"].upstream_task_ids))
        moment = min(result["until"] for result in pulled if "until" in result)
        context["outlet_events"][asset].extra = {"as_of": moment}
        return moment

    return announce()


def as_of(context: Mapping[str, Any]) -> datetime:
    """The end of the run's window, whole seconds: the Param, else the start of the run."""
    if given := context["params"]["as_of"]:
        return parse_moment(given)
    run = context["dag_run"]
    return (run.start_date or run.run_after).astimezone(UTC).replace(microsecond=0)


def parse_moment(text: str) -> datetime:
    """A moment of the form; without a zone it is meant as UTC."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)
