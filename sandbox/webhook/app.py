"""The receiver over HTTP: `POST /receive`, and an inbox that shows what came.

The signature is checked as a partner would from the docs: `Kreislauf-Signature: t=<seconds>,v1=<hex>`,
HMAC-SHA256 with the shared secret over "<seconds>.<body>", not older than five minutes. A message whose
`Idempotency-Key` is known already is acknowledged and not taken again.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import json
import re
import time
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import posted

TOLERANCE_SECONDS = 300


def create_app(world: Any, secret: str) -> Starlette:
    """The receiver of a world; `secret` is shared with the sender."""

    async def receive(request: Request) -> Response:
        body = await request.body()
        if not is_genuine(secret, body, request.headers.get("kreislauf-signature", "")):
            return JSONResponse({"error": "the signature is missing, wrong or too old"}, 401)
        key = request.headers.get("idempotency-key", "")
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict) or not key or content.get("id") != key:
            return JSONResponse({"error": "expected a JSON object whose id is the Idempotency-Key"}, 422)
        return await run_in_threadpool(take, key, content)

    def take(key: str, content: dict[str, Any]) -> Response:
        now = int(world.now().timestamp())
        with world.write() as db:
            known = "select 1 from posted_message where channel = 'webhook' and message_key = ?"
            is_known = db.execute(known, (key,)).fetchone() is not None
            if not is_known:
                posted.put(db, "webhook", now, str(content.get("contact_id")), key, content)
        return JSONResponse({"received": True, "is_duplicate": is_known})

    return Starlette(
        routes=[
            Route("/receive", receive, methods=["POST"]),
            *posted.routes(world, "webhook", "Webhooks", _show),
        ]
    )


def is_genuine(secret: str, body: bytes, header: str) -> bool:
    """Whether a body was signed with the secret within the last minutes."""
    found = re.fullmatch(r"t=(\d{1,12}),v1=([0-9a-f]{64})", header)
    if not found or abs(time.time() - int(found[1])) > TOLERANCE_SECONDS:
        return False
    signed = hmac.new(secret.encode(), f"{found[1]}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signed, found[2])


def _show(content: dict[str, Any]) -> str:
    data = json.dumps(content["data"], indent=1, ensure_ascii=False)
    return f"<b>{html.escape(content['type'])}</b><p>{html.escape(data)}"
