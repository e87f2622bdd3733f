"""Kill any channel's sender anywhere, with a provider that fails: no duplicate, nothing lost sight of."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kreislauf.delivery.channels import WAYS
from kreislauf.ledger.schema import REPEATABLE, Channel, audience_member, batch, message, overlay
from kreislauf.ledger.store import Ledger
from tests.plugins.kreislauf.delivery.channels import OtherEnds, plan, rows, states, write_template
from tests.plugins.kreislauf.delivery.test_channels import connections, inbox, records

MESSAGES, BATCH, KILLS = 60, 10, 2
PATHS = {
    Channel.SMS: "/sms/2010",
    Channel.PUSH: "/push/send",
    Channel.CRM: "/crm/crm/objects/2026-09/tasks",
    Channel.WEBHOOK: "/webhook/receive",
}

_SENDER = """
import json, sys
from datetime import timedelta
from pathlib import Path
from kreislauf.connections import Connection
from kreislauf.delivery.channels import WAYS
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.ledger.schema import Channel
from kreislauf.ledger.store import Ledger, utc_now

told = json.loads(sys.argv[1])
ledger = Ledger.open(Connection("ledger", "sqlite", host=told["ledger"]))
links = Links("https://web.example", "a secret of enough length")
channel = Channel(told["channel"])
transport = WAYS[channel].make(Connection(**told["connection"]), ledger, links)
later = timedelta(hours=told["hours"])
print("ready", flush=True)
send(
    ledger, transport, Templates(Path(told["templates"])), "flow", channel.value, "me", links,
    clock=lambda: utc_now() + later, sleep=lambda seconds: None,
)
"""


@pytest.fixture
def start(ledger: Ledger, ledger_file: Path, ends: OtherEnds, tmp_path: Path):
    """Start a sender whose clock is some hours ahead: what an earlier one left is old for it."""

    def start(channel: Channel, hours: int) -> subprocess.Popen[str]:
        told = {
            "ledger": str(ledger_file),
            "templates": str(tmp_path / "templates"),
            "channel": channel.value,
            "connection": asdict(connections(ends)[WAYS[channel].connection]),
            "hours": hours,
        }
        command = [sys.executable, "-c", _SENDER, json.dumps(told)]
        plugins = Path(__file__).parents[4] / "plugins"
        environment = {"PYTHONPATH": str(plugins)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    return start


def _wait_until_ready(sender: subprocess.Popen[str]) -> None:
    assert sender.stdout
    assert sender.stdout.readline() == "ready\n"


@pytest.mark.parametrize("channel", list(PATHS))
def test_killed_while_a_provider_fails(ledger, ends, start, subscribe, tmp_path, channel: Channel) -> None:
    write_template(tmp_path / "templates", channel)
    addresses = subscribe(MESSAGES) if channel is Channel.PUSH else _addresses(channel)
    plan(ledger, channel, addresses, batch_size=BATCH)
    for seed, fault in enumerate((500, "drop_after_accept", "drop")):
        ends.faults.add({"path": PATHS[channel], "fault": fault, "probability": 0.04, "seed": seed})
    dice = random.Random(channel.value)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    hours = 0
    for _ in range(KILLS):
        hours += 1
        sender = start(channel, hours)
        _wait_until_ready(sender)
        _kill_at(ends, sender, channel, dice)
        assert sender.wait(60) == -signal.SIGKILL
    ends.counted.before = lambda path, number: None
    for _ in range(8):
        hours += 1
        assert start(channel, hours).wait(60) == 0
        if not set(states(ledger)) & {"planned", "claimed"}:
            break

    arrived = _arrived(ends, channel)
    assert len(arrived) == len(set(arrived))
    found = states(ledger)
    assert sum(found.values()) == MESSAGES
    assert set(found) <= {"accepted", "in_doubt"}
    doubtful = {row.message_key for row in rows(ledger, message)} & _in_doubt(ledger)
    assert {row.message_key for row in rows(ledger, message)} - doubtful <= set(arrived)
    if channel in REPEATABLE:
        assert found == {"accepted": MESSAGES}
    else:
        failed = sum(rule["hits"] for rule in ends.faults.listing())
        assert len(doubtful) <= KILLS * BATCH + failed


@pytest.mark.parametrize("channel", [Channel.ONSITE, Channel.AUDIENCE])
def test_killed_while_it_writes_our_own_ledger(ledger, ends, start, tmp_path, channel: Channel) -> None:
    write_template(tmp_path / "templates", channel)
    plan(ledger, channel, _addresses(channel), batch_size=2)
    dice = random.Random(channel.value)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    for hours in range(1, KILLS + 1):
        sender = start(channel, hours)
        _wait_until_ready(sender)
        threading.Timer(dice.uniform(0.02, 0.3), sender.kill).start()
        assert sender.wait(60) in {-signal.SIGKILL, 0}
    assert start(channel, KILLS + 1).wait(60) == 0
    assert states(ledger) == {"accepted": MESSAGES}
    assert len(rows(ledger, overlay if channel is Channel.ONSITE else audience_member)) == MESSAGES


def _kill_at(ends: OtherEnds, sender: subprocess.Popen[str], channel: Channel, dice: random.Random) -> None:
    """Kill the sender within a few milliseconds of a drawn request of its."""
    at = ends.counted.number + dice.randint(1, 4 if channel is Channel.CRM else 20)
    delay = dice.uniform(0, 0.006)

    def before(path: str, number: int) -> None:
        if number == at:
            threading.Timer(delay, sender.kill).start()

    ends.counted.before = before


def _addresses(channel: Channel) -> list[str]:
    numbers = range(1, MESSAGES + 1)
    return [f"+49151123450{n:02d}" if channel is Channel.SMS else str(n) for n in numbers]


def _arrived(ends: OtherEnds, channel: Channel) -> list[Any]:
    if channel is Channel.CRM:
        return [task["kreislauf_message_key"] for task in records(ends, "tasks")]
    return [found["message_key"] for found in inbox(ends, channel.value)]


def _in_doubt(ledger: Ledger) -> set[str]:
    batches = {row.id for row in rows(ledger, batch) if row.state == "in_doubt"}
    return {row.message_key for row in rows(ledger, message) if row.batch_id in batches}
