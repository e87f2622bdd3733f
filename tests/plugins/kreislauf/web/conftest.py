"""The web app behind a real server, with a key pair as the provider has it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.ledger.store import Ledger
from kreislauf.web.app import create_app
from kreislauf.web.push import PushSettings
from kreislauf.web.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier

SITE = "https://shop.example"
SMS_TOKEN = "a token that signs"


@dataclass
class Provider:
    """Signs events as SendGrid does."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> str:
        encoding = serialization.Encoding.DER
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return base64.b64encode(self.key.public_key().public_bytes(encoding, form)).decode()

    def signed(self, body: bytes, timestamp: float | None = None) -> dict[str, Any]:
        """Arguments for a post of this body."""
        stamp = str(int(time.time() if timestamp is None else timestamp))
        signature = self.key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {SIGNATURE_HEADER: base64.b64encode(signature).decode(), TIMESTAMP_HEADER: stamp}
        return {"content": body, "headers": headers}


@pytest.fixture(scope="session")
def provider() -> Provider:
    return Provider()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "landing" / "inbox" / "mail_events"


@pytest.fixture
def events(inbox: Path):
    """The events in the inbox so far."""

    def events() -> list[dict[str, Any]]:
        files = sorted(inbox.glob("*.ndjson"))
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    return events


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(Connection("ledger", "sqlite", host=str(tmp_path / "ledger.db")))
    opened.migrate()
    yield opened
    opened.engine.dispose()


@pytest.fixture
def links() -> Links:
    return Links("https://web.example", "a secret of enough length")


@pytest.fixture
def answers(inbox: Path) -> Path:
    """The folder for the site's events."""
    return inbox.with_name("site_events")


@pytest.fixture
def client(
    ledger: Ledger, inbox: Path, answers: Path, links: Links, provider: Provider
) -> Iterator[httpx.Client]:
    verifier = Verifier(provider.public_key)
    app = create_app(
        ledger,
        inbox,
        links,
        lambda: verifier,
        site_events_inbox=answers,
        origins=[SITE],
        sms_token=SMS_TOKEN,
        push_settings=PushSettings("B-public-key", ("push.example",)),
    )
    with Served(app) as client:
        yield client


class Served:
    """`with Served(app) as client`: the app on a free port."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self) -> httpx.Client:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.005)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        return self.client

    def __exit__(self, *_: Any) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def serve() -> type[Served]:
    return Served
