"""Pulls contacts, companies, deals, owners, notes and tickets from the CRM.

**When.** Every night at 01:30 UTC. The first run lists everything; later ones search for what has changed.
Archived records, and with them merged ones, are listed each time.

**Touches** the CRM's API (read only, connection `crm`) and the landing zone. `announce` notes that there is
something new; the next hourly build takes it in.

**Which properties** it asks for stands in `plugins/kreislauf/sources/streams/crm.py`. All are HubSpot's own
but a few on contacts. Five are for what the sales team finds out: `bant_budget` (number, EUR a year),
`bant_authority` (decides, recommends or uses), `bant_need` (high, medium, low or none), `bant_timeframe`
(now, quarter, half_year, year or later) and `bant_project` (checkbox). Four are dates that mail is sent on:
`date_of_birth`, `member_since`, `contract_end` and `baby_due`, which is the day of birth once that is known.
An account without them works too: HubSpot ignores names it does not know, the columns stay empty, and the
log says so each time.

**Rerun.** Clear any task, or trigger a run: a window that was landed is not read again. To read again from
an earlier moment, trigger with "Read again since"; versions of a record that are there twice count once.

**When a task is red**

- *Unauthorized*: the log names the connection. Mend its password (the key) or its scopes, clear the task.
- *Throttled*, *Unavailable*: the CRM is slow, down, or its daily quota is used up. The task tries again by
  itself; clear it later.
- *BadAnswer*: the CRM has changed. The log says what it answered.
- *LandingZoneFull*: make room where the log says. Nothing half written was kept.

If one stream fails nothing is announced: the warehouse waits for complete data.

**When a log warns** of fields that are not declared or missing: a property was renamed or deleted. Decide in
`plugins/kreislauf/sources/streams/`, then replay (`python -m kreislauf.landing.replay --help`).
Records that do not fit lie in `quarantine.parquet` beside the run's manifest, with the reason.
"""

from datetime import timedelta

from airflow.sdk import DAG, chain

from kreislauf.assets import RAW_CRM
from kreislauf.landing.dag import DEFAULTS, PARAMS, announce, pull
from kreislauf.schedule import cron
from kreislauf.sources import streams

with DAG(
    "ingest_crm",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=cron("30 1 * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    tags=["ingest"],
    default_args=DEFAULTS,
    params=PARAMS,
):
    chain(
        [
            pull(streams.CRM_CONTACTS, "crm_api"),
            pull(streams.CRM_COMPANIES, "crm_api"),
            pull(streams.CRM_DEALS, "crm_api"),
            pull(streams.CRM_OWNERS, "crm_api"),
            pull(streams.CRM_NOTES, "crm_api"),
            pull(streams.CRM_TICKETS, "crm_api"),
        ],
        announce(RAW_CRM),
    )
