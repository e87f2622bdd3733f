"""Takes in what people did: site events, mail events, and what our own ledger has recorded.

**When.** Every hour.

**Touches** the inbox folders of the landing zone (files are removed once landed), the landing zone, and the
ledger: `record_outcomes` gives it the mail events, which settles batches in doubt and suppresses addresses
that bounced, complained or opted out. The last tasks read the ledger back for the warehouse. `announce`
then tells `build_warehouse` that there is something new.

**Rerun.** Clear any task, or trigger a run: a file is landed once, an event is recorded once.

**When a task is red**

- *BadAnswer*: a file in an inbox is damaged; the log names it. Move it away or put it in again.
- *LandingZoneFull*: make room where the log says. Nothing half written was kept.
- `record_outcomes`: the ledger does not answer. Clear the task; it takes up everything not recorded yet.

If one stream fails nothing is announced: the warehouse waits for complete data.

**When a log warns** of fields that are not declared: the site or the mail provider sends something new.
Decide in `plugins/kreislauf/sources/streams/`, then replay (`python -m kreislauf.landing.replay --help`).
Lines that do not fit lie in `quarantine.parquet` beside the run's manifest, with the reason.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task

from kreislauf.assets import RAW_ENGAGEMENT
from kreislauf.landing.dag import DEFAULTS, PARAMS, announce, pull
from kreislauf.schedule import cron
from kreislauf.sources import streams

with DAG(
    "ingest_engagement",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=cron("0 * * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    tags=["ingest"],
    default_args=DEFAULTS,
    params=PARAMS,
):

    @task(multiple_outputs=False)
    def record_outcomes() -> dict[str, Any]:
        """Give the ledger the mail events it does not have yet."""
        from kreislauf import hooks
        from kreislauf.landing import outcomes

        return outcomes.record_outcomes(hooks.landing(), hooks.ledger())

    announced = announce(RAW_ENGAGEMENT)
    recorded = record_outcomes()
    pull(streams.MAIL_EVENTS) >> recorded
    for stream in (
        streams.LEDGER_MESSAGES,
        streams.LEDGER_DECISIONS,
        streams.LEDGER_SUPPRESSIONS,
        streams.LEDGER_LINKS,
        streams.LEDGER_EVENTS,
        streams.LEDGER_CONSENTS,
        streams.LEDGER_PUSH_SUBSCRIPTIONS,
        streams.LEDGER_AUDIENCE_MEMBERS,
    ):
        recorded >> pull(stream) >> announced
    pull(streams.SITE_EVENTS) >> announced
