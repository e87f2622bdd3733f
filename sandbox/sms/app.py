"""The SMS provider over HTTP, as https://www.twilio.com/docs/messaging/api/message-resource has it.

Twilio's magic numbers answer as they do there: +15005550001 is invalid (21211), …0003 not allowed (21408),
…0004 has opted out (21610), …0009 cannot get texts (21614). So does a number that answered STOP.
"""

from __future__ import annotations

import base64
import hmac
import html
import re
import secrets
import sqlite3
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import posted
from sandbox.sms import people

MAX_CHARACTERS = 1_600
MAGIC = {"+15005550001": 21211, "+15005550003": 21408, "+15005550004": 21610, "+15005550009": 21614}
TEXTS = {
    20003: "Authenticate",
    21211: "The 'To' number is not a valid phone number.",
    21408: "Permission to send an SMS has not been enabled for the region of the 'To' number.",
    21602: "Message body is required.",
    21603: "A 'From' phone number or a 'MessagingServiceSid' is required.",
    21610: "Attempt to send to unsubscribed recipient",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit.",
}

_E164 = re.compile(r"\+[1-9]\d{6,14}")


def create_app(world: Any, account: str, token: str) -> Starlette:
    """The provider of a world; `account` and `token` are the one login it accepts."""

    async def send(request: Request) -> Response:
        if not _is_authorised(request, account, token) or request.path_params["sid"] != account:
            return _error(401, 20003)
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        return await run_in_threadpool(_send, form)

    def _send(form: dict[str, str]) -> Response:
        now = int(world.now().timestamp())
        with world.write() as db:
            if code := _problem(db, form):
                return _error(400, code)
            sid = "SM" + secrets.token_hex(16)
            callback = form.get("StatusCallback", "")
            content = {"sid": sid, "body": form["Body"], "callback": callback}
            key = _message_key(callback)
            message_id = posted.put(db, "sms", now, form["To"], key, content)
            people.decide(db, world_seed(db), message_id, sid, form["To"], callback, now)
        return JSONResponse({"sid": sid, "status": "queued", "to": form["To"], "error_code": None}, 201)

    return Starlette(
        routes=[
            Route("/2010-04-01/Accounts/{sid}/Messages.json", send, methods=["POST"]),
            *posted.routes(world, "sms", "Texts", lambda content: f"<p>{html.escape(content['body'])}"),
        ]
    )


def world_seed(db: sqlite3.Connection) -> int:
    return int(db.execute("select value from world_settings where key = 'seed'").fetchone()["value"])


def _problem(db: sqlite3.Connection, form: dict[str, str]) -> int | None:
    """Twilio's code for what is wrong with a request; None if nothing is."""
    to, body = form.get("To", ""), form.get("Body", "")
    if to in MAGIC:
        return MAGIC[to]
    if not _E164.fullmatch(to):
        return 21211
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return 21603
    if not body:
        return 21602
    if len(body) > MAX_CHARACTERS:
        return 21617
    return 21610 if people.has_stopped(db, to) else None


def _message_key(callback: str) -> str | None:
    """The sender's key of a message: the beginning of its callback's token, if that is one."""
    last = urlsplit(callback).path.rpartition("/")[2][:32]
    return last if re.fullmatch(r"[0-9a-f]{32}", last) else None


def _is_authorised(request: Request, account: str, token: str) -> bool:
    wanted = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode())


def _error(status: int, code: int) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse({"code": code, "message": TEXTS[code], "more_info": more, "status": status}, status)
