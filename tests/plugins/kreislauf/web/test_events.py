"""Events of the provider: only genuine ones, and none lost once they are acknowledged."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from kreislauf.web.app import MAX_BODY_BYTES, create_app
from kreislauf.web.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier

EVENTS = [{"sg_event_id": "e1", "event": "delivered", "email": "ada@example.org"}, {"sg_event_id": "é2"}]
BODY = (json.dumps(EVENTS, ensure_ascii=False, indent=1) + "\r\n").encode()


def test_genuine_events_are_in_the_inbox_before_they_are_acknowledged(
    client, provider, events, inbox
) -> None:
    response = client.post("/events/sendgrid", **provider.signed(BODY))
    assert (response.status_code, response.content) == (204, b"")
    assert events() == EVENTS
    assert [path.suffix for path in inbox.iterdir()] == [".ndjson"]


def test_posts_at_once_are_all_kept(client, provider, events) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def post(number: int) -> int:
        body = json.dumps([{"sg_event_id": f"e{number}"}]).encode()
        return client.post("/events/sendgrid", **provider.signed(body)).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(40))) == {204}
    assert len({event["sg_event_id"] for event in events()}) == 40


@pytest.mark.parametrize(
    "spoil",
    [
        lambda post: post | {"content": post["content"].replace(b"ada", b"eve")},
        lambda post: post | {"content": post["content"].rstrip()},
        lambda post: post | {"content": b"\xff\xfe"},
        lambda post: post | {"headers": {}},
        lambda post: post | {"headers": post["headers"] | {SIGNATURE_HEADER: "not base64!"}},
        lambda post: post | {"headers": post["headers"] | {SIGNATURE_HEADER: "AAAA"}},
        lambda post: post | {"headers": post["headers"] | {TIMESTAMP_HEADER: "1"}},
        lambda post: post | {"headers": post["headers"] | {TIMESTAMP_HEADER: "soon"}},
        lambda post: post | {"headers": post["headers"] | {TIMESTAMP_HEADER: "9" * 400}},
        lambda post: post | {"headers": post["headers"] | {TIMESTAMP_HEADER: "9" * 5_000}},
    ],
)
def test_what_is_not_signed_by_the_provider_is_refused(client, provider, events, spoil) -> None:
    assert client.post("/events/sendgrid", **spoil(provider.signed(BODY))).status_code == 401
    assert events() == []


@pytest.mark.parametrize("age_hours", [26, -1])
def test_a_signature_from_another_time_is_refused(client, provider, events, age_hours: int) -> None:
    post = provider.signed(BODY, time.time() - age_hours * 3600)
    assert client.post("/events/sendgrid", **post).status_code == 401
    assert events() == []


def test_a_post_repeated_within_the_providers_day_is_taken(client, provider, events) -> None:
    post = provider.signed(BODY, time.time() - 23 * 3600)
    assert client.post("/events/sendgrid", **post).status_code == 204


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"not json", b"[" * 100_000])
def test_a_genuine_body_that_is_no_list_is_refused(client, provider, events, body: bytes) -> None:
    assert client.post("/events/sendgrid", **provider.signed(body)).status_code == 400
    assert events() == []


def test_an_endless_body_is_refused(client, provider, events) -> None:
    body = b"[" + b" " * MAX_BODY_BYTES + b"]"
    assert client.post("/events/sendgrid", **provider.signed(body)).status_code == 413


def test_when_the_inbox_cannot_be_written_the_provider_keeps_its_events(
    client, provider, inbox: Path
) -> None:
    inbox.parent.mkdir(parents=True)
    inbox.write_text("a file where the folder should be")
    assert client.post("/events/sendgrid", **provider.signed(BODY)).status_code == 500


def test_without_a_key_the_provider_keeps_its_events(serve, ledger, inbox, links, provider) -> None:
    with serve(create_app(ledger, inbox, links, lambda: None)) as client:
        assert client.post("/events/sendgrid", **provider.signed(BODY)).status_code == 503


def test_the_official_example_is_genuine() -> None:
    """The vector of SendGrid's own documentation and libraries."""
    from datetime import UTC, datetime, timedelta

    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+"
        "2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
    )
    event = {
        "email": "hello@world.com",
        "event": "dropped",
        "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "timestamp": 1600112492,
    }
    body = json.dumps([event], sort_keys=True, separators=(",", ":")) + "\r\n"
    signature = (
        "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
    )
    verifier = Verifier(key, max_age=timedelta(days=36500))
    assert verifier.is_genuine(body.encode(), signature, "1600112502", datetime.now(UTC))
    assert not verifier.is_genuine(body.strip().encode(), signature, "1600112502", datetime.now(UTC))


@pytest.mark.parametrize("key", ["", "nonsense", "AAAA"])
def test_a_wrong_key_is_named_at_the_start(key: str) -> None:
    with pytest.raises(ValueError, match="'webhook_public_key' of connection 'sendgrid'"):
        Verifier(key)


def test_health(client: httpx.Client, ledger) -> None:
    assert client.get("/health").json() == {"status": "ok"}


def test_a_ledger_that_is_gone_is_not_healthy(client: httpx.Client, ledger, tmp_path: Path) -> None:
    ledger.engine.dispose()
    (tmp_path / "ledger.db").unlink()
    (tmp_path / "ledger.db").mkdir()
    assert client.get("/health").status_code == 503
