"""The whole circuit in a real Airflow: killed on the way, taken up again, and run once more."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import and_, case, create_engine, func, select

from kreislauf.ledger.schema import BatchState, Channel, batch, decision, message
from scripts import services
from scripts.local import Local

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(7200)]


def _command(home: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "scripts.run", "--home", str(home), "--contacts", "300", *more]


def _environment() -> dict[str, str]:
    ours = ("AIRFLOW", "KREISLAUF")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": str(REPOSITORY / "plugins")}


def _run(home: Path) -> tuple[dict, str]:
    done = subprocess.run(
        _command(home), cwd=REPOSITORY, env=_environment(), capture_output=True, text=True, timeout=2400
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads((home / "summary.json").read_text()), done.stdout


def _kill_when(home: Path, words: str) -> None:
    """Start a run and SIGKILL its process once its output shows `words`."""
    run = subprocess.Popen(
        _command(home), cwd=REPOSITORY, env=_environment(), stdout=subprocess.PIPE, text=True
    )
    for line in run.stdout:
        if re.search(words, line):
            time.sleep(2)
            run.send_signal(signal.SIGKILL)
            break
    assert run.wait() == -signal.SIGKILL, f"the run ended before it said {words!r}"


def _inbox(home: Path) -> dict:
    """Ask the mail provider itself what it has accepted."""
    local = Local.at(home)
    with (home / "sandbox-alone.log").open("w") as log:
        command = [sys.executable, *services.sandbox_command(local)]
        sandbox = subprocess.Popen(
            command, cwd=REPOSITORY, env=local.environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return httpx.get(f"{local.url('sandbox')}/mail/counts.json").json()
            except httpx.HTTPError:
                time.sleep(0.2)
        raise AssertionError((home / "sandbox-alone.log").read_text())
    finally:
        sandbox.terminate()
        sandbox.wait()


def _last_moment(home: Path) -> datetime:
    """As of when the last run was: what was due by then has gone out."""
    return datetime.fromisoformat(json.loads((home / "plan.json").read_text())["turns"][-1]["as_of"])


def _mails_due_after(home: Path, moment: datetime) -> int:
    """How many of the mails sent could not have been sent by then: they waited for a later hour, or were
    due later."""
    due_at = case((message.c.planned_as_of <= moment, message.c.send_at), else_=decision.c.due_at)
    key = ("flow", "step", "contact_id", "occurrence_id")
    mails = (
        select(func.count())
        .select_from(message)
        .join(batch, batch.c.id == message.c.batch_id)
        .join(decision, and_(*(decision.c[name] == message.c[name] for name in key)))
        .where(message.c.channel == Channel.EMAIL, message.c.outcome.is_(None))
        .where(batch.c.state == BatchState.ACCEPTED, due_at > moment)
    )
    with create_engine(f"sqlite:///{home / 'ledger.db'}").connect() as connection:
        return connection.scalar(mails)


def _total(figures: dict, *states: str) -> int:
    return sum(
        n for by_state in figures.values() for state, n in by_state.items() if not states or state in states
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """An empty installation, away from the usual ports: somebody may have one open beside the tests."""
    home = tmp_path_factory.mktemp("circuit")
    with contextlib.ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in ("airflow", "sandbox", "web")}
        for held in sockets.values():
            held.bind(("127.0.0.1", 0))
        ports = {name: held.getsockname()[1] for name, held in sockets.items()}
    (home / "ports.json").write_text(json.dumps(ports))
    return home


def test_a_killed_run_is_taken_up_and_a_second_run_adds_nothing(home):
    _kill_when(home, r"build_warehouse: \d+ tasks")

    first, printed = _run(home)
    inbox = _inbox(home)

    assert re.search(r"marked \d+ runs of a killed command as failed", printed)
    assert first["contacts"] >= 250
    assert first["rows ingested, by table"]["shop_orders"] > 100
    assert set(first["messages by flow and state"]) >= {
        "flow_welcome",
        "flow_abandoned_cart",
        "campaign_newsletter",
    }, printed
    messages = first["messages by flow and state"]
    settled = _total(messages, "accepted", "rejected", "in_doubt", "skipped")
    assert _total(messages) == settled + sum(flow["waiting"] for flow in first["flows"].values()), messages
    mails = sum(flow["sent"].get("email", 0) for flow in first["flows"].values())
    assert inbox["duplicates"] == 0
    # The hour's own run may be sending at the end: of what it has claimed the answer is not known yet.
    assert mails <= inbox["messages"] <= mails + _total(messages, "in_doubt", "claimed")
    assert first["flows"]["flow_anonymous_visitor"]["sent"]["onsite"] > 0
    assert any(flow["ended by goal"] for flow in first["flows"].values())
    assert first["events received"]["delivered"] > 0
    assert _total(first["decisions by flow and reason"], "planned") == _total(messages)

    since = _last_moment(home)
    due = _mails_due_after(home, since)
    second, _ = _run(home)
    again = _inbox(home)
    added = again["messages"] - inbox["messages"] - (_mails_due_after(home, since) - due)
    assert again["duplicates"] == 0
    assert added < 0.05 * inbox["messages"], "only what became due meanwhile"
    assert (
        second["rows ingested, by table"]["shop_products"]
        == first["rows ingested, by table"]["shop_products"]
    )
    for flow, reasons in first["decisions by flow and reason"].items():
        planned = second["decisions by flow and reason"][flow].get("planned", 0)
        assert planned >= reasons.get("planned", 0), flow
