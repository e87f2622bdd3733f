"""Web push, the site's half: browsers subscribe and leave, and tell what became of a notification.

GET    /push/key               the key that browsers subscribe with (applicationServerKey)
POST   /push/subscriptions     PushSubscription.toJSON() with visitor_id and language
DELETE /push/subscriptions     {"endpoint": …}: whoever knows it is the browser itself
POST   /push/{token}/{what}    shown, clicked or closed, by the service worker
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import insert, select, update
from starlette.concurrency import run_in_threadpool

from kreislauf.delivery.links import Links
from kreislauf.delivery.push import BEACON, are_keys, is_service
from kreislauf.ledger import events
from kreislauf.ledger.schema import message, push_subscription
from kreislauf.ledger.store import Ledger
from kreislauf.web.body import read_object, text

LANGUAGES = ("de", "en")
EVENTS = {"shown": "delivered", "clicked": "click", "closed": "close"}


@dataclass(frozen=True)
class PushSettings:
    """What browsers need: the public VAPID key, and the push services we would send to."""

    public_key: str
    services: tuple[str, ...]


def routes(ledger: Ledger, links: Links, push: PushSettings, clock: Callable[[], datetime]) -> APIRouter:
    router = APIRouter(prefix="/push")

    @router.get("/key")
    def show_key() -> dict[str, str]:
        return {"applicationServerKey": push.public_key}

    @router.post("/subscriptions", status_code=201)
    async def subscribe(request: Request) -> dict[str, str]:
        given = await read_object(request)
        endpoint = text(given, "endpoint", 2_000)
        if not is_service(endpoint, push.services):
            raise HTTPException(400, "the endpoint is not at a known push service")
        keys = given.get("keys")
        if not isinstance(keys, dict):
            raise HTTPException(400, "keys must be an object")
        if not are_keys(text(keys, "p256dh", 128), text(keys, "auth", 64)):
            raise HTTPException(400, "keys are no keys of a browser")
        row = {
            "visitor_id": text(given, "visitor_id", 64),
            "endpoint": endpoint,
            "p256dh": keys["p256dh"],
            "auth": keys["auth"],
            "language": language if (language := given.get("language")) in LANGUAGES else LANGUAGES[0],
        }
        key = links.message_key(token, BEACON) if isinstance(token := given.get("token"), str) else None
        return {"id": await run_in_threadpool(_subscribe, ledger, row, key, clock())}

    @router.delete("/subscriptions", status_code=204)
    async def unsubscribe(request: Request) -> Response:
        endpoint = text(await read_object(request), "endpoint", 2_000)
        await run_in_threadpool(_revoke, ledger, _id(endpoint), clock())
        return Response(status_code=204)

    @router.post("/{token}/{what}", status_code=204)
    def beacon(token: str, what: str) -> Response:
        key = links.message_key(token, BEACON)
        if key is None or what not in EVENTS:
            raise HTTPException(404)
        found = {"event_id": f"push {key} {what}", "event_type": EVENTS[what]}
        events.record(ledger, [found | {"message_key": key, "occurred_at": clock()}])
        return Response(status_code=204)

    return router


def _id(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode()).hexdigest()


def _subscribe(ledger: Ledger, row: dict[str, Any], message_key: str | None, now: datetime) -> str:
    """Keep a browser's subscription; a browser that comes again has new keys, or a new visitor's id."""
    one_id = _id(row["endpoint"])
    known = push_subscription.c.id == one_id
    with ledger.write() as connection:
        values = {**row, "revoked_at": None, "updated_at": now}
        if message_key:
            of_message = select(message.c.contact_id).where(message.c.message_key == message_key)
            values["contact_id"] = connection.execute(of_message).scalar()
        if not connection.execute(update(push_subscription).where(known).values(values)).rowcount:
            connection.execute(insert(push_subscription).values(id=one_id, created_at=now, **values))
    return one_id


def _revoke(ledger: Ledger, one_id: str, now: datetime) -> None:
    mine = (push_subscription.c.id == one_id, push_subscription.c.revoked_at.is_(None))
    with ledger.write() as connection:
        connection.execute(update(push_subscription).where(*mine).values(revoked_at=now, updated_at=now))
