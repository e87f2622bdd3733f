"""The webhook's receiver: genuine messages only, each once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

import httpx

BODY = json.dumps({"id": "k1", "type": "flow.step", "contact_id": "c1", "data": {"a": "<b>"}}).encode()


def _post(sandbox, body: bytes = BODY, *, key: str = "k1", age: int = 0, secret: str = "") -> httpx.Response:
    moment = int(time.time()) - age
    signed = f"{moment}.".encode() + body
    mark = hmac.new((secret or sandbox.webhook_secret).encode(), signed, hashlib.sha256).hexdigest()
    headers = {"Kreislauf-Signature": f"t={moment},v1={mark}", "Idempotency-Key": key}
    return httpx.post(f"{sandbox.webhook}/receive", content=body, headers=headers)


def test_a_message_is_taken_once(sandbox) -> None:
    assert [_post(sandbox).json()["is_duplicate"] for _ in range(2)] == [False, True]
    assert len(httpx.get(f"{sandbox.webhook}/inbox.json?mk=k1").json()) == 1
    page = httpx.get(f"{sandbox.webhook}/inbox").text
    assert "&lt;b&gt;" in page
    assert "<b>" not in page.replace("<b>flow.step</b>", "")


def test_what_is_refused(sandbox) -> None:
    assert _post(sandbox, secret="another").status_code == 401
    assert _post(sandbox, age=301).status_code == 401
    assert httpx.post(f"{sandbox.webhook}/receive", content=BODY).status_code == 401
    assert _post(sandbox, b"[]").status_code == 422
    assert _post(sandbox, key="k2").status_code == 422
