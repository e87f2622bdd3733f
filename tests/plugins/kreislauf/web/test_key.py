"""The key of the event webhook: from the connection, else from the provider, as soon as it answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kreislauf.connections import Connection
from kreislauf.web.app import create_app
from kreislauf.web.key import find_verifier

BODY = b'[{"sg_event_id": "e1"}]'


class Settings:
    """The provider's settings at a port that is known before it listens."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.answers: list[tuple[int, str]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.server: ThreadingHTTPServer | None = None

    def start(self, *answers: tuple[int, str]) -> None:
        """Give these answers, the last one for ever."""
        self.answers = list(answers)
        settings = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                settings.asked.append((self.path, self.headers["Authorization"]))
                status, body = settings.answers[0]
                if len(settings.answers) > 1:
                    settings.answers.pop(0)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def connection(self, **extra: str) -> Connection:
        host = f"http://127.0.0.1:{self.port}"
        return Connection("sendgrid", "http", host=host, password="SG.key", extra=extra)


@pytest.fixture
def settings() -> Iterator[Settings]:
    settings = Settings()
    yield settings
    if settings.server:
        settings.server.shutdown()
        settings.server.server_close()


def _within(seconds: float, is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_a_provider_that_comes_up_late_is_asked_until_it_answers(
    settings, serve, ledger, inbox, links, provider, events
) -> None:
    app = create_app(ledger, inbox, links, find_verifier(settings.connection()))
    with serve(app) as client:

        def post() -> int:
            return client.post("/events/sendgrid", **provider.signed(BODY)).status_code

        assert client.get("/health").status_code == 200, "opt-outs must work meanwhile"
        assert post() == 503
        settings.start((500, ""), (200, f'{{"public_key": "{provider.public_key}"}}'))
        assert _within(10, lambda: post() == 204)
    assert [event["sg_event_id"] for event in events()] == ["e1"]
    assert settings.asked == [("/v3/user/webhooks/event/settings/signed", "Bearer SG.key")] * 2


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (401, '{"errors": [{"message": "unauthorized"}]}', "check login, password and permissions"),
        (200, '{"public_key": ""}', "switch on Signature Verification"),
        (200, '{"public_key": "AAAA"}', "webhook_public_key"),
    ],
)
def test_a_provider_that_gives_no_key_is_named_in_the_log(
    settings, caplog, status: int, body: str, hint: str
) -> None:
    settings.start((status, body))
    find = find_verifier(settings.connection())
    assert _within(10, lambda: hint in caplog.text)
    assert find() is None
    assert "SG.key" not in caplog.text


def test_a_key_in_the_connection_needs_no_provider(settings, provider) -> None:
    assert find_verifier(settings.connection(webhook_public_key=provider.public_key))() is not None
    assert settings.asked == []


def test_a_wrong_key_in_the_connection_is_told_at_the_start(settings) -> None:
    with pytest.raises(ValueError, match="'webhook_public_key' of connection 'sendgrid'"):
        find_verifier(settings.connection(webhook_public_key="nonsense"))
