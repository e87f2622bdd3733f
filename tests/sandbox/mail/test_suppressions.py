"""The suppression lists over HTTP."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest

from sandbox.mail.suppressions import add
from sandbox.store import Store


@pytest.fixture
def start(world: Store, now: datetime) -> int:
    """Fills the bounces with one a minute, the last of them ahead of the world's clock."""
    start = int(now.timestamp()) - 600
    with world.write() as db:
        for minute in range(12):
            add(db, "bounces", f"P{minute}@example.com", start + 60 * minute, "550 gone", "5.1.1")
    return start


def test_entries_carry_address_moment_and_reason(mail: httpx.Client, start: int) -> None:
    found = mail.get("/v3/suppression/bounces/p0@example.com").json()
    assert found == [{"created": start, "email": "p0@example.com", "reason": "550 gone", "status": "5.1.1"}]
    assert mail.get("/v3/suppression/bounces/nobody@example.com").json() == []


def test_a_window_includes_both_ends_and_never_the_future(mail: httpx.Client, start: int) -> None:
    window = {"start_time": start + 60, "end_time": start + 180}
    found = mail.get("/v3/suppression/bounces", params=window).json()
    assert [entry["email"] for entry in found] == ["p3@example.com", "p2@example.com", "p1@example.com"]
    everything = mail.get("/v3/suppression/bounces", params={"end_time": start + 10**6}).json()
    assert len(everything) == 11


def test_pages_by_offset(mail: httpx.Client, start: int) -> None:
    pages = [
        mail.get("/v3/suppression/bounces", params={"limit": 4, "offset": offset}).json()
        for offset in (0, 4, 8)
    ]
    assert [len(page) for page in pages] == [4, 4, 3]
    assert len({entry["email"] for page in pages for entry in page}) == 11


def test_entries_are_removed_one_by_one_by_list_or_all(mail: httpx.Client, start: int) -> None:
    bounces = "/v3/suppression/bounces"
    assert mail.delete(f"{bounces}/p0@example.com").status_code == 204
    assert mail.delete(f"{bounces}/p0@example.com").status_code == 404
    assert mail.request("DELETE", bounces, json={"emails": ["p1@example.com"]}).status_code == 204
    assert len(mail.get(bounces).json()) == 9
    assert mail.request("DELETE", bounces, json={}).status_code == 400
    assert mail.request("DELETE", bounces, json={"delete_all": True}).status_code == 204
    assert mail.get(bounces).json() == []


def test_addresses_are_suppressed_globally_by_request(mail: httpx.Client) -> None:
    asked = {"recipient_emails": ["A@example.com"]}
    assert mail.post("/v3/asm/suppressions/global", json=asked).json() == asked
    assert [one["email"] for one in mail.get("/v3/suppression/unsubscribes").json()] == ["a@example.com"]
    assert mail.post("/v3/asm/suppressions/global", json={"recipient_emails": ["x"]}).status_code == 400


def test_a_list_that_is_not_there(mail: httpx.Client) -> None:
    assert mail.get("/v3/suppression/enemies").status_code == 404
    assert mail.get("/v3/asm/groups/5/suppressions").json() == []
