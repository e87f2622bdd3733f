"""Pulls customers, orders, refunds, products and abandoned checkouts from the shop.

**When.** Every hour. The first run reads everything, by bulk operations; later ones what has changed.

**Touches** the shop's Admin API (read only, connection `shop`) and the landing zone. `announce` then tells
`build_warehouse` that there is something new.

**Rerun.** Clear any task, or trigger a run: a window that was landed is not read again. To read again from
an earlier moment, trigger with "Read again since"; versions of a record that are there twice count once.

**When a task is red**

- *Unauthorized*: the log names the connection. Mend its login or password, clear the task.
- *Throttled*, *Unavailable*: the shop is slow or down. The task tries again by itself; clear it later.
- *BadAnswer*: the shop has changed, or a file was cut off. The log names the field or the file.
- *LandingZoneFull*: make room where the log says. Nothing half written was kept.

If one stream fails nothing is announced: the warehouse waits for complete data.

**When a log warns** of fields that are not declared or missing: the shop has changed. Decide in
`plugins/kreislauf/sources/streams/`, then replay (`python -m kreislauf.landing.replay --help`).
Records that do not fit lie in `quarantine.parquet` beside the run's manifest, with the reason.
"""

from datetime import timedelta

from airflow.sdk import DAG, chain

from kreislauf.assets import RAW_SHOP
from kreislauf.landing.dag import DEFAULTS, PARAMS, announce, pull
from kreislauf.schedule import cron
from kreislauf.sources import streams

with DAG(
    "ingest_shop",
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    schedule=cron("0 * * * *"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    tags=["ingest"],
    default_args=DEFAULTS,
    params=PARAMS,
):
    chain(
        [
            pull(streams.SHOP_CUSTOMERS, "shop_api"),
            pull(streams.SHOP_ORDERS, "shop_api"),
            pull(streams.SHOP_REFUNDS, "shop_api"),
            pull(streams.SHOP_PRODUCTS, "shop_api"),
            pull(streams.SHOP_CHECKOUTS, "shop_api"),
        ],
        announce(RAW_SHOP),
    )
