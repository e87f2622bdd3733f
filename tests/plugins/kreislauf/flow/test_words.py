from __future__ import annotations

from datetime import time, timedelta
from fractions import Fraction

import pytest

from kreislauf.flow.words import (
    Delay,
    delay_in_words,
    parse_cap,
    parse_delay,
    parse_share,
    span_in_words,
    when_in_words,
)
from kreislauf.ledger.frequency import FrequencyCap
from kreislauf.ledger.hours import LocalTime


@pytest.mark.parametrize(
    ("words", "delay"),
    [
        ("at once", timedelta()),
        ("1 minute", timedelta(minutes=1)),
        ("90 minutes", timedelta(minutes=90)),
        ("4 hours", timedelta(hours=4)),
        ("2 days", timedelta(days=2)),
        ("1 week", timedelta(weeks=1)),
    ],
)
def test_a_delay_in_words(words, delay):
    assert parse_delay(words) == Delay(delay)
    assert span_in_words(delay) == words or words == "90 minutes"


@pytest.mark.parametrize(
    ("words", "delay"),
    [
        ("3 days since trigger", Delay(timedelta(days=3), is_since_trigger=True)),
        ("1 day, at 09:00", Delay(timedelta(days=1), local=LocalTime(at=time(9)))),
        ("at once, on tuesday at 10:30", Delay(local=LocalTime((1,), time(10, 30)))),
        (
            "2 hours, on weekdays at 08:00",
            Delay(timedelta(hours=2), local=LocalTime((0, 1, 2, 3, 4), time(8))),
        ),
        ("at once, from 09:00 to 20:00", Delay(local=LocalTime(at=time(9), until=time(20)))),
        ("at once, on monday from 09:00 to 12:30", Delay(local=LocalTime((0,), time(9), time(12, 30)))),
        ("1 day, at their hour", Delay(timedelta(days=1), local=LocalTime())),
        ("1 day before starts_at", Delay(timedelta(days=-1), date="starts_at")),
        ("2 hours after ended_at", Delay(timedelta(hours=2), date="ended_at")),
        (
            "1 week before ends_on, at 10:00",
            Delay(timedelta(days=-7), local=LocalTime(at=time(10)), date="ends_on"),
        ),
        (
            "1 week since trigger, on sunday at their hour",
            Delay(timedelta(weeks=1), True, LocalTime((6,))),
        ),
    ],
)
def test_a_delay_until_a_time_of_day(words, delay):
    assert parse_delay(words) == delay


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("at once", "at once"),
        ("1 day since trigger", "after 1 day since trigger"),
        ("1 day before starts_at", "1 day before starts_at"),
        ("2 hours after ended_at", "2 hours after ended_at"),
    ],
)
def test_a_delay_is_said_as_it_is_written(words, said):
    assert delay_in_words(parse_delay(words)) == words
    assert when_in_words(words) == said


@pytest.mark.parametrize(
    "words",
    [
        "1 day, 09:00",
        "1 day, at 24:00",
        "1 day, at 9:00",
        "1 day, on someday at 09:00",
        "1 day, ",
        "1 day, from 09:00",
        "1 day, from 20:00 to 09:00",
        "1 day, from 09:00 to 25:00",
    ],
)
def test_a_time_of_day_that_is_none(words):
    with pytest.raises(ValueError, match="time of day"):
        parse_delay(words)


@pytest.mark.parametrize(
    ("words", "share"), [("5 %", Fraction(1, 20)), ("0.3 %", Fraction(3, 1000)), ("100 %", 1), ("0 %", 0)]
)
def test_a_share_in_words(words, share):
    assert parse_share(words) == share


@pytest.mark.parametrize("words", ["5%", "101 %", "-1 %", "five %", "", None, 5])
def test_a_share_that_is_none(words):
    with pytest.raises(ValueError, match="'5 %'"):
        parse_share(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "now",
        "1",
        "day",
        "0 days",
        "-1 day",
        "1.5 days",
        " 1 day",
        "1  day",
        "1 month",
        "1 Day",
        "1 day before",
        "at once before starts_at",
        "1 day before Starts",
        "1 day before starts_at since trigger",
        3600,
        None,
    ],
)
def test_anything_else_is_an_error_that_says_what_to_write(words):
    with pytest.raises(ValueError, match="'2 days'"):
        parse_delay(words)


def test_a_frequency_cap_in_words():
    assert parse_cap("2 per 1 day") == FrequencyCap(2, timedelta(days=1))


@pytest.mark.parametrize("words", ["2", "0 per 1 day", "2 per day", "2 per at once", "two per 1 day", None])
def test_a_cap_that_is_none(words):
    with pytest.raises(ValueError):
        parse_cap(words)
