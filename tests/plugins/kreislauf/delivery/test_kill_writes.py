"""Kill at drawn statements of claiming, sending and settling, while the sandbox's mail provider fails:
nobody gets a message twice, none is lost, and what is in doubt is little and listed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kreislauf.ledger import batches
from kreislauf.ledger.schema import batch, message
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.switch import report
from kreislauf.ledger.testing import plan_people
from tests.plugins.kreislauf.delivery.channels import OtherEnds, rows, states
from tests.plugins.kreislauf.delivery.conftest import EXTRA

MESSAGES, BATCH, KILLS = 160, 4, 24
SEND = "/mail/v3/mail/send"
FAULTS = (500, "drop_after_accept", "drop", 503)
KILLED, DONE = -signal.SIGKILL, 0

_WORKERS = """
import json, os, signal, sys
from datetime import datetime, timedelta
from sqlalchemy import event
from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import transport_for
from kreislauf.ledger import events
from kreislauf.ledger.store import Ledger, utc_now

told = json.loads(sys.argv[1])
mail = Connection(**told["mail"])
templates, links = Templates(), Links("https://web.example", "a secret of enough length")

def work(what, die_at, hours, events_of):
    ledger, executed = Ledger.open(Connection("ledger", "sqlite", told["ledger"])), [0]

    @event.listens_for(ledger.engine, "before_cursor_execute")
    def count(*_):
        executed[0] += 1
        if executed[0] == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(ledger.engine, "commit")
    def before_commit(_):
        count()

    if what == "send":
        send(
            ledger, transport_for(mail), templates, "flow_welcome", "hello", "me", links,
            clock=lambda: utc_now() + timedelta(hours=hours), sleep=lambda seconds: None,
        )
    else:
        events.record(ledger, [row | {"occurred_at": utc_now()} for row in events_of])

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        work(**json.loads(line))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture
def work(ledger: Ledger, ledger_file: Path, ends: OtherEnds) -> Iterator[Callable[..., int]]:
    """`work("send", die_at=7)` in a process of its own that is killed before its 7th statement or commit; its
    exit code. Each comes an hour later than the one before: what that one left is old by then."""
    mail = {"conn_id": "sendgrid", "conn_type": "http", "host": f"{ends.url}/mail", "extra": EXTRA}
    told = {"ledger": str(ledger_file), "mail": mail | {"password": ends.options.mail_key}}
    workers = subprocess.Popen(
        [sys.executable, "-c", _WORKERS, json.dumps(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[4] / "plugins")},
    )
    hours = 0

    def work(what: str, die_at: int = 0, events_of: Any = ()) -> int:
        nonlocal hours
        hours += 1
        assert workers.stdin and workers.stdout
        order = {"what": what, "die_at": die_at, "hours": hours, "events_of": list(events_of)}
        workers.stdin.write(json.dumps(order) + "\n")
        workers.stdin.flush()
        return int(workers.stdout.readline())

    yield work
    workers.stdin.close()
    workers.wait(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("seed", [1])
def test_killed_at_any_write(ledger: Ledger, ends: OtherEnds, work: Callable[..., int], seed: int) -> None:
    names = [f"c{number}" for number in range(MESSAGES - 1)]
    plan_people(ledger, [*names, "no address"], batch_size=BATCH)
    for number, fault in enumerate(FAULTS):
        ends.faults.add({"path": SEND, "fault": fault, "probability": 0.04, "seed": seed * 10 + number})
    busy = {"path": SEND, "fault": 429, "times": 3, "skip": 5, "headers": {"X-RateLimit-Reset": "0"}}
    ends.faults.add(busy)
    dice = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    died = [work("send", dice.randint(1, 50)) for _ in range(KILLS)]
    assert died.count(KILLED) >= KILLS - 2 and set(died) <= {KILLED, DONE}
    _until_nothing_is_planned(ledger, work)

    arrived = _arrived(ends, ledger)
    assert len(arrived) == len(set(arrived))
    _each_message_is_in_one_state(ledger)
    doubtful = _messages_in_doubt(ledger)
    sure = {row.message_key for row in rows(ledger, message) if row.outcome is None} - doubtful
    assert sure <= set(arrived), "lost"
    failed = sum(rule["hits"] for rule in ends.faults.listing() if rule["fault"] != 429)
    assert 0 < len(doubtful) <= (died.count(KILLED) + failed) * BATCH

    # Settling is killed at each of its statements; then doubt is left only where nothing arrived.
    told = _delivered(ends, ledger)
    die_at = 1
    while work("settle", die_at, told) == KILLED:
        assert _messages_in_doubt(ledger) == doubtful, f"half settled before statement {die_at}"
        die_at += 1
    assert die_at > 3
    doubtful = _messages_in_doubt(ledger)
    refused = {row.message_key for row in rows(ledger, message) if row.outcome == "rejected"}
    assert doubtful == {row.message_key for row in rows(ledger, message)} - set(arrived) - refused

    # A person has those sent again; then everybody has one.
    ends.faults.clear()
    for listed in sorted({row.batch_id for row in rows(ledger, message) if row.message_key in doubtful}):
        batches.resolve(ledger, listed, "planned", "eve")
    _until_nothing_is_planned(ledger, work)
    arrived = _arrived(ends, ledger)
    assert len(arrived) == len(set(arrived)) == MESSAGES - 1
    assert states(ledger) == {"accepted": MESSAGES - 1, "rejected": 1}


def _until_nothing_is_planned(ledger: Ledger, work: Callable[..., int]) -> None:
    for _ in range(5):
        assert work("send") == DONE
        if not set(states(ledger)) & {"planned", "claimed"}:
            return
    raise AssertionError(states(ledger))


def _each_message_is_in_one_state(ledger: Ledger) -> None:
    found = states(ledger)
    assert sum(found.values()) == MESSAGES
    assert set(found) <= {"accepted", "in_doubt", "rejected"}


def _messages_in_doubt(ledger: Ledger) -> set[str]:
    """By the list that an operator gets."""
    listed = {row["batch"] for row in report(ledger)["in_doubt"]}
    assert listed == {row.id for row in rows(ledger, batch) if row.state == "in_doubt"}
    return {
        row.message_key for row in rows(ledger, message) if row.batch_id in listed and row.outcome is None
    }


def _arrived(ends: OtherEnds, ledger: Ledger) -> list[str]:
    return [row["message_key"] for row in _delivered(ends, ledger)]


def _delivered(ends: OtherEnds, ledger: Ledger) -> list[dict[str, Any]]:
    """The provider's events of what it has accepted of this ledger."""
    ours = {row.message_key for row in rows(ledger, message)}
    with ends.store.read() as db:
        found = db.execute("select id, address, custom_args from mail_message order by id").fetchall()
    told = []
    for id_, address, args in found:
        keys = json.loads(args)
        if keys.get("mk") in ours:
            known = {"email": address, "message_key": keys["mk"], "batch_id": keys["bk"]}
            told.append({"event_id": f"e{id_}", "event_type": "delivered", **known})
    return told
