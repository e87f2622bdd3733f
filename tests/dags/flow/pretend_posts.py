"""An SMS provider and a webhook's receiver for journeys, and what they were given."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.sms.app import create_app as sms_app
from sandbox.store import Store, iso
from sandbox.store import put as put_setting
from sandbox.webhook.app import create_app as webhook_app
from tests.dags.flow.pretend_crm import NOW, listening

ACCOUNT, TOKEN, SECRET = "AC0", "a token", "a secret of both sides"


@dataclass
class PretendPosts:
    """What has come in."""

    store: Store

    def texts(self) -> list[tuple[str, str]]:
        """Number and text of each message, oldest first."""
        return [(address, content["body"]) for address, content in self._posted("sms")]

    def requests(self) -> list[dict[str, Any]]:
        """The bodies of the webhook's requests, oldest first."""
        return [content for _, content in self._posted("webhook")]

    def _posted(self, channel: str) -> list[tuple[str, dict[str, Any]]]:
        asked = "select address, content from posted_message where channel = ? order by id"
        with self.store.read() as db:
            return [(row["address"], json.loads(row["content"])) for row in db.execute(asked, (channel,))]


@contextmanager
def pretend_posts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[PretendPosts]:
    """Both, and the connections `sms` and `webhook` that lead to them."""

    def fill(db: Any) -> None:
        put_setting(db, "now", iso(NOW))
        put_setting(db, "seed", "7")

    folder.mkdir()
    store = Store(folder)
    store.generate(fill)
    both = Starlette(
        routes=[
            Mount("/sms", sms_app(store, ACCOUNT, TOKEN)),
            Mount("/webhook", webhook_app(store, SECRET)),
        ]
    )
    with listening(both) as url:
        sender = {"from": "+4915550001", "from_name": "Blatt & Bohne"}
        connections = {
            "SMS": {"host": f"{url}/sms", "login": ACCOUNT, "password": TOKEN, "extra": sender},
            "WEBHOOK": {"host": f"{url}/webhook/receive", "password": SECRET},
        }
        for name, connection in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "http", **connection}))
        yield PretendPosts(store)
