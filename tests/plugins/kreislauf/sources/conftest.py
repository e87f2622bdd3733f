"""A running sandbox with a small world, and a server on loopback that answers what a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kreislauf.connections import Connection
from kreislauf.landing.manifest import Window
from kreislauf.sources.streams import Stream
from sandbox.testing import Sandbox, run_sandbox

START = "2026-11-01T06:00:00Z"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[Sandbox]:
    """One for each test module: its clock only goes forward. Small buckets, so that throttling happens."""
    home = tmp_path_factory.mktemp("sandbox")
    with run_sandbox(home, start=START, contacts=120, days=60, shop_bucket=1000, shop_rate=4000) as running:
        yield running


@pytest.fixture
def shop_connection(sandbox) -> Connection:
    return Connection(
        "shop", "http", host=sandbox.shop, login=sandbox.client_id, password=sandbox.client_secret
    )


@pytest.fixture
def crm_connection(sandbox) -> Connection:
    return Connection("crm", "http", host=sandbox.crm, password=sandbox.crm_token)


@pytest.fixture
def now(sandbox) -> datetime:
    return datetime.fromisoformat(sandbox.world["now"]).astimezone(UTC)


@pytest.fixture
def read() -> Callable[..., list[dict[str, Any]]]:
    def read(source: Any, stream: Stream, since: datetime | None, until: datetime) -> list[dict[str, Any]]:
        return [json.loads(line) for line in source.read(stream, Window(since, until), None)]

    return read


class Server:
    """Answers requests in the order given: (status, headers, body). Remembers what it was asked."""

    def __init__(self, answers: list[tuple[int, dict[str, str], bytes]]) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path, dict(self.headers)))
                status, headers, body = answers.pop(0)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def serve(*answers: tuple[int, dict[str, str], bytes]) -> Server:
        server = Server(list(answers))
        threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return server

    yield serve
    for server in running:
        server.http.shutdown()
        server.http.server_close()
