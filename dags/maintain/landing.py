"""Compacts the landing zone: the parts of many runs become one, and builds see what they saw before.

**When.** Daily at 02:30 UTC, and by hand at any time: ingests and builds may run meanwhile.

**What.** An hourly ingest leaves 24 parts a table and day, and a build opens each of them. Of every stream,
the runs of a day that is over get one part a table in common, and those of a month that is over get one for
the month (at most 5 million rows each; parts from before and after a change of the declarations stay apart).
Rows, lineage, manifests and checksums stay the same, so nothing is computed anew because of it. A stream
changes in one commit; the log says how many parts became how many.

**Touches** `<source>/<stream>/compacted/` in the landing zone, and removes parts that merged ones replaced
`keep_replaced` days ago. Pages, the sources' answers as received, are never touched.

**Take it back.** Replay the stream: `python -m kreislauf.landing.replay <zone> <source> <stream>`. Its runs
stand by themselves again, derived from their pages.

**Rerun.** Clear the task: what is compacted stays so. Killed at any moment, it leaves only files that
nothing names, removed by a run a day later.

**When the task is red**

- *not the part that was committed*, *rows are in parts of*: the log names the file. It was changed or
  damaged; replay its stream. That stream stayed as it was, all others are done.
- *is not an index*: restore the file from a backup, or remove the stream's folder `compacted` and replay it.
- No room left: compaction needs the room of a month's typed parts. Make room and clear the task.

**When a build misses a file of the landing zone.** It was begun more than `keep_replaced` days ago: run
`build_warehouse`. With builds further apart than that, raise `keep_replaced`.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from kreislauf.flow.dag import DEFAULTS, describe
from kreislauf.flow.model import dag_id
from kreislauf.schedule import cron

params = {
    "older_than": Param(
        1,
        type="integer",
        minimum=0,
        title="Older than",
        description="Compact what is older than so many whole days. What comes late joins its day.",
    ),
    "keep_replaced": Param(
        7,
        type="integer",
        minimum=1,
        title="Keep replaced",
        description="Days that replaced files stay, for the builds that name them.",
    ),
}

with DAG(
    dag_id(__file__),
    description=describe(__doc__),
    doc_md=__doc__,
    schedule=cron("30 2 * * *"),
    catchup=False,
    max_active_runs=1,
    tags=["maintain"],
    default_args=DEFAULTS | {"owner": "data"},
    params=params,
) as dag:

    @task(multiple_outputs=False)
    def compact(**context: Any) -> dict[str, Any]:
        """Compact each stream; parts before and after, and files removed, of those where anything changed."""
        from datetime import UTC, datetime, timedelta

        from kreislauf import hooks
        from kreislauf.landing.compact import compact_all

        older_than, keep_replaced = (
            timedelta(days=context["params"][name]) for name in ("older_than", "keep_replaced")
        )
        return compact_all(hooks.landing(), datetime.now(UTC), older_than, keep_replaced)

    compact()
