from __future__ import annotations

from datetime import UTC, datetime

from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import TimeRestriction

from kreislauf.schedule import cron


def test_a_dag_that_is_switched_on_waits_for_its_next_time():
    # Of a minute the last time is always recent enough for Airflow to begin with.
    timetable = decode_timetable(encode_timetable(cron("* * * * *")))
    switched_on = datetime.now(UTC)
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None,
        restriction=TimeRestriction(earliest=None, latest=None, catchup=False),
    )
    assert first is not None
    assert first.run_after > switched_on
