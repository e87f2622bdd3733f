"""The event webhook: signed as SendGrid signs, complete, sometimes late or double, patient."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader

from sandbox.mail import webhook
from sandbox.mail.messages import accept
from sandbox.mail.reactions import Temperament, react
from sandbox.store import Store

Build = Callable[..., dict[str, Any]]
DELIVERED = Temperament(1.0, 0.0, 0.0, 0.0, None, False, timedelta(hours=1))


class Receiver:
    """Takes posts, answers with the next of `answers` (204 when they are used up), keeps what came."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.posts: list[tuple[dict[str, str], bytes, int]] = []

    def events(self) -> list[dict[str, Any]]:
        return [event for _, body, status in self.posts if status == 204 for event in json.loads(body)]


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = state.answers.pop(0) if state.answers else 204
            state.posts.append((dict(self.headers.items()), body, status))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield state, f"http://127.0.0.1:{server.server_address[1]}/events"
    server.shutdown()


@pytest.fixture
def sent(world: Store, request_for: Build, now: datetime) -> int:
    """300 mails are delivered and opened; returns the number of events."""
    with world.write() as db:
        accept(db, request_for(*[f"p{number}@example.com" for number in range(300)]), int(now.timestamp()))
        react(db, 7, now + timedelta(days=60), lambda address: DELIVERED)
        return db.execute("select count(*) from mail_event").fetchone()[0]


def deliver(world: Store, url: str, until: datetime) -> dict[str, int]:
    with contextlib.closing(world.connect()) as db:
        return webhook.deliver_due(db, url, until)


def test_every_event_arrives_signed_and_some_more_than_once(
    world: Store, mail: httpx.Client, receiver: tuple[Receiver, str], sent: int, now: datetime
) -> None:
    state, url = receiver
    counts = deliver(world, url, now + timedelta(days=90))
    arrived = Counter(event["sg_event_id"] for event in state.events())
    assert len(arrived) == sent
    assert counts["events"] == arrived.total() == sent + counts["duplicates"]
    assert 0.02 * sent < counts["duplicates"] < 0.12 * sent
    assert max(arrived.values()) in {2, 3}
    assert counts["pending"] == 0

    shown = mail.get("/v3/user/webhooks/event/settings/signed").json()["public_key"]
    verifier = EventWebhook(shown)
    for headers, body, _ in state.posts:
        signature, timestamp = headers[EventWebhookHeader.SIGNATURE], headers[EventWebhookHeader.TIMESTAMP]
        assert verifier.verify_signature(body.decode(), signature, timestamp)
        assert not verifier.verify_signature(body.decode().rstrip(), signature, timestamp), (
            "the raw bytes count"
        )
        assert not verifier.verify_signature(body.decode(), signature, "1")
        assert len(json.loads(body)) <= webhook.MAX_EVENTS


def test_nothing_is_posted_before_its_time_nor_again_after(
    world: Store, receiver: tuple[Receiver, str], sent: int, now: datetime
) -> None:
    state, url = receiver
    assert deliver(world, url, now)["events"] == 0
    deliver(world, url, now + timedelta(hours=2))
    first = len(state.events())
    assert 0 < first < sent
    assert all(event["timestamp"] <= (now + timedelta(hours=2)).timestamp() for event in state.events())
    assert deliver(world, url, now + timedelta(hours=2))["events"] == 0
    deliver(world, url, now + timedelta(days=90))
    assert len({event["sg_event_id"] for event in state.events()}) == sent


def test_some_events_come_late(
    world: Store, receiver: tuple[Receiver, str], sent: int, now: datetime
) -> None:
    state, url = receiver
    until = now + timedelta(minutes=5)
    deliver(world, url, until)
    with world.read() as db:
        due = db.execute(
            "select count(*) from mail_event where occurred_at <= ?", (int(until.timestamp()),)
        ).fetchone()[0]
    assert 0.85 * due < len({event["sg_event_id"] for event in state.events()}) < due


def test_a_refused_batch_is_tried_again_in_the_same_call(
    world: Store, receiver: tuple[Receiver, str], sent: int, now: datetime
) -> None:
    state, url = receiver
    state.answers = [500, 503]
    counts = deliver(world, url, now + timedelta(days=90))
    assert (counts["refused"], counts["pending"]) == (2, 0)
    assert len({event["sg_event_id"] for event in state.events()}) == sent


def test_a_receiver_that_is_down_loses_nothing(
    world: Store, receiver: tuple[Receiver, str], sent: int, now: datetime
) -> None:
    state, url = receiver
    state.answers = [500, 500, 500]
    until = now + timedelta(days=90)
    counts = deliver(world, url, until)
    assert (counts["batches"], counts["refused"]) == (0, 3)
    assert counts["pending"] > sent
    unreachable = deliver(world, "http://127.0.0.1:9/events", until)
    assert unreachable["pending"] == counts["pending"]
    deliver(world, url, until)
    assert len({event["sg_event_id"] for event in state.events()}) == sent


def test_the_key_stays_the_same_over_restarts(world: Store) -> None:
    with world.write() as db:
        first = webhook.public_key(db)
    with Store(world.home).write() as db:
        assert webhook.public_key(db) == first
