"""When a message may go out: quiet hours and times of day by the recipient's clock, whatever it does."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kreislauf.ledger.hours import Hours, LocalTime, QuietHours

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NIGHT = QuietHours(time(21), time(8))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("as_of", "zone", "local", "quiet", "expected"),
    [
        ("2026-03-10 12:00", BERLIN, None, None, "2026-03-10 12:00"),
        ("2026-03-10 12:00", BERLIN, None, NIGHT, "2026-03-10 12:00"),
        ("2026-03-10 20:00", BERLIN, None, NIGHT, "2026-03-11 07:00"),
        ("2026-03-10 03:00", BERLIN, None, NIGHT, "2026-03-10 07:00"),
        ("2026-03-10 07:00", BERLIN, None, NIGHT, "2026-03-10 07:00"),
        ("2026-03-10 12:00", NEW_YORK, None, NIGHT, "2026-03-10 12:00"),
        ("2026-03-10 11:59", NEW_YORK, None, NIGHT, "2026-03-10 12:00"),
        # A time of day: today if it is still to come, else tomorrow; never "now".
        ("2026-03-10 07:59", BERLIN, LocalTime(at=time(9)), None, "2026-03-10 08:00"),
        ("2026-03-10 08:00", BERLIN, LocalTime(at=time(9)), None, "2026-03-10 08:00"),
        ("2026-03-10 08:01", BERLIN, LocalTime(at=time(9)), None, "2026-03-11 08:00"),
        # A span of the day: now, if it is within; its end is not.
        ("2026-03-10 12:00", BERLIN, LocalTime(at=time(9), until=time(20)), None, "2026-03-10 12:00"),
        ("2026-03-10 08:00", BERLIN, LocalTime(at=time(9), until=time(20)), None, "2026-03-10 08:00"),
        ("2026-03-10 07:59", BERLIN, LocalTime(at=time(9), until=time(20)), None, "2026-03-10 08:00"),
        ("2026-03-10 19:00", BERLIN, LocalTime(at=time(9), until=time(20)), None, "2026-03-11 08:00"),
        ("2026-03-10 12:00", BERLIN, LocalTime((0,), time(9), time(20)), None, "2026-03-16 08:00"),
        # Tuesday is the 10th.
        ("2026-03-10 12:00", BERLIN, LocalTime((1,), time(10)), None, "2026-03-17 09:00"),
        ("2026-03-13 12:00", BERLIN, LocalTime((0, 1, 2, 3, 4), time(10)), None, "2026-03-16 09:00"),
        # A time within the night gives way to it.
        ("2026-03-10 12:00", BERLIN, LocalTime(at=time(23)), NIGHT, "2026-03-11 07:00"),
        # The clocks go forward on 29 March 2026: 09:00 comes an hour earlier in UTC ...
        ("2026-03-28 12:00", BERLIN, LocalTime(at=time(9)), None, "2026-03-29 07:00"),
        # ... and 02:30 does not exist: it is taken an hour later, at 03:30.
        ("2026-03-28 12:00", BERLIN, LocalTime(at=time(2, 30)), None, "2026-03-29 01:30"),
        # They go back on 25 October: of two 02:30 the first.
        ("2026-10-24 12:00", BERLIN, LocalTime(at=time(2, 30)), None, "2026-10-25 00:30"),
        ("2026-10-25 00:31", BERLIN, LocalTime(at=time(2, 30)), None, "2026-10-26 01:30"),
        ("2026-10-24 20:00", BERLIN, None, NIGHT, "2026-10-25 07:00"),
    ],
)
def test_the_first_moment_that_is_allowed(as_of, zone, local, quiet, expected):
    assert Hours(local, quiet).first_open(utc(as_of), zone) == utc(expected)


@pytest.mark.parametrize(
    ("hour", "expected"), [(19, "2026-03-10 18:00"), (7, "2026-03-11 06:00"), (None, "2026-03-10 12:00")]
)
def test_their_hour_is_the_one_at_which_they_read(hour, expected):
    assert Hours(LocalTime()).first_open(utc("2026-03-10 12:00"), BERLIN, hour) == utc(expected)


def test_on_a_weekday_without_a_known_hour_the_day_begins_with_what_the_night_allows():
    found = Hours(LocalTime((3,)), NIGHT).first_open(utc("2026-03-10 12:00"), BERLIN)
    assert found == utc("2026-03-12 07:00")


@pytest.mark.parametrize(
    ("as_of", "local", "hour", "expected"),
    [
        ("2026-03-10 12:00", None, None, "2026-03-10 12:00"),
        ("2026-03-10 22:00", None, None, "2026-03-11 07:00"),
        # Past nine the rest of the day will do; the night after it gives way to the next morning's nine.
        ("2026-03-10 12:00", LocalTime(at=time(9)), None, "2026-03-10 12:00"),
        ("2026-03-10 23:00", LocalTime(at=time(9)), None, "2026-03-11 08:00"),
        ("2026-03-11 07:30", LocalTime(at=time(9)), None, "2026-03-11 08:00"),
        ("2026-03-10 12:00", LocalTime(), 10, "2026-03-10 12:00"),
        ("2026-03-10 12:00", LocalTime(), 19, "2026-03-10 18:00"),
        ("2026-03-10 12:00", LocalTime(), None, "2026-03-10 12:00"),
        ("2026-03-10 12:00", LocalTime(at=time(9), until=time(11)), None, "2026-03-11 08:00"),
        # Friday is the 13th.
        ("2026-03-14 12:00", LocalTime((0, 1, 2, 3, 4), time(10)), None, "2026-03-16 09:00"),
    ],
)
def test_what_is_late_goes_out_on_the_rest_of_a_day_that_fits(as_of, local, hour, expected):
    hours = Hours(local, NIGHT)
    assert hours.first_open_late(utc(as_of), BERLIN, hour) == utc(expected)
    assert Hours.from_json(hours.to_json()) == hours


def test_hours_that_allow_every_moment_are_none():
    assert not Hours() and Hours().to_json() is None and Hours.from_json(None) == Hours()
    assert Hours().first_open_late(utc("2026-03-10 12:00"), BERLIN) == utc("2026-03-10 12:00")


@given(
    as_of=st.datetimes(datetime(2024, 1, 1), datetime(2029, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    zone=st.sampled_from(
        [BERLIN, NEW_YORK, "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]
    ),
    at=st.one_of(st.none(), st.times().map(lambda t: t.replace(second=0, microsecond=0))),
    weekdays=st.sets(st.integers(0, 6)).map(lambda days: tuple(sorted(days))),
    quiet=st.sampled_from([None, NIGHT, QuietHours(time(1), time(5))]),
)
def test_never_before_never_in_the_night_and_within_days(as_of, zone, at, weekdays, quiet):
    found = Hours(LocalTime(weekdays, at), quiet).first_open(as_of, zone)
    here = found.astimezone(ZoneInfo(zone))
    assert as_of <= found <= as_of + timedelta(days=16)
    if quiet:
        assert not quiet.cover(here.time())
    if weekdays:
        assert here.weekday() in weekdays
