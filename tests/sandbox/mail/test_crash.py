"""A provider that is killed has each request whole or not at all, and every one it answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from sandbox.testing import Sandbox, run_sandbox

SIZE = 200


def test_killed_while_accepting(tmp_path: Path, request_for: Callable[..., dict[str, Any]]) -> None:
    answered: list[str] = []
    for round_number in range(2):
        with run_sandbox(tmp_path, contacts=5, days=10) as sandbox:
            senders = [
                threading.Thread(
                    target=_send, args=(sandbox, request_for, f"{round_number}-{lane}", answered)
                )
                for lane in range(3)
            ]
            for sender in senders:
                sender.start()
            enough = len(answered) + 6
            deadline = time.monotonic() + 30
            while len(answered) < enough and time.monotonic() < deadline:
                time.sleep(0.01)
            sandbox.kill()
            for sender in senders:
                sender.join()
    assert len(answered) >= 12
    with run_sandbox(tmp_path) as sandbox:
        sizes = Counter(mail["message_id"] for mail in httpx.get(f"{sandbox.mail}/inbox.json").json())
    assert set(sizes.values()) == {SIZE}
    assert set(answered) <= set(sizes)


def _send(
    sandbox: Sandbox, request_for: Callable[..., dict[str, Any]], lane: str, answered: list[str]
) -> None:
    """Sends until the provider is gone."""
    addresses = [f"{lane}-{number}@example.com" for number in range(SIZE)]
    headers = {"Authorization": f"Bearer {sandbox.mail_key}"}
    with httpx.Client(headers=headers) as client:
        while True:
            try:
                answer = client.post(f"{sandbox.mail}/v3/mail/send", json=request_for(*addresses))
            except httpx.TransportError:
                return
            answered.append(answer.headers["X-Message-Id"])
