"""Kill the sender anywhere, run two at once: nobody gets a message twice, and none is lost sight of."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import transport_for
from kreislauf.ledger import batches, events
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.testing import plan_people
from tests.plugins.kreislauf.delivery.conftest import Script

MESSAGES, BATCH = 2_000, 25

_SENDER = """
import json, sys
from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import transport_for
from kreislauf.ledger.store import Ledger

ledger, mail = (Connection(**told) for told in json.loads(sys.argv[1]))
templates = Templates()
print("ready", flush=True)
links = Links("https://web.example", "a secret of enough length")
send(Ledger.open(ledger), transport_for(mail), templates, "flow_welcome", "hello", "me", links)
"""


def _start(ledger_file: Path, connection: Connection) -> subprocess.Popen[str]:
    """A sender in a process of its own, ready to send."""
    started = _launch(ledger_file, connection)
    assert started.stdout
    started.stdout.readline()
    return started


def _launch(ledger_file: Path, connection: Connection) -> subprocess.Popen[str]:
    told = [
        {"conn_id": "ledger", "conn_type": "sqlite", "host": str(ledger_file)},
        {
            "conn_id": "sendgrid",
            "conn_type": "http",
            "host": connection.host,
            "password": "SG.test",
            "extra": connection.extra,
        },
    ]
    command = [sys.executable, "-c", _SENDER, json.dumps(told)]
    plugins = Path(__file__).parents[4] / "plugins"
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(plugins)})


def _states(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as opened:
        return {row.state: row.messages for row in batches.message_states(opened)}


def test_two_senders_at_once(ledger: Ledger, ledger_file: Path, provider, connection: Connection) -> None:
    plan_people(ledger, [f"c{n}" for n in range(MESSAGES)], batch_size=BATCH)
    senders = [_start(ledger_file, connection) for _ in range(2)]
    assert [sender.wait(120) for sender in senders] == [0, 0]
    assert provider.duplicates == {}
    assert len(provider.accepted) == MESSAGES
    assert _states(ledger) == {"accepted": MESSAGES}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_again_and_again(
    ledger: Ledger, ledger_file: Path, provider, connection: Connection, links: Links, seed: int
) -> None:
    plan_people(ledger, [f"c{n}" for n in range(MESSAGES)], batch_size=BATCH)
    provider.misbehave(seed, before=0.05, after=0.03)
    answer = provider.script
    dice = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    for _ in range(3):
        sender = _launch(ledger_file, connection)
        provider.script = _killing(sender, len(provider.requests) + dice.randint(1, 20), dice, answer)
        assert sender.wait(120) == -signal.SIGKILL
    provider.script = answer
    assert _start(ledger_file, connection).wait(120) == 0

    time.sleep(0.3)  # what a killed sender's socket still held arrives now
    batches.sweep(ledger, utc_now(), lease=timedelta(0))
    assert provider.duplicates == {}
    assert sum(_states(ledger).values()) == MESSAGES
    assert set(_states(ledger)) <= {"accepted", "in_doubt"}

    # The provider reports what it has; then doubt is left only where nothing was accepted.
    events.record(ledger, _delivered(provider))
    assert _states(ledger)["accepted"] == len(provider.accepted)
    doubtful = MESSAGES - len(provider.accepted)
    assert _states(ledger).get("in_doubt", 0) == doubtful

    # A person decides to send those again.
    provider.script = lambda *_: None
    for row in _in_doubt(ledger):
        batches.resolve(ledger, row, "planned", "eve")
    send(ledger, transport_for(connection), Templates(), "flow_welcome", "hello", "me", links)
    assert provider.duplicates == {}
    assert len(provider.accepted) == MESSAGES


def _killing(sender: subprocess.Popen[str], at: int, dice: random.Random, answer: Script) -> Script:
    """Kill the sender within a few milliseconds of its request number `at`: while it waits for the
    answer, writes it down, claims the next batch, or has asked for that one already."""
    death = threading.Timer(dice.uniform(0, 0.006), sender.kill)

    def script(request: dict[str, Any], number: int) -> Any:
        if number == at:
            death.start()
        if number > at:
            death.join()  # it gets no further
        return answer(request, number)

    return script


def _delivered(provider: Any) -> list[dict[str, Any]]:
    return [
        {
            "event_id": f"e{number}",
            "event_type": "delivered",
            "occurred_at": utc_now(),
            "email": sent["address"],
            "message_key": sent["mk"],
            "batch_id": sent["bk"],
        }
        for number, sent in enumerate(provider.accepted)
    ]


def _in_doubt(ledger: Ledger) -> list[str]:
    from sqlalchemy import select

    from kreislauf.ledger.schema import batch

    with ledger.read() as opened:
        return list(opened.execute(select(batch.c.id).where(batch.c.state == "in_doubt")).scalars())
