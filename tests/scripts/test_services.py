"""What the local services are told apart by."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from scripts.local import Local
from scripts.services import ServiceFailed, _wait

SERVER = (
    "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
    "print(s.server_port, flush=True); s.serve_forever()"
)


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen, str]]:
    """A web server in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    yield process, f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    process.wait()


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen]:
    """A process that listens nowhere."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_an_answer_of_our_own_is_taken(server, tmp_path):
    process, url = server
    _wait(Local.at(tmp_path), process, "sandbox", url, 10)


def test_an_answer_of_another_program_is_not_taken_for_ours(server, bystander, tmp_path):
    _, url = server
    with pytest.raises(ServiceFailed, match=r"another program answers at .* in place of our sandbox"):
        _wait(Local.at(tmp_path), bystander, "sandbox", url, 10)


def test_a_service_that_ended_is_told_at_once(bystander, tmp_path):
    bystander.kill()
    bystander.wait()
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(ServiceFailed, match=f"web did not start; read the logs in {os.fspath(tmp_path)}"):
        _wait(Local.at(tmp_path), bystander, "web", url, 10)
    assert time.monotonic() - began < 5
