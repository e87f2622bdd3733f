"""A CRM for journeys that end at sales: contacts by number, and what was written to them."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from sandbox.crm.app import create_app
from sandbox.crm.store import put
from sandbox.store import Store, iso
from sandbox.store import put as put_setting

TOKEN = "a-service-key"
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass
class PretendCrm:
    """What is in it."""

    store: Store

    def contact(self, number: int) -> dict[str, Any]:
        """A contact's properties."""
        return next(one for id_, one in self._objects("contacts") if id_ == number)

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks' properties, oldest first."""
        return [one for _, one in self._objects("tasks")]

    def _objects(self, kind: str) -> list[tuple[int, dict[str, Any]]]:
        with self.store.read() as db:
            found = db.execute("select id, properties from crm_object where kind = ? order by id", (kind,))
            return [(row["id"], json.loads(row["properties"])) for row in found]


@contextmanager
def pretend_crm(
    folder: Path, monkeypatch: pytest.MonkeyPatch, contacts: Sequence[int]
) -> Generator[PretendCrm]:
    """A CRM with these contacts and an owner 77, to which the connection `crm` leads."""

    def fill(db: Any) -> None:
        put_setting(db, "now", iso(NOW))
        put_setting(db, "seed", "7")
        put(db, "owners", 77, {"email": "eve@shop.example", "firstname": "Eve"}, NOW, NOW)
        for number in contacts:
            put(db, "contacts", number, {"email": f"person{number}@example.org"}, NOW, NOW)

    folder.mkdir()
    store = Store(folder)
    store.generate(fill)
    with listening(create_app(store, TOKEN)) as url:
        connection = {"conn_type": "http", "host": url, "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(connection))
        yield PretendCrm(store)


@contextmanager
def listening(app: Any) -> Generator[str]:
    """The application over HTTP, in a thread; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
