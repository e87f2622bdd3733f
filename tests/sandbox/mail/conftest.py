"""A mail provider over an empty world, served over HTTP on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.mail.app import create_app
from sandbox.store import Store, iso
from sandbox.store import put as put_setting

KEY = "SG.a.key"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

HTML = (
    '<html><head></head><body><p>%h_name%</p><a href="https://shop.example/a?utm_content=img01">A</a>'
    '<a href="https://shop.example/a?utm_content=img01">again</a><a href="%h_url%">cart</a>'
    '<a href="https://web.example/unsubscribe/%h_token%">leave</a></body></html>'
)


@pytest.fixture
def now() -> datetime:
    """The moment the world stands at."""
    return NOW


@pytest.fixture
def world(tmp_path: Path) -> Store:
    def fill(db) -> None:
        put_setting(db, "now", iso(NOW))
        put_setting(db, "seed", "7")

    store = Store(tmp_path)
    store.generate(fill)
    return store


@pytest.fixture
def options() -> dict[str, Any]:
    """Further arguments of `create_app`; tests override this."""
    return {}


@pytest.fixture
def mail(world: Store, options: dict[str, Any]) -> Iterator[httpx.Client]:
    """A client of the running provider that carries the right key."""
    config = uvicorn.Config(create_app(world, KEY, **options), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        yield client
    server.should_exit = True  # it stops by itself within a tenth of a second; no test waits for that


@pytest.fixture
def request_for() -> Callable[..., dict[str, Any]]:
    """Builds a request to mail/send with one personalization an address, each with its key."""

    def build(*addresses: str, **changes: Any) -> dict[str, Any]:
        return {
            "personalizations": [
                {
                    "to": [{"email": address}],
                    "substitutions": {
                        "%h_name%": f"Person &amp; {number}",
                        "%t_name%": f"Person & {number}",
                        "%h_url%": f"https://shop.example/cart/{number}",
                        "%h_token%": f"token{number}",
                    },
                    "custom_args": {"mk": f"{number:032x}"},
                    "headers": {
                        "List-Unsubscribe": f"<https://web.example/unsubscribe/token{number}>",
                        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                    },
                }
                for number, address in enumerate(addresses)
            ],
            "from": {"email": "shop@example.com", "name": "Shop"},
            "subject": "Hello %t_name%",
            "content": [
                {"type": "text/plain", "value": "Dear %t_name%"},
                {"type": "text/html", "value": HTML},
            ],
            "custom_args": {"bk": "7"},
            "categories": ["welcome", "hello"],
            **changes,
        }

    return build
