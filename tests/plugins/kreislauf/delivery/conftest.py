"""A provider that speaks SendGrid's protocol and can be told to go wrong, and a ledger to send from."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.transport import From
from kreislauf.ledger.schema import push_subscription
from kreislauf.ledger.store import Ledger, utc_now
from sandbox.push import browsers
from tests.plugins.kreislauf.delivery.channels import OtherEnds

EXTRA = {
    "from_email": "hello@shop.example",
    "from_name": "Sandbox Shop",
    "postal_address": "Musterweg 1, 10115 Berlin",
}

Script = Callable[[dict[str, Any], int], Any]


class Provider:
    """Collects accepted messages. `script(request, number)` may return a status, (status, headers, body),
    or `drop` (close without accepting), `accept_and_drop`; None accepts."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.accepted: list[dict[str, Any]] = []
        self.script: Script = lambda request, number: None
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.answer(self, body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            self.requests.append({"headers": dict(handler.headers), **body})
            what = self.script(body, len(self.requests))
            if what is None or what == "accept_and_drop":
                self.accepted += [
                    {"address": person["to"][0]["email"], **person["custom_args"]}
                    for person in body["personalizations"]
                ]
        if isinstance(what, str):
            hang_up = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hang_up)
            handler.connection.close()
            handler.close_connection = True
            return
        status, headers, answer = (
            (202, {}, None) if what is None else (what, {}, None) if isinstance(what, int) else what
        )
        text = json.dumps(answer or {}).encode()
        handler.send_response(status)
        for name, value in ({"X-Message-Id": "m-1"} | headers).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        with contextlib.suppress(OSError):  # the sender may have given up
            handler.end_headers()
            handler.wfile.write(text)

    @property
    def duplicates(self) -> dict[str, int]:
        counts = Counter(message["mk"] for message in self.accepted)
        return {key: number for key, number in counts.items() if number > 1}

    def misbehave(self, seed: int, before: float, after: float) -> None:
        """Fail at random: a 500 before accepting, a dropped connection after it."""
        dice = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]

        def script(_request: dict[str, Any], _number: int) -> Any:
            thrown = dice.random()
            return 500 if thrown < before else "accept_and_drop" if thrown < before + after else None

        self.script = script


@pytest.fixture
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def connection(provider: Provider) -> Connection:
    return Connection("sendgrid", "http", host=provider.url, password="SG.test", extra=EXTRA)


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(ledger_file: Path) -> Iterator[Ledger]:
    opened = Ledger.open(Connection("ledger", "sqlite", host=str(ledger_file)))
    opened.migrate()
    yield opened
    opened.engine.dispose()


@pytest.fixture
def links() -> Links:
    return Links("https://web.example", "a secret of enough length")


@pytest.fixture
def sender() -> From:
    return From("hello@shop.example", "Sandbox Shop", "Musterweg 1, 10115 Berlin", "https://shop.example")


@pytest.fixture(scope="session")
def _ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherEnds]:
    with OtherEnds(tmp_path_factory.mktemp("sandbox")).running() as running:
        yield running


@pytest.fixture
def ends(_ends: OtherEnds) -> OtherEnds:
    """The other ends of all channels: the sandbox in this process, empty."""
    _ends.clear()
    return _ends


@pytest.fixture
def subscribe(ledger: Ledger, ends: OtherEnds):
    """Browsers that subscribe at the push service and with us; their ids."""

    def subscribe(number: int) -> list[str]:
        now, ids = utc_now(), []
        with ends.store.write() as db, ledger.write() as connection:
            for _ in range(number):
                given = browsers.subscribe(db, ends.url)
                ids.append(given["endpoint"].rpartition("/")[2])
                row = {"id": ids[-1], "endpoint": given["endpoint"], **given["keys"]}
                times = {"created_at": now, "updated_at": now}
                connection.execute(insert(push_subscription).values(**row, **times, language="de"))
        return ids

    return subscribe
