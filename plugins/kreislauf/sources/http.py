"""Talking to an HTTP API: what is tried again, how long is waited, and what is an error at once.

Connection errors, 5xx and throttling are tried again, with the wait the source names or with
growing, jittered waits, until `PATIENCE` seconds have passed. Everything else fails at once.
Messages name the connection and the address; requests of this package hold no personal data.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential_jitter,
)

from kreislauf.connections import Connection
from kreislauf.sources.errors import BadAnswer, Throttled, Unauthorized, Unavailable

log = logging.getLogger(__name__)

PATIENCE = 300.0
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_GROWING = wait_exponential_jitter(initial=0.5, max=30, jitter=0.4)

Check = Callable[[httpx.Response], None]


class Api:
    """An HTTP API at a connection. `headers` is asked before each request, so a token can change."""

    def __init__(
        self,
        connection: Connection,
        headers: Callable[[], dict[str, str]] = dict,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = connection
        self._headers = headers
        self._client = httpx.Client(timeout=TIMEOUT)
        self._date: datetime | None = None
        self._retrying = Retrying(
            retry=retry_if_exception_type((Throttled, Unavailable)),
            wait=_wait,
            stop=stop_before_delay(patience),
            sleep=sleep,
            before_sleep=_tell,
            reraise=True,
        )

    def json(self, method: str, path: str, check: Check | None = None, **request: Any) -> Any:
        """The JSON body of an answer with status 2xx. `check` may raise on what it finds in the answer.

        Raises Unauthorized, Throttled, Unavailable or BadAnswer.
        """
        return self._retrying(self._json_once, method, self.connection.url + path, check, request)

    def now(self) -> datetime | None:
        """The server's clock at its last answer, to the second (RFC 9110, 6.6.1); None if it did not say."""
        return self._date

    def download(self, url: str, path: Path) -> None:
        """Write the file at `url`, which names its own permission, to `path`: no header of ours is sent."""
        self._retrying(self._download_once, url, path)

    def _json_once(self, method: str, url: str, check: Check | None, request: dict[str, Any]) -> Any:
        try:
            response = self._client.request(method, url, headers=self._headers(), **request)
        except httpx.TransportError as error:
            raise self._no_answer(method, url, error) from error
        self._date = server_time(response) or self._date
        self._judge(response)
        if check:
            check(response)
        try:
            return response.json()
        except ValueError as error:
            raise BadAnswer(f"{self._where(method, url)}: the answer is not JSON") from error

    def _download_once(self, url: str, path: Path) -> None:
        try:
            with self._client.stream("GET", url) as response, path.open("wb") as file:
                if response.is_error:
                    response.read()
                self._judge(response)
                for block in response.iter_bytes(1 << 20):
                    file.write(block)
        except httpx.TransportError as error:
            raise self._no_answer("GET", url, error) from error

    def _judge(self, response: httpx.Response) -> None:
        """Raise the error that says what helps against this status."""
        status = response.status_code
        if response.is_success:
            return
        where = self._where(response.request.method, str(response.request.url))
        detail = _detail(response)
        if status == 429:
            raise Throttled(f"{where}: throttled (HTTP 429){detail}", _named_wait(response))
        if status >= 500:
            raise Unavailable(f"{where}: HTTP {status}{detail}", _named_wait(response))
        if status in {401, 403}:
            raise Unauthorized(
                f"{where}: refused (HTTP {status}){detail}; check login, password and permissions "
                f"of the connection {self.connection.conn_id!r}"
            )
        raise BadAnswer(f"{where}: HTTP {status}{detail}; check the host of the connection, or the request")

    def _no_answer(self, method: str, url: str, error: httpx.TransportError) -> Unavailable:
        return Unavailable(
            f"{self._where(method, url)}: no complete answer ({type(error).__name__}); "
            "is it up, and is the host of the connection right?"
        )

    def _where(self, method: str, url: str) -> str:
        # Without the query: a signed URL carries its permission there.
        return f"connection {self.connection.conn_id!r}, {method} {url.partition('?')[0]}"


def server_time(response: httpx.Response) -> datetime | None:
    """The server's clock at its answer; None if it did not say, or says what is no date."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None


def _wait(state: RetryCallState) -> float:
    """What the source asks for, plus up to a quarter so that tasks do not return in step; else growing."""
    error = state.outcome.exception() if state.outcome else None
    named = getattr(error, "wait", None)
    if named is None:
        return _GROWING(state)
    return named * (1 + random.random() / 4)  # ruff: ignore[suspicious-non-cryptographic-random-usage]


def _tell(state: RetryCallState) -> None:
    """Say in the log what is waited for: a task that waits for minutes looks dead otherwise."""
    error = state.outcome.exception() if state.outcome else None
    log.warning("%s; trying again in %.0f s", error, state.upcoming_sleep)


def _named_wait(response: httpx.Response) -> float | None:
    """The seconds to wait that an answer names: Retry-After, or HubSpot's headers and policy."""
    headers = response.headers
    if headers.get("Retry-After", "").isdigit():
        return float(headers["Retry-After"])
    policy = _body(response).get("policyName")
    if policy == "DAILY":
        return 3600.0
    if policy == "SECONDLY":
        return 1.0
    if interval := headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"):
        return float(interval) / 1000
    return None


def _detail(response: httpx.Response) -> str:
    """The source's own sentence, if it has one."""
    body = _body(response)
    sentence = body.get("message") or body.get("error_description") or body.get("errors")
    return f": {str(sentence)[:300].rstrip('.')}" if sentence else ""


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except (ValueError, httpx.ResponseNotRead):
        return {}
    return found if isinstance(found, dict) else {}
