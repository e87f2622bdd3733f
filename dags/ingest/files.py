"""Takes in the files that people drop: ad spend, letters that came back, and announcements.

**When.** Every night at 01:45 UTC; the next hourly build takes it in. Trigger it by hand at any time.

**What to drop where.** CSV or NDJSON, plain or `.gz`, into a folder of the landing zone:

- `inbox/ad_spend`: `day`, `platform`, `campaign`, `currency`, `amount`; if known `impressions`, `clicks`.
  `platform` and `campaign` are written as in the ads' links (`utm_source`, `utm_campaign`). A later file
  corrects an earlier one, by day, platform, campaign and currency.
- `inbox/postal_returns`: `return_id`, `returned_on`; `customer_id` (the shop's) or `email`; `reason`.
- `inbox/announcements`: `announcement_id`, `kind` (store, event or release), `title`, `announced_at` (it is
  told from then on, which may lie ahead); if known `description`, `starts_at`, `city`, `country` (DE),
  `zip_prefix` (20), `product_type`, `url`, `image_url`. A later file corrects an earlier one, by its id.

The first line of a CSV names the columns, in any order; cells are separated by `;`, `,` or tab; UTF-8.
31.12.2026 and 1.234,50 are read the German way. An amount such as 1.234 can be read in two ways and is not.

**Touches** those folders (files are removed once landed) and the landing zone.

**Rerun.** Clear any task, or trigger a run: a file is landed once, and again only if its rows have changed.

**When a task is red**

- *BadAnswer*: the log names a file, and what is wrong with it. Mend it or move it away, clear the task.
- *LandingZoneFull*: make room where the log says. Nothing half written was kept.

**When a log warns** of records in quarantine: they lie in `quarantine.parquet` beside the run's manifest,
each with file, line and reason. Drop the mended rows as a new file. Of columns that are not declared: they
are not loaded; decide in `plugins/kreislauf/sources/streams/`.
"""

from datetime import timedelta

from airflow.sdk import DAG, chain

from kreislauf.assets import RAW_FILES
from kreislauf.landing.dag import DEFAULTS, PARAMS, announce, pull
from kreislauf.schedule import cron
from kreislauf.sources import streams

with DAG(
    "ingest_files",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=cron("45 1 * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    tags=["ingest"],
    default_args=DEFAULTS,
    params=PARAMS,
):
    chain(
        [pull(streams.AD_SPEND), pull(streams.POSTAL_RETURNS), pull(streams.ANNOUNCEMENTS)],
        announce(RAW_FILES),
    )
