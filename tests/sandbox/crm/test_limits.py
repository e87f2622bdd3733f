"""The CRM throttles as HubSpot does, and says so in headers."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from sandbox.crm.errors import CrmError
from sandbox.crm.limits import Limits, RateLimiter

CONTACTS = "/crm/objects/2026-09/contacts"


@pytest.fixture
def limits() -> Limits:
    return Limits(burst=10, burst_seconds=0.5, searches=2, search_seconds=0.5)


def test_the_burst_ends_in_429_and_passes(crm: httpx.Client) -> None:
    answers = [crm.get(CONTACTS, params={"limit": 1}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[0].headers["X-HubSpot-RateLimit-Remaining"] == "9"
    assert answers[0].headers["X-HubSpot-RateLimit-Max"] == "10"
    refused = answers[-1]
    assert refused.headers["X-HubSpot-RateLimit-Remaining"] == "0"
    assert refused.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "500"
    body = refused.json()
    assert (body["policyName"], body["category"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMITS")
    assert _succeeds_soon(lambda: crm.get(CONTACTS, params={"limit": 1}))


def test_search_has_its_own_limit_a_second(crm: httpx.Client) -> None:
    def search() -> httpx.Response:
        return crm.post(f"{CONTACTS}/search", json={"limit": 1})

    answers = [search() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["policyName"] == "SECONDLY"
    assert crm.get(CONTACTS, params={"limit": 1}).status_code == 200, "other requests are not throttled"
    assert _succeeds_soon(search)


def test_a_refused_token_does_not_use_up_the_limit(crm: httpx.Client) -> None:
    for _ in range(12):
        assert crm.get(CONTACTS, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert crm.get(CONTACTS).status_code == 200


def test_the_day_has_its_limit_too() -> None:
    limiter = RateLimiter(Limits(daily=2))
    assert limiter.admit(is_search=False)["X-HubSpot-RateLimit-Daily-Remaining"] == "1"
    limiter.admit(is_search=True)
    with pytest.raises(CrmError) as refused:
        limiter.admit(is_search=False)
    assert (refused.value.status, refused.value.body["policyName"]) == (429, "DAILY")


def _succeeds_soon(request: Callable[[], httpx.Response]) -> bool:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if request().status_code == 200:
            return True
        time.sleep(0.05)
    return False
