"""Faults on demand: what goes wrong with which requests, how often.

A plan is a list of rules, set over HTTP (`POST /faults`), looked at for every request:

    {"path": "/mail/v3/mail/send", "fault": "drop_after_accept", "times": 2}
    {"path": "/shop/admin", "fault": 503, "probability": 0.2, "seed": 7}
    {"path": "/crm", "fault": 429, "times": 3, "headers": {"Retry-After": "1"}}
    {"path": "/shop", "fault": "delay", "seconds": 5, "times": 1, "skip": 2}

`fault` is an HTTP status, or `drop` (the connection closes before anything is done), `delay`
(the request is served after `seconds`), or `drop_after_accept` (it is done, then the connection
closes without an answer). Only the first rule that applies is used.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from dataclasses import dataclass, field
from typing import Any

KINDS = ("drop", "delay", "drop_after_accept")
KEYS = {"path", "method", "fault", "times", "skip", "probability", "seed", "seconds", "headers", "body"}


@dataclass
class Rule:
    """One line of a plan. `skip` requests pass first, then up to `times` are hit, each with `probability`."""

    path: str
    fault: int | str
    method: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    seconds: float = 1.0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    hits: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.fault, int) and self.fault not in KINDS:
            raise ValueError(
                f"fault must be an HTTP status or one of {', '.join(KINDS)}, not {self.fault!r}."
            )
        self._random = random.Random(f"{self.seed}:{self.path}:{self.fault}")

    def applies(self, path: str, method: str) -> bool:
        """Whether this request is hit. Counts it, so call it once a request."""
        if not path.startswith(self.path) or (self.method and self.method.upper() != method):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """The plan in force. Kept in memory: a restarted sandbox has none."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, rule: dict[str, Any]) -> None:
        """Append a rule. Raises ValueError if it is not one."""
        unknown = set(rule) - KEYS
        if unknown or not {"path", "fault"} <= set(rule):
            raise ValueError(
                f"A fault has path and fault, and may have {', '.join(sorted(KEYS))}; got {sorted(rule)}."
            )
        with self._lock:
            self._rules.append(Rule(**rule))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def listing(self) -> list[dict[str, Any]]:
        """The rules and how often each has hit."""
        with self._lock:
            return [{"path": r.path, "fault": r.fault, "times": r.times, "hits": r.hits} for r in self._rules]

    def match(self, path: str, method: str) -> Rule | None:
        with self._lock:
            return next((rule for rule in self._rules if rule.applies(path, method)), None)


class FaultMiddleware:
    """ASGI middleware that carries out the plan around any app; the app need not know.

    Dropping closes the connection without an answer: the client sees what a crash or a cut cable
    would show it. For `drop_after_accept` the app has done its work and committed it by then.
    """

    def __init__(self, app: Any, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        rule = self.faults.match(scope["path"], scope["method"]) if scope["type"] == "http" else None
        if rule is None:
            await self.app(scope, receive, send)
        elif rule.fault == "delay":
            await asyncio.sleep(rule.seconds)
            await self.app(scope, receive, send)
        elif rule.fault == "drop":
            await _hang_up(receive, send)
        elif rule.fault == "drop_after_accept":
            await self.app(scope, receive, _swallow)
            await _hang_up(receive, send)
        else:
            await _answer(scope, receive, send, rule)


async def _swallow(message: Any) -> None:
    """The answer that never arrives."""


async def _hang_up(receive: Any, send: Any) -> None:
    # ASGI has no word for closing without an answer, so uvicorn's transport is taken from `send`.
    send.__self__.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(scope: Any, receive: Any, send: Any, rule: Rule) -> None:
    while (await receive()).get("more_body"):
        pass
    body = json.dumps(
        rule.body if rule.body is not None else {"errors": f"Injected fault {rule.fault}"}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in rule.headers.items()]
    await send({"type": "http.response.start", "status": rule.fault, "headers": headers})
    await send({"type": "http.response.body", "body": body})
