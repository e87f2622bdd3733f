"""The SMS provider: Twilio's answers, its callbacks, and people who answer STOP."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import httpx
import pytest

from sandbox.sms.people import sign

KEY = "0123456789abcdef" * 2


class Receiver:
    """Collects what is posted; refuses what is signed wrongly."""

    def __init__(self, token: str) -> None:
        self.forms: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                is_right = self.headers["X-Twilio-Signature"] == sign(token, outer.url + self.path, form)
                outer.forms += [form] if is_right else []
                self.send_response(204 if is_right else 403)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def _send(sandbox, to: str, *, login: str | None = None, **form: str) -> httpx.Response:
    given = {"To": to, "From": "+4930123456", "Body": "Hello, STOP ends this"} | form
    url = f"{sandbox.sms}/2010-04-01/Accounts/{sandbox.sms_account}/Messages.json"
    return httpx.post(url, data=given, auth=(sandbox.sms_account, login or sandbox.sms_token))


@pytest.mark.parametrize(
    ("to", "form", "status", "code"),
    [
        ("+4915112345678", {}, 201, None),
        ("+15005550001", {}, 400, 21211),
        ("0151 12345678", {}, 400, 21211),
        ("+15005550004", {}, 400, 21610),
        ("+4915112345678", {"Body": ""}, 400, 21602),
        ("+4915112345678", {"Body": "x" * 1601}, 400, 21617),
        ("+4915112345678", {"From": ""}, 400, 21603),
    ],
)
def test_answers(sandbox, to: str, form: dict[str, str], status: int, code: int | None) -> None:
    answer = _send(sandbox, to, **form)
    assert answer.status_code == status
    assert answer.json().get("code") == code


def test_a_wrong_login(sandbox) -> None:
    assert _send(sandbox, "+4915112345678", login="wrong").status_code == 401


def test_statuses_and_answers_are_posted_when_their_time_has_come(small) -> None:
    receiver = Receiver("token")
    with small(sms_token="token", sms_answers=f"{receiver.url}/answers") as sandbox:
        for number in range(200):
            callback = f"{receiver.url}/status/{KEY}"
            assert _send(sandbox, f"+49151{number:08d}", StatusCallback=callback).status_code == 201
        assert receiver.forms == []
        done = sandbox.advance("2026-11-20T18:00:00Z")["texts"]
        assert done == {"posted": len(receiver.forms), "refused": 0}
        statuses = [form["MessageStatus"] for form in receiver.forms if "MessageStatus" in form]
        assert statuses.count("sent") == 200
        assert statuses.count("delivered") + statuses.count("undelivered") == 200
        stopped = {form["From"] for form in receiver.forms if form.get("Body", "").upper().startswith("STOP")}
        back = {form["From"] for form in receiver.forms if form.get("Body") == "START"}
        assert stopped
        for number in stopped - back:
            assert _send(sandbox, number).json()["code"] == 21610
        assert httpx.get(f"{sandbox.sms}/inbox.json?mk={KEY}").json()
        assert httpx.get(f"{sandbox.sms}/counts.json").json()["duplicates"] == 199
