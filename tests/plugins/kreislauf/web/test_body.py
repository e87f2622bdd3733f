"""Bodies of strangers: never too much, never for ever."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from kreislauf.web import body


def _begin(client: httpx.Client, path: str) -> bytes:
    """Post a body that never comes; the answer's first line."""
    place = urlsplit(str(client.base_url))
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: web\r\nContent-Length: 100\r\n\r\nx"
        connection.sendall(head.encode())
        return connection.makefile("rb").readline()


def test_a_body_that_does_not_come_is_given_up(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "PATIENCE", 0.1)
    began = time.monotonic()
    assert b" 408 " in _begin(client, "/push/subscriptions")
    assert time.monotonic() - began < 5
