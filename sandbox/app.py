"""The sandbox as one ASGI app: all vendors, the world, faults and a page that links them."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

import sandbox.crm.app
import sandbox.mail.app
import sandbox.push.app
import sandbox.shop.app
import sandbox.sms.app
import sandbox.webhook.app
from sandbox.crm import tasks
from sandbox.faults import FaultMiddleware, Faults
from sandbox.sms import people as sms_people
from sandbox.store import Store, parse
from sandbox.world import clock
from sandbox.world.live import Live


@dataclass(frozen=True)
class Options:
    """What a sandbox is started with, apart from its world (see `sandbox.world.clock.Setting`)."""

    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # ruff: ignore[hardcoded-password-string] - opens nothing but a sandbox
    crm_token: str = "sandbox-crm-token"  # ruff: ignore[hardcoded-password-string]
    mail_key: str = "SG.sandbox.key"
    sms_account: str = "AC00000000000000000000000000000000"
    sms_token: str = "sandbox-sms-token"  # ruff: ignore[hardcoded-password-string]
    webhook_secret: str = "sandbox-webhook-secret"  # ruff: ignore[hardcoded-password-string]
    token_life: float = sandbox.shop.app.TOKEN_LIFE
    shop_bucket: int = 2000
    shop_rate: int = 100
    site_inbox: str | None = None
    files_inbox: str | None = None
    webhook: str | None = None
    site_backend: str | None = None
    sms_answers: str | None = None
    live: bool = False

    def outlets(self) -> clock.Outlets:
        folders = (Path(name) if name else None for name in (self.site_inbox, self.files_inbox))
        return clock.Outlets(*folders, webhook=self.webhook, backend=self.site_backend)

    def credentials(self) -> dict[str, str]:
        names = ("client_id", "client_secret", "crm_token", "mail_key")
        names += ("sms_account", "sms_token", "webhook_secret")
        return {name: value for name, value in asdict(self).items() if name in names}


def create_app(store: Store, options: Options) -> Any:
    """The whole sandbox over a store that is generated. Mounts the vendors by name, such as `/shop`."""
    faults = Faults()
    outlets = options.outlets()
    live = Live(lambda now: advance_to(now))

    def advance_to(moment: datetime) -> dict[str, Any]:
        done = clock.advance(store, moment, outlets)
        return done | {"texts": sms_people.post_due(store, options.sms_token, options.sms_answers)}

    def world(request: Request) -> Response:
        return JSONResponse(clock.report(store))

    async def advance(request: Request) -> Response:
        try:
            until = parse(json.loads(await request.body())["until"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse(
                {"error": 'Expected a JSON body such as {"until": "2026-11-01T12:00:00Z"}.'}, 400
            )
        done = await run_in_threadpool(advance_to, until)
        return JSONResponse(done)

    def follow(request: Request) -> Response:
        live.begin()
        return JSONResponse({"live": True})

    async def add_fault(request: Request) -> Response:
        try:
            faults.add(json.loads(await request.body()))
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(faults.listing())

    def list_faults(request: Request) -> Response:
        return JSONResponse(faults.listing())

    def clear_faults(request: Request) -> Response:
        faults.clear()
        return Response(status_code=204)

    def index(request: Request) -> Response:
        return HTMLResponse(_index(clock.report(store)))

    shop = sandbox.shop.app.create_app(
        store,
        options.client_id,
        options.client_secret,
        token_life=options.token_life,
        bucket_size=options.shop_bucket,
        restore_rate=options.shop_rate,
    )
    app = Starlette(
        routes=[
            Route("/", index),
            Route("/world", world),
            Route("/world/advance", advance, methods=["POST"]),
            Route("/world/live", follow, methods=["POST"]),
            Route("/faults", add_fault, methods=["POST"]),
            Route("/faults", list_faults, methods=["GET"]),
            Route("/faults", clear_faults, methods=["DELETE"]),
            Mount("/shop", shop),
            Route("/crm/tasks", tasks.page(store)),
            Mount("/crm", sandbox.crm.app.create_app(store, options.crm_token)),
            Mount("/mail", sandbox.mail.app.create_app(store, options.mail_key)),
            Mount("/sms", sandbox.sms.app.create_app(store, options.sms_account, options.sms_token)),
            Mount("/push", sandbox.push.app.create_app(store)),
            Mount("/webhook", sandbox.webhook.app.create_app(store, options.webhook_secret)),
        ]
    )
    if options.live:
        live.begin()
    return FaultMiddleware(WorldTime(app, store), faults)


class WorldTime:
    """Dates every answer with the world's clock: here that is the vendors' own."""

    def __init__(self, app: Any, store: Store) -> None:
        self._app, self._store = app, store

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._store.now(), usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        await self._app(scope, receive, dated)


def _index(report: dict[str, Any]) -> str:
    rows = "".join(f"<tr><td>{html.escape(k)}<td>{v}" for k, v in report["counts"].items())
    return (
        "<!doctype html><meta charset=utf-8><title>Kreislauf Sandbox</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}"
        "td{padding:.1rem 1.5rem .1rem 0}</style><h1>Sandbox</h1>"
        "<p>A pretend shop, a CRM, and all that messages go through. Nothing here reaches anybody.</p>"
        '<ul><li><a href="/mail/inbox">Inbox</a>: every mail that was accepted'
        '<li><a href="/sms/inbox">Texts</a>: SMS, and who answered STOP'
        '<li><a href="/push/inbox">Notifications</a>: web push, as browsers show it'
        '<li><a href="/crm/tasks">Tasks and notes</a>: what was put into the CRM'
        '<li><a href="/webhook/inbox">Webhooks</a>: what a partner has received'
        '<li><a href="/world">World</a>: its clock and counts, as JSON'
        '<li><a href="/faults">Faults</a>: what is set to go wrong</ul>'
        f"<p>It is now <b>{report['now']}</b> there.</p><table>{rows}</table>"
    )
