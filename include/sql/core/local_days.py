"""When each day begins in each time zone: the first moment of the days around `as_of`, in UTC.

A day begins at midnight; where the clocks are put forward at midnight, an hour later.

owner: data
grain: timezone, day
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

if TYPE_CHECKING:
    import pyarrow

READS = ("core.timezones",)
COLUMNS = {"timezone": "VARCHAR", "day": "DATE", "starts_at": "TIMESTAMP"}

DAYS_BACK = 62
DAYS_AHEAD = 1
"""Where clocks are fourteen hours ahead, tomorrow has begun."""


def rows(tables: Mapping[str, pyarrow.Table], as_of: datetime) -> Iterator[dict[str, Any]]:
    today = as_of.date()
    named = set(tables["core.timezones"].column("timezone").to_pylist())
    for name in sorted(named & available_timezones()):
        for days in range(-DAYS_BACK, DAYS_AHEAD + 1):
            day = today + timedelta(days=days)
            # Of a midnight that comes twice the first; one that does not exist is an hour later.
            starts_at = datetime.combine(day, time(), ZoneInfo(name)).astimezone(UTC)
            yield {"timezone": name, "day": day, "starts_at": starts_at}
