"""Delays and limits are written in words, so that a flow reads as a sentence. Parsed strictly."""

from __future__ import annotations

import re
from datetime import timedelta

from kreislauf.ledger.frequency import FrequencyCap

AT_ONCE = "at once"

_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_DELAY = re.compile(r"([1-9]\d*) (minute|hour|day|week)s?")
_CAP = re.compile(r"([1-9]\d*) per (.+)")


def parse_delay(words: str) -> timedelta:
    """Reads "at once", "90 minutes", "1 hour", "2 days", "1 week".

    Raises ValueError for anything else, with the words and what is allowed.
    """
    if words == AT_ONCE:
        return timedelta()
    match = _DELAY.fullmatch(words) if isinstance(words, str) else None
    if match is None:
        raise ValueError(
            f"{words!r} is not a delay; write {AT_ONCE!r}, or a whole number and "
            "minutes, hours, days or weeks, such as '2 days'"
        )
    return int(match[1]) * _UNITS[match[2]]


def parse_cap(words: str) -> FrequencyCap:
    """Reads "1 per 16 hours", "3 per 1 week". Raises ValueError for anything else."""
    match = _CAP.fullmatch(words) if isinstance(words, str) else None
    if match is None:
        raise ValueError(f"{words!r} is not a frequency cap; write it like '1 per 16 hours'")
    return FrequencyCap(int(match[1]), parse_delay(match[2]))
