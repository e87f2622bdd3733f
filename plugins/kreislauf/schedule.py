"""When DAGs run by the clock, and whose tasks go first."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable

BEFORE_A_BUILD = 1000
"""The priority of all tasks but a build's. Airflow weighs a task by those that wait for it: a build's first
tables weigh hundreds, and the next hour's build would go before messages that are due.
"""


def cron(expression: str) -> CronTriggerTimetable:
    """A schedule in UTC whose first run is the next one after the DAG is switched on.

    Airflow (3.3) would otherwise begin with the last one when no more than a tenth of the period has passed
    since: a quarterly DAG would run at once for nine days. `run_immediately=False`, its default, is taken as
    if it were None.
    """
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(0))
