"""How far the clocks of a time zone are ahead of UTC, and from when to when: summer time, too.

Exact from the calendar year before `as_of` to the end of the one after; a zone's first row reaches
back to 1970 and its last ahead to 2100. A name that is no time zone has no rows.

owner: data
grain: timezone, valid_from
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

if TYPE_CHECKING:
    import pyarrow

READS = ("core.timezones",)
COLUMNS = {
    "timezone": "VARCHAR",
    "valid_from": "TIMESTAMP",
    "valid_to": "TIMESTAMP",
    "offset_minutes": "BIGINT",
}

STEP = timedelta(days=7)
"""No zone changes its clocks twice within a week."""


def rows(tables: Mapping[str, pyarrow.Table], as_of: datetime) -> Iterator[dict[str, Any]]:
    start = datetime(as_of.year - 1, 1, 1, tzinfo=UTC)
    end = datetime(as_of.year + 2, 1, 1, tzinfo=UTC)
    named = set(tables["core.timezones"].column("timezone").to_pylist())
    for name in sorted(named & available_timezones()):
        zone = ZoneInfo(name)
        begins = [datetime(1970, 1, 1, tzinfo=UTC), *changes(zone, start, end)]
        ends = [*begins[1:], datetime(2100, 1, 1, tzinfo=UTC)]
        for valid_from, valid_to in zip(begins, ends, strict=True):
            yield {
                "timezone": name,
                "valid_from": valid_from,
                "valid_to": valid_to,
                "offset_minutes": ahead(zone, max(valid_from, start)) // timedelta(minutes=1),
            }


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments between start and end, to the minute, at which the zone's offset changes."""
    moment = start
    while moment < end:
        later = min(moment + STEP, end)
        if ahead(zone, moment) != ahead(zone, later):
            before, after = moment, later
            while after - before > timedelta(minutes=1):
                middle = before + (after - before) // timedelta(minutes=2) * timedelta(minutes=1)
                if ahead(zone, middle) == ahead(zone, moment):
                    before = middle
                else:
                    after = middle
            yield after
        moment = later


def ahead(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
