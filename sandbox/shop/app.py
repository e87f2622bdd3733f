"""The shop's HTTP side: tokens, GraphQL, result files, and the pages and pictures that mails link to."""

from __future__ import annotations

import html
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox.shop import pictures
from sandbox.shop.bulk import Operations
from sandbox.shop.cost import Bucket
from sandbox.shop.documents import API_VERSION
from sandbox.shop.engine import Engine
from sandbox.store import Store

TOKEN_LIFE = 86399  # seconds, as Shopify's client-credentials grant
SCOPES = "read_customers,write_customers,read_orders,read_products,read_checkouts"


class Shop:
    """The endpoints of one shop."""

    def __init__(
        self,
        store: Store,
        client_id: str,
        client_secret: str,
        token_life: float = TOKEN_LIFE,
        bucket_size: int = 2000,
        restore_rate: int = 100,
    ) -> None:
        self.store = store
        self.client_id, self.client_secret = client_id, client_secret
        self.token_life = token_life
        self.operations = Operations(store)
        self.engine = Engine(store, Bucket(bucket_size, restore_rate), self.operations)

    # ------------------------------------------------------------------------------- tokens

    async def access_token(self, request: Request) -> Response:
        """The client-credentials grant."""
        fields = await _fields(request)
        if fields.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        known = (self.client_id, self.client_secret)
        if (fields.get("client_id"), fields.get("client_secret")) != known:
            message = "The client id or the client secret is wrong."
            return JSONResponse({"error": "invalid_client", "error_description": message}, 401)
        return JSONResponse(await run_in_threadpool(self._grant))

    def _grant(self) -> dict[str, Any]:
        token = f"shpat_{secrets.token_hex(16)}"
        with self.store.write() as db:
            db.execute("delete from shop_tokens where expires_at < ?", (time.time(),))
            db.execute("insert into shop_tokens values (?, ?)", (token, time.time() + self.token_life))
        return {"access_token": token, "scope": SCOPES, "expires_in": int(self.token_life)}

    def _admitted(self, request: Request) -> bool:
        with self.store.read() as db:
            row = db.execute(
                "select 1 from shop_tokens where token = ? and expires_at > ?",
                (request.headers.get("x-shopify-access-token", ""), time.time()),
            ).fetchone()
        return row is not None

    # ------------------------------------------------------------------------------ GraphQL

    async def graphql(self, request: Request) -> Response:
        if request.path_params["version"] != API_VERSION:
            return JSONResponse({"errors": "Not Found"}, 404)
        if not await run_in_threadpool(self._admitted, request):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return JSONResponse({"errors": message}, 401)
        try:
            body = json.loads(await request.body())
            query, variables = body["query"], body.get("variables") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        answer = await run_in_threadpool(self.engine.answer, query, variables, body.get("operationName"))
        return JSONResponse(answer, headers={"X-Shopify-API-Version": API_VERSION})

    async def bulk_file(self, request: Request) -> Response:
        path = self.operations.file(request.path_params["id"])
        if not path.exists():
            return PlainTextResponse("No such file", 404)
        return FileResponse(path, media_type="application/jsonl")

    # ----------------------------------------------------------------------- pages, pictures

    def picture(self, request: Request) -> Response:
        with self.store.read() as db:
            row = db.execute(
                "select title, product_type, id from shop_products where handle = ?",
                (request.path_params["handle"],),
            ).fetchone()
        if row is None:
            return PlainTextResponse("No such picture", 404)
        drawn = pictures.product(row["title"], row["product_type"], row["id"])
        return Response(drawn, media_type="image/png", headers={"Cache-Control": "max-age=86400"})

    def product_page(self, request: Request) -> Response:
        with self.store.read() as db:
            row = db.execute(
                "select * from shop_products where handle = ?", (request.path_params["handle"],)
            ).fetchone()
        if row is None:
            return HTMLResponse(_page("Not found", "<p>There is no such product.</p>"), 404)
        picture = (
            f'<img src="{self.store.base_url}/shop{row["image"]}" width="300" alt="">' if row["image"] else ""
        )
        text = f"<p>{html.escape(row['description'])}</p><p><b>{row['price']}</b></p>"
        return HTMLResponse(_page(row["title"], picture + text))

    def checkout_page(self, request: Request) -> Response:
        with self.store.read() as db:
            lines = db.execute(
                "select l.title, l.quantity, l.unit_price from shop_checkout_lines l"
                " join shop_checkouts c on c.id = l.checkout_id where c.token = ? order by l.id",
                (request.path_params["token"],),
            ).fetchall()
        if not lines:
            return HTMLResponse(_page("Not found", "<p>There is no such cart.</p>"), 404)
        items = "".join(
            f"<li>{line['quantity']} x {html.escape(line['title'])}, {line['unit_price']}</li>"
            for line in lines
        )
        return HTMLResponse(_page("Your cart", f"<ul>{items}</ul>"))

    def home_page(self, request: Request) -> Response:
        return HTMLResponse(_page("Kreislauf Sandbox shop", "<p>A shop for trying things out.</p>"))


async def _fields(request: Request) -> dict[str, Any]:
    """The parameters of a request, from a form or from JSON."""
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            return dict(json.loads(body))
        except (ValueError, TypeError):
            return {}
    return dict(parse_qsl(body.decode(errors="replace")))


def _page(title: str, body: str) -> str:
    title = html.escape(title)
    style = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}"
    head = f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{style}</style>"
    return f"{head}<h1>{title}</h1>{body}"


def create_app(store: Store, client_id: str, client_secret: str, **options: Any) -> Starlette:
    """The shop as an ASGI app, to be mounted at `/shop`. Options: those of `Shop`."""
    shop = Shop(store, client_id, client_secret, **options)
    shop.operations.start()
    return Starlette(
        routes=[
            Route("/admin/oauth/access_token", shop.access_token, methods=["POST"]),
            Route("/admin/api/{version}/graphql.json", shop.graphql, methods=["POST"]),
            Route("/bulk/{id:int}.jsonl", shop.bulk_file),
            Route("/cdn/{handle}.png", shop.picture),
            Route("/products/{handle}", shop.product_page),
            Route("/checkouts/{token}/recover", shop.checkout_page),
            Route("/{rest:path}", shop.home_page),
        ]
    )
