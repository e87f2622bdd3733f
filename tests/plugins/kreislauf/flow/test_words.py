from __future__ import annotations

from datetime import timedelta

import pytest

from kreislauf.flow.words import parse_cap, parse_delay
from kreislauf.ledger.frequency import FrequencyCap


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
    assert parse_delay(words) == delay


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
