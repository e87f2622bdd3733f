"""`make run`: the whole circuit in a real Airflow, against the sandbox; `make up` leaves it open.

The first run shows two turns of the circuit, some three days apart, so that people can answer what
was sent to them: their opens, clicks, orders and opt-outs are in the second turn's data. A later run is
one more turn, as of now. A run that was killed is taken up where it was: what is to be done, and as
of when, stands in `plan.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from kreislauf import places
from kreislauf.connections import Connection
from kreislauf.ledger.batches import sweep
from kreislauf.ledger.store import Ledger, utc_now
from scripts import services, summary
from scripts.airflow_api import AirflowApi, RunFailed
from scripts.local import REPOSITORY, Local, write_json

INGEST = ["ingest_shop", "ingest_crm", "ingest_engagement", "ingest_files"]
FLOWS = sorted(f"flow_{path.stem}" for path in (REPOSITORY / "dags" / "flow").glob("*.py"))
AT_HAND = ["campaign_newsletter", "maintain_list_cleanup", "maintain_vouchers", "send_due"]
DAGS = [*INGEST, "build_warehouse", *FLOWS, *AT_HAND]
MORNING, EVENING = 9, 19
"""The hours, UTC, of the first turn and of its day's end: both by day for most of the world's people, so
that what is meant for an hour of this day is sent on it."""
PATIENCE = 60
"""Seconds within which Airflow starts a run of which nothing else is in the way."""
RETAIL_END = datetime(2011, 12, 10, tzinfo=UTC)
"""The morning after the last invoice of the Online Retail data set."""
PLUS = ["--shop-rate", "1000", "--shop-bucket", "20000"]
"""The sandbox's shop is on Shopify's Plus plan, so that a first sync does not wait for cost points."""


def main() -> int:
    arguments = _arguments()
    local = Local.at(arguments.home.resolve())
    clock = Clock()
    with _alone(local.home, clock):
        services.stop_leftovers(local)
        local = local.on_free_ports()
        os.environ.update(local.environment())
        try:
            plan = _plan(local.home, arguments.world, arguments.contacts)
            clock.say(f"starting the sandbox, the web app and Airflow (logs in {local.logs})")
            running = services.start(local, plan["sandbox"])
        except services.ServiceFailed as error:
            return clock.fail(str(error))
        left = False
        try:
            api = AirflowApi(
                local.url("airflow"), local.secrets["airflow_password"], str(local.airflow_home / "logs")
            )
            api.sign_in()
            _take_up(api, clock)
            running.start_work()
            Circuit(local, api, plan, clock).run()
            summary.show(local.home, plan["retail"])
            if arguments.stay:
                running.leave_running()
                left = True
                _say_where(local)
            clock.say("done")
            return 0
        except (RunFailed, services.ServiceFailed, summary.Unreconciled) as error:
            return clock.fail(str(error))
        except httpx.HTTPError as error:
            return clock.fail(
                f"{error} ({error.request.url}); see {local.logs}, and give the command again:"
                " it goes on where it was"
            )
        finally:
            if not left:
                running.stop()


class Clock:
    """Progress on the terminal, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spoke = 0.0

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._began:5.0f} s] {text}", flush=True)
        self._spoke = time.monotonic()

    def tick(self, dag_id: str, done: int, total: int) -> None:
        if time.monotonic() - self._spoke > 10:
            self.say(f"  {dag_id}: {done} of {total} tasks")

    def fail(self, text: str) -> int:
        self.say("FAILED")
        print(text, file=sys.stderr, flush=True)
        return 1


class Circuit:
    """The turns of the plan, each as of its moment."""

    def __init__(self, local: Local, api: AirflowApi, plan: dict[str, Any], clock: Clock) -> None:
        self.local, self.api, self.plan, self.clock = local, api, plan, clock

    def run(self) -> None:
        self.api.wait_for_dags(DAGS)
        for turn in self.plan["turns"]:
            if not turn["is_done"]:
                # Not as of when the command was given: hourly extractions may have come by since.
                self._note(turn, as_of=turn["as_of"] or _iso(_now()))
                self._turn(turn)
                self._note(turn, is_done=True)
        self._clean_list()

    def _note(self, turn: dict[str, Any], **changes: Any) -> None:
        """Write down how far a turn is, for whoever takes it up."""
        turn.update(changes)
        write_json(self.local.home / "plan.json", self.plan)

    def _turn(self, turn: dict[str, Any]) -> None:
        as_of, later = turn["as_of"], turn["later"]
        self.clock.say(f"the circuit, as of {as_of}")
        self._advance(as_of)
        # By the real clock, which its own schedule goes by, what is planned in the past has long expired.
        self.api.pause("send_due", bool(later))
        vouchers = self.api.trigger("maintain_vouchers", {})
        shop = self.api.trigger("ingest_shop", {"as_of": as_of})
        # The nightly ones start no build themselves: what they bring has to be there before.
        nightly = {dag: self.api.trigger(dag, {"as_of": as_of}) for dag in ("ingest_crm", "ingest_files")}
        for dag, run in {"maintain_vouchers": vouchers, **nightly}.items():
            self._finish(dag, run)
        engagement = self.api.trigger("ingest_engagement", {"as_of": as_of})
        extracted = [self._finish("ingest_shop", shop), self._finish("ingest_engagement", engagement)]
        built = self._finish_triggered("build_warehouse", max(_end(tasks) for tasks in extracted))
        for flow in FLOWS:
            self._finish_triggered(flow, _end(built))
        if turn["campaign"]:
            conf = {"segment": "subscribers", "template": "newsletter/monthly", "name": turn["campaign"]}
            run = self.api.trigger("campaign_newsletter", {**conf, "dry_run": False, "approve_above": 10_000})
            self._finish("campaign_newsletter", run)
        self._send_due(later or [as_of])

    def _send_due(self, moments: list[str]) -> None:
        """Send what was planned for an hour that has come by then, one moment after the other."""
        self.clock.say(f"what has come due by {moments[-1]}")
        self._advance(moments[-1])
        runs = [self.api.trigger("send_due", {"as_of": moment}, since=moment) for moment in moments]
        self.api.pause("send_due", False)  # its own schedule's run, if one is due by now, comes after these
        for run in runs:
            self._finish("send_due", run)

    def _advance(self, moment: str) -> None:
        world = f"{self.local.url('sandbox')}/world/advance"
        httpx.post(world, json={"until": moment}, timeout=300).raise_for_status()

    def _clean_list(self) -> None:
        self._finish("maintain_list_cleanup", self.api.trigger("maintain_list_cleanup", {"approve_above": 1}))

    def _finish(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Wait for a run's end; its tasks."""
        began = time.monotonic()
        tasks = self.api.wait(dag_id, run_id, self.clock.tick)
        self.clock.say(f"  {dag_id}: {len(tasks)} tasks in {time.monotonic() - began:.0f} s")
        return tasks

    def _finish_triggered(self, dag_id: str, since: str) -> list[dict[str, Any]]:
        """Wait for the run that assets have started since; its tasks. A full hour may have started one
        before, which ends first, or have used up the assets: then it is started here.
        """
        deadline = time.monotonic() + PATIENCE
        while not (runs := self.api.runs_since(dag_id, since)):
            for earlier in self.api.active(dag_id):
                self._finish(dag_id, earlier)
                deadline = time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                runs = [self.api.trigger(dag_id, {})]
                break
            time.sleep(0.3)
        return [self._finish(dag_id, run) for run in runs][-1]


def _take_up(api: AirflowApi, clock: Clock) -> None:
    """Say of what a killed command left that nobody works on it any more. No scheduler may run."""
    api.ensure_pools()
    left = api.fail_leftovers()
    if left:
        clock.say(f"marked {left} runs of a killed command as failed; taking up their work")
    # The folder's lock is ours, so no sender of this ledger is alive: no lease to wait for.
    in_doubt = sweep(Ledger.open(Connection.from_env("ledger")), utc_now(), lease=timedelta(0))
    if in_doubt:
        clock.say(f"{in_doubt} batches are in doubt; the provider's events will settle them")


def _plan(home: Path, retail: Path | None, contacts: int) -> dict[str, Any]:
    """What is to be done: the unfinished plan of a killed run, or a new one."""
    path = home / "plan.json"
    if path.exists():
        plan = json.loads(path.read_text())
        if (str(retail.resolve()) if retail else None) != plan["retail"]:
            raise services.ServiceFailed(
                f"{home} holds another world ({plan['retail'] or 'the sandbox'}); "
                "run `make clean` first, or choose another folder with KREISLAUF_HOME"
            )
        if not all(turn["is_done"] for turn in plan["turns"]):
            return plan
        plan["turns"] = [_a_turn(RETAIL_END if retail else None)]
    elif retail:
        if not retail.is_file():
            raise services.ServiceFailed(f"WORLD={retail}: there is no such file")
        plan = {
            "retail": str(retail.resolve()),
            "sandbox": ["--retail", str(retail.resolve()), "--start", _iso(RETAIL_END)],
            "turns": [_a_turn(RETAIL_END)],
        }
    else:
        start = _morning_before(_now() - timedelta(days=3))
        plan = {
            "retail": None,
            "sandbox": ["--start", _iso(start), "--contacts", str(contacts), "--days", "180", *PLUS],
            "turns": [
                _a_turn(start, campaign="first-look", later=[_evening_of(start), start + timedelta(days=1)]),
                _a_turn(None),
            ],
        }
    write_json(path, plan)
    return plan


def _a_turn(
    as_of: datetime | None, campaign: str | None = None, later: Sequence[datetime] = ()
) -> dict[str, Any]:
    """A turn of the plan. `as_of` None: of the moment at which it begins. `later`: when to look for what
    was planned for a later hour.
    """
    moments = {"as_of": as_of and _iso(as_of), "later": [_iso(moment) for moment in later]}
    return {**moments, "campaign": campaign, "is_done": False}


def _end(tasks: list[dict[str, Any]]) -> str:
    """When the last task ended: the one that announces what has come."""
    return max(task["end_date"] for task in tasks if task["end_date"])


def _evening_of(moment: datetime) -> datetime:
    return moment.replace(hour=EVENING, minute=30)


def _morning_before(moment: datetime) -> datetime:
    morning = moment.replace(hour=MORNING, minute=0, second=0)
    return morning if morning <= moment else morning - timedelta(days=1)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@contextlib.contextmanager
def _alone(home: Path, clock: Clock) -> Generator[None]:
    """One run at a time in a folder: a second one waits for the first."""
    with (home / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            clock.say(f"another run is at work in {home}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say_where(local: Local) -> None:
    print(f"Airflow    {local.url('airflow')}  (admin / {local.secrets['airflow_password']})")
    print(f"Inbox      {local.url('sandbox')}/mail/inbox")
    print(f"Sandbox    {local.url('sandbox')}  (texts, notifications, tasks, webhooks)")
    print("Stop it with `make down`.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--home", type=Path, default=places.home())
    parser.add_argument("--world", type=Path, help="a Parquet file of real transactions to serve as the shop")
    parser.add_argument("--contacts", type=int, default=2000, help="people in the sandbox's world")
    parser.add_argument("--stay", action="store_true", help="leave the services running (make up)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
