"""The mail provider over HTTP: SendGrid's v3 paths, and an inbox for people to look at."""

from __future__ import annotations

import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.mail import inbox, suppressions, webhook
from sandbox.mail.errors import MailError, Problem
from sandbox.mail.limits import Limits, RateLimiter
from sandbox.mail.messages import accept
from sandbox.mail.validation import MAX_BYTES, is_address, problems

MAX_SCHEDULED_STATUSES = 10
BATCH_LIFE_SECONDS = 10 * 86400


@dataclass
class Call:
    """One request as a handler sees it. `now` is the world's, in seconds since 1970."""

    db: sqlite3.Connection
    now: int
    path: dict[str, str]
    query: QueryParams
    body: Any


Answer = tuple[int, Any, dict[str, str]]
Handler = Callable[[Call], Answer]


def create_app(
    world: Any, key: str, limits: Limits | None = None, verified_domains: frozenset[str] | None = None
) -> Starlette:
    """The provider of a world. `world` is the sandbox's store, `key` the one API key it accepts.

    `verified_domains`: if given, mail from any other domain is refused with 403.
    """
    limiter = RateLimiter(limits or Limits())

    def endpoint(handler: Handler, *, writes: bool, is_send: bool = False) -> Callable[[Request], Any]:
        def answer(request: Request, body: Any) -> Answer:
            now = int(world.now().timestamp())
            with world.write() if writes else world.read() as db:
                return handler(Call(db, now, request.path_params, request.query_params, body))

        async def respond(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                _authorise(request, key)
                headers = limiter.admit(is_send)
                status, body, more = await run_in_threadpool(answer, request, await _json(request))
            except MailError as error:
                return JSONResponse(error.body, error.status, headers | error.headers)
            headers |= more
            return (
                Response(status_code=status, headers=headers)
                if body is None
                else JSONResponse(body, status, headers)
            )

        return respond

    def send(call: Call) -> Answer:
        if found := problems(call.body, call.now):
            raise MailError(400, *found)
        sender = call.body["from"]["email"]
        if verified_domains is not None and sender.rsplit("@", 1)[1].lower() not in verified_domains:
            raise MailError(
                403, Problem("The from address does not match a verified Sender Identity.", "from")
            )
        if (batch_id := call.body.get("batch_id")) is not None:
            _batch(call, batch_id)
        if ((call.body.get("mail_settings") or {}).get("sandbox_mode") or {}).get("enable"):
            return 200, None, {}
        return 202, None, {"X-Message-Id": accept(call.db, call.body, call.now)}

    def route(
        method: str, path: str, handler: Handler, *, writes: bool = False, is_send: bool = False
    ) -> Route:
        return Route(path, endpoint(handler, writes=writes, is_send=is_send), methods=[method])

    signed = "/v3/user/webhooks/event/settings/signed"
    routes = [
        route("POST", "/v3/mail/send", send, writes=True, is_send=True),
        route("POST", "/v3/mail/batch", _create_batch, writes=True),
        route("GET", "/v3/mail/batch/{batch_id}", _get_batch),
        route("POST", "/v3/user/scheduled_sends", _set_status, writes=True),
        route("GET", "/v3/user/scheduled_sends", _list_statuses),
        route("GET", "/v3/user/scheduled_sends/{batch_id}", _get_status),
        route("PATCH", "/v3/user/scheduled_sends/{batch_id}", _change_status, writes=True),
        route("DELETE", "/v3/user/scheduled_sends/{batch_id}", _clear_status, writes=True),
        route("GET", "/v3/suppression/{list}", _list_suppressed),
        route("DELETE", "/v3/suppression/{list}", _remove_suppressed, writes=True),
        route("GET", "/v3/suppression/{list}/{email}", _get_suppressed),
        route("DELETE", "/v3/suppression/{list}/{email}", _remove_one_suppressed, writes=True),
        route("POST", "/v3/asm/suppressions/global", _suppress_globally, writes=True),
        route("GET", "/v3/asm/groups/{group_id:int}/suppressions", _list_group),
        route("GET", signed, _public_key, writes=True),
        route("GET", f"{signed}/{{id}}", _public_key, writes=True),
        *inbox.routes(world),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unknown_path})


# ----------------------------------------------------------------------------- scheduled sending


def _create_batch(call: Call) -> Answer:
    batch_id = secrets.token_urlsafe(36)
    call.db.execute("insert into mail_batch (id, created_at) values (?, ?)", (batch_id, call.now))
    return 201, {"batch_id": batch_id}, {}


def _get_batch(call: Call) -> Answer:
    return 200, {"batch_id": _batch(call, call.path["batch_id"])["id"]}, {}


def _set_status(call: Call) -> Answer:
    body = call.body if isinstance(call.body, dict) else {}
    batch, status = _batch(call, body.get("batch_id")), _status(body)
    if batch["status"]:
        raise MailError(
            400, Problem("a status for this batch id exists, try PATCH to update the status", "batch_id")
        )
    open_statuses = call.db.execute(
        "select count(distinct b.id) from mail_batch b where b.status is not null and exists"
        " (select 1 from mail_request r join mail_message m on m.request_id = r.id"
        " where r.batch_id = b.id and m.state = 'accepted')"
    ).fetchone()[0]
    if open_statuses >= MAX_SCHEDULED_STATUSES:
        raise MailError(
            400, Problem(f"at most {MAX_SCHEDULED_STATUSES} batches can be cancelled or paused", "status")
        )
    _write_status(call, batch["id"], status)
    return 201, {"batch_id": batch["id"], "status": status}, {}


def _list_statuses(call: Call) -> Answer:
    rows = call.db.execute(
        "select id, status from mail_batch where status is not null order by created_at, id"
    )
    return 200, [{"batch_id": row["id"], "status": row["status"]} for row in rows], {}


def _get_status(call: Call) -> Answer:
    batch = _batch(call, call.path["batch_id"])
    return 200, [{"batch_id": batch["id"], "status": batch["status"]}] if batch["status"] else [], {}


def _change_status(call: Call) -> Answer:
    batch = _batch(call, call.path["batch_id"])
    if not batch["status"]:
        raise MailError(404, Problem("batch id not found", "batch_id"))
    _write_status(call, batch["id"], _status(call.body if isinstance(call.body, dict) else {}))
    return 204, None, {}


def _clear_status(call: Call) -> Answer:
    call.db.execute(
        "update mail_batch set status = null where id = ?", (_batch(call, call.path["batch_id"])["id"],)
    )
    return 204, None, {}


def _batch(call: Call, batch_id: Any) -> sqlite3.Row:
    row = call.db.execute(
        "select * from mail_batch where id = ? and created_at > ?",
        (str(batch_id), call.now - BATCH_LIFE_SECONDS),
    ).fetchone()
    if row is None:
        raise MailError(400, Problem("invalid batch id", "batch_id"))
    return row


def _status(body: dict[str, Any]) -> str:
    if body.get("status") not in {"cancel", "pause"}:
        raise MailError(400, Problem("status must be either cancel or pause", "status"))
    return body["status"]


def _write_status(call: Call, batch_id: str, status: str) -> None:
    call.db.execute(
        "update mail_batch set status = ?, status_since = ? where id = ?", (status, call.now, batch_id)
    )


# --------------------------------------------------------------------------------- suppressions


def _list_suppressed(call: Call) -> Answer:
    limit, offset = _number(call, "limit", suppressions.MAX_PAGE), _number(call, "offset", 0)
    limit = min(limit, suppressions.MAX_PAGE)
    found = suppressions.entries(
        call.db,
        _list_name(call),
        now=call.now,
        since=_number(call, "start_time", 0),
        until=_number(call, "end_time", call.now),
        limit=limit,
        offset=offset,
        address=call.query.get("email"),
    )
    return 200, found, {}


def _get_suppressed(call: Call) -> Answer:
    return (
        200,
        suppressions.entries(
            call.db,
            _list_name(call),
            now=call.now,
            since=0,
            until=call.now,
            limit=1,
            offset=0,
            address=call.path["email"].lower(),
        ),
        {},
    )


def _remove_suppressed(call: Call) -> Answer:
    body = call.body if isinstance(call.body, dict) else {}
    emails = body.get("emails")
    if not body.get("delete_all") and not isinstance(emails, list):
        raise MailError(400, Problem("either delete_all or a list of emails is required", "emails"))
    suppressions.remove(call.db, _list_name(call), None if body.get("delete_all") else emails)
    return 204, None, {}


def _remove_one_suppressed(call: Call) -> Answer:
    if not suppressions.remove(call.db, _list_name(call), [call.path["email"]]):
        raise MailError(404, Problem("not found"))
    return 204, None, {}


def _suppress_globally(call: Call) -> Answer:
    emails = call.body.get("recipient_emails") if isinstance(call.body, dict) else None
    if not isinstance(emails, list) or not all(is_address(one) for one in emails):
        raise MailError(400, Problem("recipient_emails must be a list of addresses", "recipient_emails"))
    for address in emails:
        suppressions.add(call.db, "unsubscribes", address, call.now)
    return 201, {"recipient_emails": emails}, {}


def _list_group(call: Call) -> Answer:
    found = suppressions.entries(
        call.db,
        suppressions.group_list(int(call.path["group_id"])),
        now=call.now,
        since=0,
        until=call.now,
        limit=-1,
        offset=0,
        address=None,
    )
    return 200, [entry["email"] for entry in found], {}


def _list_name(call: Call) -> str:
    if call.path["list"] not in suppressions.LISTS:
        raise MailError(404, Problem("not found"))
    return call.path["list"]


# -------------------------------------------------------------------------------------- webhook


def _public_key(call: Call) -> Answer:
    return 200, {"public_key": webhook.public_key(call.db)}, {}


# ---------------------------------------------------------------------------- request and answer


def _authorise(request: Request, key: str) -> None:
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
        raise MailError(401, "The provided authorization grant is invalid, expired, or revoked")


async def _json(request: Request) -> Any:
    if int(request.headers.get("content-length") or 0) > MAX_BYTES:
        raise MailError(413, "The JSON payload you have included in your request is too large.")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BYTES:
            raise MailError(413, "The JSON payload you have included in your request is too large.")
    if not raw:
        return None
    if "json" not in request.headers.get("content-type", ""):
        raise MailError(415, "Content-Type should be application/json.")
    try:
        return json.loads(raw)
    except ValueError:
        raise MailError(400, "Bad Request") from None


def _unknown_path(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    message = "method not allowed" if status == 405 else "not found"
    return JSONResponse(MailError(status, message).body, status)


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name) or str(default)
    if not text.isdigit():
        raise MailError(400, Problem(f"{name} must be a whole number", name))
    return int(text)
