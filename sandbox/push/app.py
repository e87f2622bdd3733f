"""The push service over HTTP (RFC 8030), and the browsers: they subscribe, decrypt and show.

POST   /subscriptions        a browser asks for a subscription; the answer is what its JSON gives
DELETE /subscriptions/{id}   the permission is taken back: from now on 410
POST   /send/{id}            a notification: TTL, VAPID (RFC 8292), aes128gcm (RFC 8291)
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
import time
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import posted
from sandbox.push import browsers, crypto

MAX_BYTES = 4_096
MAX_TTL = 28 * 86_400
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


def create_app(world: Any) -> Starlette:
    """The push service of a world."""

    async def subscribe_browser(request: Request) -> Response:
        raw = await request.body()
        given = json.loads(raw) if raw else {}
        return await run_in_threadpool(new_browser, given.get("applicationServerKey"))

    def new_browser(application_key: str | None) -> Response:
        with world.write() as db:
            return JSONResponse(browsers.subscribe(db, world.base_url, application_key), 201)

    def forget(request: Request) -> Response:
        with world.write() as db:
            browsers.unsubscribe(db, request.path_params["id"])
        return Response(status_code=204)

    async def send(request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(deliver, request, body)

    def deliver(request: Request, body: bytes) -> Response:
        now = int(world.now().timestamp())
        with world.write() as db:
            browser = browsers.find(db, request.path_params["id"])
            if browser is None:
                return _refuse(404, "there is no such subscription")
            if browser["is_gone"]:
                return _refuse(410, "the subscription has ended")
            if problem := _problem(request, browser, body):
                return problem
            try:
                content = json.loads(crypto.decrypt(browser["private_key"], browser["auth"], body))
            except ValueError:
                return _refuse(400, "the browser cannot decrypt this")
            key = str(content.get("token", ""))[:32] or None
            message_id = posted.put(db, "push", now, browser["id"], key, content)
        return Response(status_code=201, headers={"Location": f"{world.base_url}/push/message/{message_id}"})

    return Starlette(
        routes=[
            Route("/subscriptions", subscribe_browser, methods=["POST"]),
            Route("/subscriptions/{id}", forget, methods=["DELETE"]),
            Route("/send/{id}", send, methods=["POST"]),
            *posted.routes(world, "push", "Notifications", _show),
        ]
    )


def _problem(request: Request, browser: sqlite3.Row, body: bytes) -> Response | None:
    headers = request.headers
    ttl, topic = headers.get("ttl", ""), headers.get("topic")
    if not ttl.isdigit() or int(ttl) > MAX_TTL:
        return _refuse(400, "TTL is missing or wrong")
    if topic is not None and not _TOPIC.fullmatch(topic):
        return _refuse(400, "Topic has other characters than base64url, or more than 32")
    if headers.get("content-encoding") != "aes128gcm":
        return _refuse(400, "Content-Encoding must be aes128gcm")
    if len(body) > MAX_BYTES:
        return _refuse(413, f"more than {MAX_BYTES} bytes")
    found = re.fullmatch(r"vapid t=([\w.-]+), ?k=([\w-]+)", headers.get("authorization", ""))
    if not found:
        return _refuse(401, "the VAPID authorization is missing")
    claims = crypto.verified_claims(found[1], found[2])
    origin = urlsplit(str(request.url))
    is_right = (
        claims is not None
        and claims.get("aud") == f"{origin.scheme}://{origin.netloc}"
        and time.time() < float(claims.get("exp", 0)) <= time.time() + 86_400
        and browser["application_key"] in {None, found[2]}
    )
    return None if is_right else _refuse(403, "the VAPID token is not right for this subscription")


def _refuse(status: int, text: str) -> Response:
    return JSONResponse({"code": status, "error": text}, status)


def _show(content: dict[str, Any]) -> str:
    title, body, url = (html.escape(str(content.get(name, ""))) for name in ("title", "body", "url"))
    return f'<b>{title}</b><p>{body}</p><a href="{url}">{url}</a>'
