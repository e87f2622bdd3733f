"""Sending: the planned messages go to a provider on loopback that answers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any

from kreislauf.connections import Connection
from kreislauf.delivery.links import Links
from kreislauf.delivery.sender import send
from kreislauf.delivery.templates import Templates
from kreislauf.delivery.transport import transport_for
from kreislauf.ledger.store import Ledger
from kreislauf.ledger.testing import plan_people
from scripts.bench.audience import open_ledger, step
from scripts.bench.measure import Stopwatch

SAMPLE = 1_000
"""Messages sent one a request."""

_LINKS = Links("https://web.example", "a secret of the benchmark's own")


def batched(folder: Path, size: int) -> dict[str, Any]:
    """What a flow's task does: claim, ask once more, render, hand over, write the answer."""
    _send(_with_singles(folder, "warm", 1), folder / "warm.bin", 1)  # imports on the way are not counted
    return _send(open_ledger(folder), folder / "requests.bin", size)


def floor(folder: Path, size: int) -> dict[str, Any]:
    """The same bytes posted on one open connection, without ledger and rendering."""
    with _provider(folder / "posted.bin") as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        watch = Stopwatch()
        for body in _bodies(folder / "requests.bin"):
            with watch:
                _post(connection, body)
        connection.close()
    return watch.result(size)


def single(folder: Path, size: int) -> dict[str, Any]:
    """One message a request, as without batches, on a sample."""
    _send(_with_singles(folder, "warm-single", 1), folder / "warm.bin", 1)
    sample = min(size, SAMPLE)
    return _send(_with_singles(folder, "single", sample), folder / "single.bin", sample)


def naive(folder: Path, size: int) -> dict[str, Any]:
    """What a loop would do, on a sample: fill each person's values in, post it, on one open connection.

    No ledger and no links to sign: a message that is in doubt or asked for twice goes out twice.
    """
    sample = min(size, SAMPLE)
    with _provider(folder / "naive.bin") as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        people = islice(_people(folder / "requests.bin"), sample)
        watch = Stopwatch()
        for mail, person in people:
            with watch:
                _post(connection, json.dumps(filled_in(mail, person)).encode())
        connection.close()
    return watch.result(sample)


def _people(requests: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The mail of each request that was sent, with each person it went to."""
    for body in _bodies(requests):
        mail = json.loads(body)
        for person in mail.pop("personalizations"):
            yield mail, person


def filled_in(mail: dict[str, Any], person: dict[str, Any]) -> dict[str, Any]:
    """A request for one person, whose values stand in the texts."""
    values = person["substitutions"]
    subject, *texts = (_replaced(text, values) for text in (mail["subject"], *_texts(mail)))
    content = [part | {"value": text} for part, text in zip(mail["content"], texts, strict=True)]
    alone = {name: value for name, value in person.items() if name != "substitutions"}
    return mail | {"subject": subject, "content": content, "personalizations": [alone]}


def _texts(mail: dict[str, Any]) -> list[str]:
    return [part["value"] for part in mail["content"]]


def _replaced(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def _post(connection: HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/v3/mail/send", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 202:
        raise RuntimeError(f"the stub answered {answer.status}")


def _with_singles(folder: Path, name: str, messages: int) -> Ledger:
    """A ledger with so many messages planned, each in a batch of its own."""
    ledger = open_ledger(folder, f"{name}.db")
    ledger.migrate()
    people = (f"shop-{number}" for number in range(messages))
    template = step().templates[""]
    plan_people(ledger, people, flow=step().flow, step=step().name, template=template, batch_size=1)
    return ledger


def _send(ledger: Ledger, requests: Path, size: int) -> dict[str, Any]:
    with _provider(requests) as port:
        sender = {
            "from_email": "hello@shop.example",
            "from_name": "Shop",
            "postal_address": "Shop GmbH, Hauptstraße 1, 10115 Berlin",
        }
        host = f"http://127.0.0.1:{port}"
        transport = transport_for(Connection("sendgrid", "http", host, password="unused", extra=sender))  # ruff: ignore[hardcoded-password-func-arg]
        with Stopwatch() as watch:
            result = send(ledger, transport, Templates(), step().flow, step().name, "benchmark", _LINKS)
    if result.messages != {"accepted": size}:
        raise RuntimeError(
            f"of {size} messages became {dict(result.messages)}, skipped {dict(result.skipped)}"
        )
    return watch.result(size, requests=result.batches, bytes=requests.stat().st_size - 8 * result.batches)


@contextmanager
def _provider(requests: Path) -> Generator[int]:
    """The stub in a process of its own; gives its port."""
    command = [sys.executable, "-m", "scripts.bench.stub", str(requests)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())  # type: ignore[union-attr]
        finally:
            process.terminate()


def _bodies(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while length := file.read(8):
            yield file.read(int.from_bytes(length, "big"))
