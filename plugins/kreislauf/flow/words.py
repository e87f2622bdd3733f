"""Delays, limits and shares are written in words, so that a flow reads as a sentence. Parsed strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta
from fractions import Fraction
from typing import Any

from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.hours import LocalTime

AT_ONCE = "at once"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""By the number that `date.weekday()` gives."""

_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_SPAN = re.compile(r"([1-9]\d*) (minute|hour|day|week)s?")
_CAP = re.compile(r"([1-9]\d*) per (.+)")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) %")
_SINCE_TRIGGER = " since trigger"
_DATED = re.compile(r"(\d+ \w+) (before|after) ([a-z][a-z0-9_]*)")
_LOCAL = re.compile(
    rf"(?:on (weekdays|{'|'.join(WEEKDAYS)}) )?"
    r"(?:at (\d\d:\d\d|their hour)|from (\d\d:\d\d) to (\d\d:\d\d))"
)


@dataclass(frozen=True)
class Delay:
    """How long a step waits: for a span since the step before (or since the trigger, or since the moment
    in the trigger's column `date`; before that moment, if the span is negative), and then, if `local` is
    given, for the next such moment of the person's own clock."""

    span: timedelta = timedelta()
    is_since_trigger: bool = False
    local: LocalTime | None = None
    date: str | None = None


def parse_span(words: Any) -> timedelta:
    """Reads "at once", "90 minutes", "1 hour", "2 days", "1 week".

    Raises ValueError for anything else, with the words and what is allowed.
    """
    if words == AT_ONCE:
        return timedelta()
    match = _SPAN.fullmatch(words) if isinstance(words, str) else None
    if match is None:
        raise ValueError(
            f"{words!r} is not a delay; write {AT_ONCE!r}, or a whole number and "
            "minutes, hours, days or weeks, such as '2 days'"
        )
    return int(match[1]) * _UNITS[match[2]]


def parse_delay(words: Any) -> Delay:
    """Reads a span, "3 days since trigger", "1 day before starts_at", "2 hours after starts_at",
    "1 day, at 09:00", "at once, on tuesday at 10:00", "2 days, on weekdays at 08:30",
    "1 day, at their hour", "at once, from 09:00 to 20:00".

    Raises ValueError for anything else, with the words and what is allowed.
    """
    if not isinstance(words, str):
        return Delay(parse_span(words))
    given, comma, local_words = words.partition(", ")
    local = _local_time(local_words) if comma else None
    if match := _DATED.fullmatch(given):
        span = parse_span(match[1])
        return Delay(-span if match[2] == "before" else span, local=local, date=match[3])
    is_since_trigger = given.endswith(_SINCE_TRIGGER)
    return Delay(parse_span(given.removesuffix(_SINCE_TRIGGER)), is_since_trigger, local)


def parse_cap(words: Any) -> FrequencyCap:
    """Reads "1 per 16 hours", "3 per 1 week". Raises ValueError for anything else."""
    match = _CAP.fullmatch(words) if isinstance(words, str) else None
    if match is None:
        raise ValueError(f"{words!r} is not a frequency cap; write it like '1 per 16 hours'")
    return FrequencyCap(int(match[1]), parse_span(match[2]))


def parse_share(words: Any) -> Fraction:
    """Reads "5 %", "0.3 %", "100 %"; gives a number from 0 to 1. Raises ValueError for anything else."""
    match = _SHARE.fullmatch(words) if isinstance(words, str) else None
    share = Fraction(match[1]) / 100 if match else None
    if share is None or share > 1:
        raise ValueError(f"{words!r} is not a share; write it like '5 %', at most '100 %'")
    return share


def span_in_words(span: timedelta) -> str:
    """The words that parse_span reads."""
    for unit in ("week", "day", "hour", "minute"):
        count, rest = divmod(span, _UNITS[unit])
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return AT_ONCE


def delay_in_words(delay: Delay) -> str:
    """What parse_delay reads, without the time of day: "1 day since trigger", "1 day before starts_at"."""
    span = span_in_words(abs(delay.span))
    if delay.date is not None:
        return f"{span} {'before' if delay.span < timedelta() else 'after'} {delay.date}"
    return span + _SINCE_TRIGGER if delay.is_since_trigger else span


def when_in_words(words: str) -> str:
    """A delay's words as one says them of a step: "after 1 day", "at once", "1 day before starts_at"."""
    return words if words.startswith(AT_ONCE) or _DATED.match(words) else f"after {words}"


def _local_time(words: str) -> LocalTime:
    match = _LOCAL.fullmatch(words)
    if match is None:
        raise ValueError(
            f"{words!r} is not a time of day; write 'at 09:00', 'on tuesday at 10:00', "
            "'on weekdays at 09:00', 'from 09:00 to 20:00' or 'at their hour'"
        )
    days, at, first, last = match.groups()
    weekdays = () if days is None else tuple(range(5)) if days == "weekdays" else (WEEKDAYS.index(days),)
    if at == "their hour":
        return LocalTime(weekdays)
    if at is not None:
        return LocalTime(weekdays, _clock(at))
    begin, end = _clock(first), _clock(last)
    if begin >= end:
        raise ValueError(f"{words!r} is not a time of day: it ends before it begins")
    return LocalTime(weekdays, begin, end)


def _clock(words: str) -> time:
    try:
        return time.fromisoformat(words)
    except ValueError:
        raise ValueError(f"{words!r} is not a time of day; the last is 23:59") from None
