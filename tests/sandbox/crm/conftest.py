"""A CRM of a few records, served over HTTP on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn

from sandbox.crm.app import create_app
from sandbox.crm.limits import Limits
from sandbox.crm.store import associate, put
from sandbox.store import Store, iso
from sandbox.store import put as put_setting

TOKEN = "a-service-key"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(tmp_path: Path) -> Store:
    """A store whose CRM has 25 contacts, two companies, a deal, a note, a ticket and an owner."""

    def fill(db) -> None:
        put_setting(db, "now", iso(NOW))
        put_setting(db, "seed", "7")
        for number in range(1, 26):
            put(
                db,
                "contacts",
                number,
                {"email": f"Person{number}@example.com", "firstname": f"P{number}", "lifecyclestage": "lead"},
                NOW - timedelta(days=100),
                NOW - timedelta(days=26 - number),
            )
        put(db, "companies", 1, {"name": "Müller & Söhne", "numberofemployees": 12}, NOW, NOW)
        put(db, "companies", 2, {"name": "Zebra", "numberofemployees": 100}, NOW, NOW)
        put(db, "deals", 9, {"dealname": "Ten chairs", "amount": "990.50"}, NOW, NOW)
        put(db, "notes", 5, {"hs_note_body": "Asked for a catalogue", "hs_timestamp": NOW}, NOW, NOW)
        closed = {"subject": "Where is it?", "hs_pipeline_stage": "4", "closed_date": NOW}
        put(db, "tickets", 6, closed, NOW - timedelta(days=2), NOW)
        put(db, "owners", 77, {"email": "ada@example.org", "firstname": "Ada", "lastname": "Owner"}, NOW, NOW)
        associate(db, "deals", 9, "contacts", 3)
        associate(db, "tickets", 6, "contacts", 3)
        associate(db, "contacts", 3, "companies", 1)

    store = Store(tmp_path)
    store.generate(fill)
    return store


@pytest.fixture
def limits() -> Limits:
    """No limit that a test reaches by accident; tests of the limits override this."""
    return Limits(searches=1000)


@pytest.fixture
def crm(world: Store, limits: Limits) -> Iterator[httpx.Client]:
    """A client of the running CRM that carries the right token."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(world, TOKEN, limits), port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        yield client
    server.should_exit = True  # it stops by itself within a tenth of a second; no test waits for that
