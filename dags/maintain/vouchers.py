"""Keeps enough voucher codes that are good once: makes them, adds them to the shop, stores them as free.

**When.** Every night before the build, and by hand when a step waits as `no_voucher`. One task for each
pool of `include/vouchers.yaml`, which says how many shall be free.

**Touches** the shop (codes are added to a discount that exists there) and the ledger's table `voucher`.

**Rerun.** Clear it: it counts what is free and adds what is missing. A crash between shop and ledger leaves
codes in the shop that nobody gets.

**When a task is red**: the log says whether the shop does not know the discount (make it in the shop's
admin, or mend `include/vouchers.yaml`), does not accept the key of the connection `shop` (the app needs the
scope `write_discounts`), or did not answer (clear it later). Steps with vouchers wait until then; nobody is
lost.
"""

from airflow.sdk import DAG, task

from kreislauf.flow.dag import DEFAULTS, describe
from kreislauf.flow.model import dag_id
from kreislauf.schedule import cron
from kreislauf.vouchers import load_pools

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=cron("40 0 * * *"),
    catchup=False,
    max_active_runs=1,
    tags=["maintain"],
    default_args=DEFAULTS,
) as dag:
    for pool in load_pools().values():

        @task(task_id=pool.name, multiple_outputs=False)
        def fill(name: str) -> dict[str, int]:
            """Add codes until enough are free."""
            from kreislauf import hooks
            from kreislauf.vouchers import fill, load_pools

            return fill(hooks.ledger(), hooks.shop(), load_pools()[name])

        fill(pool.name)
