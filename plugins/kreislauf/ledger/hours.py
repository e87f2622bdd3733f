"""When a message may go out by the recipient's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kreislauf.flow.policy import QuietHours
from kreislauf.flow.words import LocalTime


def send_at(
    as_of: datetime,
    timezone: str,
    local: LocalTime | None = None,
    hour: int | None = None,
    quiet: QuietHours | None = None,
) -> datetime:
    """The first moment from `as_of` (aware) on that a step's time of day and the quiet hours allow, in UTC.

    A time of day that is already past means the next day that fits, never "now"; within a span of the day
    it is now. When clocks go forward a time that does not exist is taken an hour later; when they go
    back, the first of the two.

    :param hour: the hour at which this person reads, for a `local` without a time of its own
    """
    zone = ZoneInfo(timezone)
    moment = as_of if local is None else _next(as_of, zone, local, hour)
    if quiet is not None and _is_quiet(moment.astimezone(zone).time(), quiet):
        moment = _next(moment, zone, LocalTime(at=quiet.end), None)
    return moment.astimezone(UTC)


def _next(start: datetime, zone: ZoneInfo, local: LocalTime, hour: int | None) -> datetime:
    here = start.astimezone(zone)
    is_day = not local.weekdays or here.weekday() in local.weekdays
    if local.at and local.until and is_day and local.at <= here.time() < local.until:
        return start
    at = local.at or (None if hour is None else time(hour))
    if at is None:  # nothing is known of the person: any hour of a day that fits
        if is_day:
            return start
        at = time()
    day = here.date()
    for _ in range(9):  # a week, and a day at each end
        # Through UTC, so that comparing two moments of a zone compares instants and not wall clocks.
        moment = datetime.combine(day, at, zone).astimezone(UTC)
        if moment >= start and (not local.weekdays or day.weekday() in local.weekdays):
            return moment
        day += timedelta(days=1)
    raise AssertionError("every weekday comes within nine days")


def _is_quiet(now: time, quiet: QuietHours) -> bool:
    if quiet.begin < quiet.end:
        return quiet.begin <= now < quiet.end
    return now >= quiet.begin or now < quiet.end
