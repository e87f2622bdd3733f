"""Start and stop the local services: the sandbox, the public web app and Airflow.

They run as children of one supervisor process in a session of its own. The supervisor holds the
reading end of a pipe; when the command that started it dies, even by SIGKILL, the pipe closes and
everything below is stopped. `make up` tells it to stay instead.

Airflow's web server starts first, and what works (scheduler, DAG processor, triggerer) when it is told
to: until then nobody but the command that started it writes to Airflow's database.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from scripts.local import REPOSITORY, SMS_ACCOUNT, Local, write_json

WORK, STAY = b"w", b"s"
"""What the supervisor is told on its standard input."""

WEB_SERVER, WORKING = "api-server", ("scheduler", "dag-processor", "triggerer")
"""Airflow's commands."""


class ServiceFailed(RuntimeError):
    """A service did not start, or died; the message names its log."""


class Services:
    """The running services of one installation, held by the process that started them."""

    def __init__(self, local: Local, supervisor: subprocess.Popen[bytes]) -> None:
        self.local = local
        self._supervisor = supervisor

    def stop(self) -> None:
        """Stop everything and wait for it."""
        if self._supervisor.stdin:
            self._supervisor.stdin.close()
        self._supervisor.wait(timeout=60)

    def start_work(self) -> None:
        """Start what works in Airflow, and wait until it does.

        Raises ServiceFailed with its logs.
        """
        if self._supervisor.stdin:
            self._supervisor.stdin.write(WORK)
            self._supervisor.stdin.flush()
        _wait(self.local, self._supervisor, "airflow", self.local.airflow_health, 180, _works)

    def leave_running(self) -> None:
        """Let the services outlive this process (`make up`); `stop_leftovers` ends them.

        The sandbox's clock follows the real one from now on: who pulls the shop as of now finds what
        happened until now.
        """
        httpx.post(f"{self.local.url('sandbox')}/world/live", timeout=10).raise_for_status()
        if self._supervisor.stdin:
            self._supervisor.stdin.write(STAY)
            self._supervisor.stdin.close()


def start(local: Local, sandbox_options: list[str]) -> Services:
    """Start all but what works in Airflow, and wait until each answers. Nothing of the installation may
    be running.

    Raises ServiceFailed with the name of the service and its log.
    """
    local.logs.mkdir(parents=True, exist_ok=True)
    write_json(local.home / "sandbox.json", sandbox_options)
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "scripts.services", str(local.home)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=(local.logs / "supervisor.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    services = Services(local, supervisor)
    try:
        _wait(local, supervisor, "sandbox", f"{local.url('sandbox')}/world", 120)
        _wait(local, supervisor, "web", f"{local.url('web')}/health", 60)
        _wait(local, supervisor, "airflow", local.airflow_health, 180)
    except BaseException:
        services.stop()
        raise
    return services


def stop_leftovers(local: Local) -> int:
    """Stop services that an earlier command left behind; the number of processes stopped."""
    record = local.home / "supervisor.json"
    if not record.exists():
        return 0
    known = json.loads(record.read_text())
    processes: list[psutil.Process] = []
    for entry in known:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(entry["pid"])
            if abs(process.create_time() - entry["created"]) < 1:
                processes += [*process.children(recursive=True), process]
    stopped = _end(processes)
    record.unlink(missing_ok=True)
    return stopped


def _works(answer: httpx.Response) -> bool:
    parts = answer.json()
    return all(parts[name]["status"] == "healthy" for name in ("metadatabase", "scheduler", "dag_processor"))


def _wait(
    local: Local, supervisor: subprocess.Popen[bytes], service: str, url: str, seconds: float, ready=None
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            raise ServiceFailed(f"{service} did not start; read the logs in {local.logs}")
        with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
            answer = httpx.get(url, timeout=5)
            if answer.is_success and (ready is None or ready(answer)):
                if not _listens(supervisor.pid, answer.url.port):
                    raise ServiceFailed(
                        f"another program answers at {url}, in place of our {service}; "
                        "run the command again, and it takes another port"
                    )
                return
        time.sleep(0.2)
    raise ServiceFailed(
        f"{service} did not answer at {url} within {seconds:.0f} s; read the logs in {local.logs}"
    )


def _listens(pid: int, port: int | None) -> bool:
    """Whether a process or one below it listens at the port: two installations may have chosen the same."""
    return any(
        found.status == psutil.CONN_LISTEN and found.laddr.port == port
        for process in _family(pid)
        for found in _connections(process)
    )


def _connections(process: psutil.Process) -> list[Any]:
    try:
        return process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return []


# ------------------------------------------------------------------------------- the supervisor


def supervise(home: Path) -> int:
    """Run the services until standard input closes or one of them dies."""
    local = Local.at(home)
    children: dict[str, subprocess.Popen[bytes]] = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _record(local, [])
        prepared = _prepare_airflow(local)
        environment = local.environment()
        children["sandbox"] = _spawn(local, "sandbox", sandbox_command(local), environment)
        children["web"] = _spawn(
            local, "web", ["-m", "kreislauf.web", "--port", str(local.ports["web"])], environment
        )
        _record(local, list(children.values()))
        if prepared.wait() != 0:
            print("airflow db migrate failed: read", local.logs / "airflow-migrate.log", flush=True)
            return 1
        (local.airflow_home / "migrated").touch()
        _start_airflow(local, children, WEB_SERVER)
        return _hold(local, children)
    finally:
        _end([process for child in children.values() for process in _family(child.pid)])
        (local.home / "supervisor.json").unlink(missing_ok=True)


def _start_airflow(local: Local, children: dict[str, subprocess.Popen[bytes]], *commands: str) -> None:
    for command in commands:
        name, environment = f"airflow-{command}", local.environment()
        if command == WEB_SERVER:
            # It writes its audit log within its event loop (Airflow 3.3): when another of its requests is
            # about to commit, both wait until one gives up. Who asked then asks again.
            environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = local.airflow_database(patience=10)
        children[name] = _spawn(local, name, ["-m", "airflow", command], environment)
    _record(local, list(children.values()))


def _hold(local: Local, children: dict[str, subprocess.Popen[bytes]]) -> int:
    os.set_blocking(sys.stdin.fileno(), False)
    stay = False
    while True:
        for name, child in children.items():
            if child.poll() is not None:
                print(f"{name} ended with {child.returncode}: read {local.logs / name}.log", flush=True)
                return 1
        if not stay:
            said = sys.stdin.buffer.raw.read()
            if said == b"":
                return 0
            if said and WORK in said:
                _start_airflow(local, children, *WORKING)
            stay = bool(said) and STAY in said
        time.sleep(0.2)


def _prepare_airflow(local: Local) -> subprocess.Popen[bytes]:
    """Create or migrate Airflow's own database, and write the password of its one user."""
    local.airflow_home.mkdir(parents=True, exist_ok=True)
    write_json(local.airflow_home / "passwords.json", {"admin": local.secrets["airflow_password"]}, 0o600)
    migrated = local.airflow_home / "migrated"
    newest_pin = (REPOSITORY / "requirements.txt").stat().st_mtime
    if migrated.exists() and migrated.stat().st_mtime > newest_pin:
        return subprocess.Popen([sys.executable, "-c", ""])
    if not migrated.exists():
        (local.airflow_home / "airflow.db").unlink(missing_ok=True)
    return _spawn(local, "airflow-migrate", ["-m", "airflow", "db", "migrate"], local.environment())


def sandbox_command(local: Local) -> list[str]:
    return [
        "-m", "sandbox",
        "--home", str(local.home / "sandbox"),
        "--port", str(local.ports["sandbox"]),
        "--site-inbox", str(local.landing / "inbox" / "site_events"),
        "--files-inbox", str(local.landing / "inbox"),
        "--webhook", f"{local.url('web')}/events/sendgrid",
        "--sms-answers", f"{local.url('web')}/sms/inbound",
        "--site-backend", local.url("web"),
        "--client-id", "kreislauf",
        "--client-secret", local.secrets["shop"],
        "--crm-token", local.secrets["crm"],
        "--mail-key", local.secrets["mail"],
        "--sms-account", SMS_ACCOUNT,
        "--sms-token", local.secrets["sms"],
        "--webhook-secret", local.secrets["webhook"],
        *json.loads((local.home / "sandbox.json").read_text()),
    ]  # fmt: skip


def _spawn(local: Local, name: str, arguments: list[str], environment: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=(local.logs / f"{name}.log").open("ab"),
        stderr=subprocess.STDOUT,
    )


def _record(local: Local, children: list[subprocess.Popen[bytes]]) -> None:
    """Remember who runs, so that the next command can end what a killed one left."""
    entries = []
    for pid in (os.getpid(), *(child.pid for child in children)):
        with contextlib.suppress(psutil.NoSuchProcess):
            entries.append({"pid": pid, "created": psutil.Process(pid).create_time()})
    write_json(local.home / "supervisor.json", entries)


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []


def _end(processes: list[psutil.Process]) -> int:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=8)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return len(processes)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1])))
