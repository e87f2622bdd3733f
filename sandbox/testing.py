"""A running sandbox for tests: `with run_sandbox(tmp_path) as sandbox: …`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from sandbox.store import iso

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass
class Sandbox:
    """A sandbox that listens. The URLs are what the connections of each system take as their host."""

    url: str
    client_id: str
    client_secret: str
    crm_token: str
    mail_key: str
    sms_account: str
    sms_token: str
    webhook_secret: str
    process: subprocess.Popen[str]

    @property
    def shop(self) -> str:
        return f"{self.url}/shop"

    @property
    def crm(self) -> str:
        return f"{self.url}/crm"

    @property
    def mail(self) -> str:
        return f"{self.url}/mail"

    @property
    def sms(self) -> str:
        return f"{self.url}/sms"

    @property
    def push(self) -> str:
        return f"{self.url}/push"

    @property
    def webhook(self) -> str:
        return f"{self.url}/webhook"

    @property
    def world(self) -> dict[str, Any]:
        """The world's clock and counts."""
        return _json(httpx.get(f"{self.url}/world", timeout=60))

    def advance(self, until: datetime | str) -> dict[str, Any]:
        """Move the world's clock; returns what happened."""
        moment = until if isinstance(until, str) else iso(until)
        return _json(httpx.post(f"{self.url}/world/advance", json={"until": moment}, timeout=300))

    def fault(self, path: str, fault: int | str, **options: Any) -> None:
        """Let requests below `path` go wrong; see `sandbox.faults`."""
        _json(httpx.post(f"{self.url}/faults", json={"path": path, "fault": fault, **options}))

    def clear_faults(self) -> None:
        httpx.delete(f"{self.url}/faults").raise_for_status()

    def shop_token(self) -> str:
        """A fresh access token of the shop."""
        grant = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        return _json(httpx.post(f"{self.shop}/admin/oauth/access_token", json=grant))["access_token"]

    def kill(self) -> None:
        """End the sandbox as a crash would."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def run_sandbox(home: Path, **options: Any) -> Generator[Sandbox]:
    """A sandbox in a process of its own on a free port, ended afterwards.

    Options are those of `python -m sandbox` with underscores: contacts=60, days=90,
    start="2026-11-01T06:00:00Z", site_inbox=…, files_inbox=…, webhook=… A second start with the same home
    goes on where the first ended. Raises RuntimeError, with what it said, if it does not start.
    """
    command = [sys.executable, "-m", "sandbox", "--home", str(home)]
    for name, value in options.items():
        if value is not None:
            command += [
                f"--{name.replace('_', '-')}",
                iso(value) if isinstance(value, datetime) else str(value),
            ]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "log.txt").open("w+") as log:
        process = subprocess.Popen(  # ruff: ignore[subprocess-without-shell-equals-true] - our own module
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                process.wait(timeout=10)
                log.seek(0)
                raise RuntimeError(f"The sandbox did not start:\n{log.read()}")
            ready = json.loads(line)
            ready.pop("port")
            yield Sandbox(process=process, **ready)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _json(response: httpx.Response) -> Any:
    if response.is_error:
        raise RuntimeError(f"The sandbox answered {response.status_code}: {response.text[:500]}")
    return response.json()
