"""Messages of any channel, planned in the ledger, and the sandbox's other ends in this process. For tests."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import insert, select

from kreislauf.delivery.channels import WAYS
from kreislauf.ledger import batches
from kreislauf.ledger.schema import Channel, batch, message
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.testing import AS_OF
from sandbox.app import Options, create_app
from sandbox.faults import FaultMiddleware
from sandbox.store import Store, put

TEMPLATES: Mapping[Channel, str] = {
    Channel.SMS: 'text: "Hallo {{ first_name }}: {{ url }} STOP beendet das"\n',
    Channel.PUSH: 'title: "Hallo {{ first_name }}"\nbody: Ihr Warenkorb wartet\nurl: "{{ url }}"\n',
    Channel.CRM: (
        'kind: task\nsubject: "{{ first_name }} anrufen"\nbody: "{{ first_name }} <b>\\nsiehe {{ url }}"\n'
        "due_in: 2 days\npriority: high\n"
    ),
    Channel.WEBHOOK: 'payload:\n  name: "{{ first_name }}"\n  link: "{{ url }}"\n',
    Channel.ONSITE: (
        'kind: survey\nheadline: "Hallo"\ntext: Eine Frage\nbutton: Senden\nquestion: "Zufrieden?"\n'
        "answers: [ja, nein]\ndelay_seconds: 20\nexit_intent: true\n"
    ),
    Channel.AUDIENCE: "audience: vip\ndo: join\n",
}
SAMPLE = 'sample:\n  url: "https://shop.example/cart"\n'
MERGE = {"first_name": "Ada", "url": "https://shop.example/cart?id=1"}


def write_template(folder: Path, channel: Channel, text: str | None = None) -> str:
    """A template of a channel, in both languages; its name."""
    body = f"channel: {channel}\n{TEMPLATES[channel] if text is None else text}{SAMPLE}"
    for language in ("de", "en"):
        path = folder / "flow" / f"{channel}.{language}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
    return f"flow/{channel}"


def plan(
    ledger: Ledger, channel: Channel, addresses: Iterable[str], batch_size: int | None = None, **columns: Any
) -> None:
    """Batches of messages to addresses, as planning leaves them: flow `flow`, step = the channel's name."""
    people = list(addresses)
    size = batch_size or WAYS[channel].batch_size
    now = utc_now()
    common = {"flow": "flow", "step": channel.value, "channel": channel.value, "send_at": AS_OF}
    common |= {"planned_as_of": AS_OF, "updated_at": now}
    for first in range(0, len(people), size):
        chunk = people[first : first + size]
        batch_id = secrets.token_hex(16)
        row = {
            "id": batch_id,
            "language": "de",
            "template": f"flow/{channel}",
            "size": len(chunk),
            "caps": [],
        }
        messages = [
            {
                "message_key": secrets.token_hex(16),
                "contact_id": f"contact-{address}",
                "occurrence_id": "first",
                "batch_id": batch_id,
                "priority": 1,
                "address": address,
                "merge": MERGE,
                "planned_at": now,
                **common,
                **columns,
            }
            for address in chunk
        ]
        with ledger.write() as connection:
            connection.execute(insert(batch).values(**common, **row, state="planned", run_id="run-1"))
            connection.execute(insert(message), messages)


def states(ledger: Ledger) -> dict[str, int]:
    """Messages by state."""
    counts: dict[str, int] = {}
    with ledger.read() as connection:
        for row in batches.message_states(connection):
            counts[row.state] = counts.get(row.state, 0) + row.messages
    return counts


def rows(ledger: Ledger, table: Any) -> list[Any]:
    with ledger.read() as connection:
        return connection.execute(select(table)).all()


class Counted:
    """ASGI middleware that calls `before(path, number)` ahead of each POST, numbered from 1."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.number = 0
        self.before: Callable[[str, int], None] = lambda path, number: None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            self.number += 1
            self.before(scope["path"], self.number)
        await self.app(scope, receive, send)


class OtherEnds:
    """The whole sandbox with an almost empty world, in a thread. `faults` and `counted` take orders."""

    def __init__(self, home: Path) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.store = Store(home, self.url)
        self.store.generate(_almost_nothing)
        self.options = Options()
        app: FaultMiddleware = create_app(self.store, self.options)
        self.faults = app.faults
        self.counted = app.app = Counted(app.app)
        config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none", date_header=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)

    @contextlib.contextmanager
    def running(self) -> Generator[OtherEnds]:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        try:
            yield self
        finally:
            self._server.should_exit = True
            self._thread.join(10)

    def clear(self) -> None:
        """As it was at the beginning."""
        self.faults.clear()
        self.counted.number, self.counted.before = 0, lambda path, number: None
        with self.store.write() as db:
            for table in ("posted_message", "push_browser", "sms_post", "sms_stopped"):
                db.execute(f"delete from {table}")
            db.execute("delete from crm_object where kind in ('tasks', 'notes')")


def _almost_nothing(db: Any) -> None:
    from sandbox.crm import store as crm

    put(db, "seed", "7")
    put(db, "now", "2026-11-20T06:00:00Z")
    crm.put(db, "owners", 71, {"email": "eve@shop.example"}, AS_OF, AS_OF)
    for number in range(1, 201):
        properties = {"email": f"c{number}@example.org", "hubspot_owner_id": "71"}
        crm.put(db, "contacts", number, properties, AS_OF, AS_OF)
