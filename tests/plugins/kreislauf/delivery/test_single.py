"""When a provider wants to be asked again."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from kreislauf.delivery.single import DEFAULT_WAIT, LONGEST_WAIT, retry_at
from kreislauf.ledger.store import utc_now


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        ("90", timedelta(seconds=90)),
        ("0", timedelta()),
        ("Fri, 01 Jan 2010 00:00:00 GMT", timedelta()),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST_WAIT),
        ("9" * 9, LONGEST_WAIT),
        ("9" * 5_000, DEFAULT_WAIT),
        ("-5", DEFAULT_WAIT),
        ("soon", DEFAULT_WAIT),
        ("Fri, 01 Jan 2100 00:00:00", DEFAULT_WAIT),
        ("", DEFAULT_WAIT),
    ],
)
def test_the_wait_is_what_was_asked_for_within_reason(given: str, wait: timedelta) -> None:
    before = utc_now()
    found = retry_at(httpx.Response(429, headers={"Retry-After": given}))
    assert before + wait <= found <= utc_now() + wait
