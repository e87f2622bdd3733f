"""When a message may go out by the recipient's own clock: quiet hours, and a step's time of day.

Asked when it is planned, and again when its batch is claimed: after a pause it may be night there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class LocalTime:
    """A time of day by the person's own clock.

    :param weekdays: numbers of the days allowed, Monday is 0; empty: any day
    :param at: None: the hour at which this person reads (scores.send_time)
    :param until: None: at that moment only; else any moment from `at` until this one on the same day
    """

    weekdays: tuple[int, ...] = ()
    at: time | None = None
    until: time | None = None


@dataclass(frozen=True)
class QuietHours:
    """From `begin` to `end` by a person's own clock nothing is sent; it may go past midnight."""

    begin: time
    end: time

    def cover(self, now: time) -> bool:
        """Whether it is quiet at this time of day."""
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


@dataclass(frozen=True)
class Hours:
    """A step's time of day and its channel's quiet hours. Without either, every moment is right."""

    local: LocalTime | None = None
    quiet: QuietHours | None = None

    def __bool__(self) -> bool:
        return self.local is not None or self.quiet is not None

    def first_open(self, as_of: datetime, timezone: str, hour: int | None = None) -> datetime:
        """The first moment from `as_of` (aware) on that is right for somebody in `timezone`, in UTC.

        A time of day that is already past means the next day that fits, never "now"; within a span of
        the day it is now. When clocks go forward a time that does not exist is taken an hour later; when
        they go back, the first of the two. A time of day within the quiet hours gives way to them.

        :param hour: the hour at which this person reads, for a `local` without a time of its own
        """
        zone = ZoneInfo(timezone)
        moment = as_of if self.local is None else _next(as_of, zone, self.local, hour)
        if self.quiet is not None and self.quiet.cover(moment.astimezone(zone).time()):
            weekdays = self.local.weekdays if self.local else ()
            moment = _next(moment, zone, LocalTime(weekdays, self.quiet.end), None)
        return moment.astimezone(UTC)

    def first_open_late(self, as_of: datetime, timezone: str, hour: int | None = None) -> datetime:
        """The same for what should have gone out before: past its time of day the rest of the day will do."""
        local = self.local
        if local is not None and local.until is None:
            at = local.at or (None if hour is None else time(hour))
            local = LocalTime(local.weekdays, at, None if at is None else time.max)
        return Hours(local, self.quiet).first_open(as_of, timezone, hour)

    def to_json(self) -> dict[str, Any] | None:
        """As it stands in `batch.hours`; null: every moment is right."""
        local = self.local and [list(self.local.weekdays), _text(self.local.at), _text(self.local.until)]
        quiet = self.quiet and [_text(self.quiet.begin), _text(self.quiet.end)]
        return {"local": local, "quiet": quiet} if self else None

    @classmethod
    def from_json(cls, given: dict[str, Any] | None) -> Hours:
        local, quiet = (given or {}).get("local"), (given or {}).get("quiet")
        return cls(
            local and LocalTime(tuple(local[0]), _time(local[1]), _time(local[2])),
            quiet and QuietHours(*map(time.fromisoformat, quiet)),
        )


ANY_HOUR = Hours()


def _text(at: time | None) -> str | None:
    return at and at.isoformat()


def _time(text: str | None) -> time | None:
    return text and time.fromisoformat(text)  # type: ignore[return-value]


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
