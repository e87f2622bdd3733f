"""The CRM over HTTP. Paths are HubSpot's, unchanged, below wherever the app is mounted."""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.crm import objects, store
from sandbox.crm.catalogue import KIND_BY_ANY_NAME, Kind
from sandbox.crm.errors import CrmError, invalid, not_found, object_in, texts_in
from sandbox.crm.limits import Limits, RateLimiter
from sandbox.crm.search import search

VERSION = "2026-09"


@dataclass
class Call:
    """One request as a handler sees it."""

    db: sqlite3.Connection
    now: int
    path: dict[str, str]
    query: QueryParams
    body: dict[str, Any]
    url: str

    @property
    def kind(self) -> Kind:
        return _kind(self.path["kind"])

    @property
    def to(self) -> Kind:
        return _kind(self.path["to"])


Handler = Callable[[Call], tuple[int, Any]]


def create_app(world: Any, token: str, limits: Limits | None = None) -> Starlette:
    """The CRM of a world. `world` is the sandbox's store; `token` the one bearer token it accepts."""
    limiter = RateLimiter(limits or Limits())

    def endpoint(handler: Handler, *, writes: bool) -> Callable[[Request], Any]:
        def answer(request: Request, body: dict[str, Any]) -> tuple[int, Any]:
            now = store.milliseconds(world.now())
            with world.write() if writes else world.read() as db:
                call = Call(db, now, request.path_params, request.query_params, body, str(request.url.path))
                return handler(call)

        async def respond(request: Request) -> Response:
            headers: dict[str, str] = {}
            try:
                _authorise(request, token)
                headers = limiter.admit(request.url.path.endswith("/search"))
                status, body = await run_in_threadpool(answer, request, await _json(request))
            except CrmError as error:
                return JSONResponse(error.body, error.status, headers | error.headers)
            return (
                Response(status_code=status, headers=headers)
                if body is None
                else JSONResponse(body, status, headers)
            )

        return respond

    def route(method: str, path: str, handler: Handler, *, writes: bool = False) -> Route:
        return Route(path, endpoint(handler, writes=writes), methods=[method])

    records = f"/crm/objects/{VERSION}/{{kind}}"
    one = f"{records}/{{key}}"
    links = f"/crm/associations/{VERSION}/{{kind}}/{{to}}/batch"
    properties = f"/crm/properties/{VERSION}/{{kind}}"
    owners = f"/crm/owners/{VERSION}"
    routes = [
        route("GET", records, _list),
        route("POST", records, _create, writes=True),
        route("POST", f"{records}/search", _search),
        route("POST", f"{records}/merge", _merge, writes=True),
        route("POST", f"{records}/gdpr-delete", _gdpr_delete, writes=True),
        route("POST", f"{records}/batch/read", _batch_read),
        route("POST", f"{records}/batch/create", _batch_create, writes=True),
        route("POST", f"{records}/batch/update", _batch_update, writes=True),
        route("POST", f"{records}/batch/upsert", _batch_upsert, writes=True),
        route("POST", f"{records}/batch/archive", _batch_archive, writes=True),
        route("GET", one, _get),
        route("PATCH", one, _update, writes=True),
        route("DELETE", one, _archive, writes=True),
        route("GET", f"{one}/associations/{{to}}", _associations),
        route("PUT", f"{one}/associations/default/{{to}}/{{to_key}}", _associate, writes=True),
        route("PUT", f"{one}/associations/{{to}}/{{to_key}}", _associate_labelled, writes=True),
        route("DELETE", f"{one}/associations/{{to}}/{{to_key}}", _dissociate, writes=True),
        route("POST", f"{links}/read", _associations_batch_read),
        route("POST", f"{links}/associate/default", _associations_batch_create, writes=True),
        route("GET", owners, _owners),
        route("GET", f"{owners}/{{key}}", _owner),
        route("GET", properties, _properties),
        route("POST", properties, _add_property, writes=True),
        route("GET", f"{properties}/{{name}}", _property),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unknown_path})


# ------------------------------------------------------------------------------------- records


def _list(call: Call) -> tuple[int, Any]:
    limit = _number(call, "limit", default=10, highest=objects.MAX_PAGE)
    results, after = objects.page(
        call.db,
        call.kind,
        limit=limit,
        after=_number(call, "after", default=0),
        properties=_listed(call, "properties"),
        associations=_association_kinds(call),
        archived=call.query.get("archived") == "true",
    )
    return 200, _page(results, after, f"{call.url}?limit={limit}&after={after}")


def _get(call: Call) -> tuple[int, Any]:
    archived = call.query.get("archived") == "true"
    record = objects.get(call.db, call.kind, call.path["key"], call.query.get("idProperty"), archived)
    body = objects.shown(record, call.kind, _listed(call, "properties"))
    objects.add_associations(call.db, call.kind, [body], _association_kinds(call))
    return 200, body


def _create(call: Call) -> tuple[int, Any]:
    record = objects.create(call.db, call.kind, call.body, call.now)
    return 201, _written(call, record, call.body)


def _update(call: Call) -> tuple[int, Any]:
    record = objects.get(call.db, call.kind, call.path["key"], call.query.get("idProperty"))
    return 200, _written(call, objects.update(call.db, call.kind, record, call.body, call.now), call.body)


def _archive(call: Call) -> tuple[int, Any]:
    store.archive(call.db, call.kind.plural, _ids([call.path["key"]]), call.now)
    return 204, None


def _search(call: Call) -> tuple[int, Any]:
    types = objects.property_types(call.db, call.kind)
    total, rows, after = search(call.db, call.kind, types, call.body)
    results = [objects.shown(row, call.kind, texts_in(call.body, "properties")) for row in rows]
    return 200, {"total": total} | _page(results, after, None)


def _merge(call: Call) -> tuple[int, Any]:
    winner, loser = (store.record_id(call.body.get(name)) for name in ("primaryObjectId", "objectIdToMerge"))
    if winner is None or loser is None:
        raise invalid("primaryObjectId and objectIdToMerge must be record ids")
    try:
        store.merge(call.db, winner, loser, datetime.fromtimestamp(call.now / 1000, UTC), call.kind.plural)
    except LookupError as error:
        raise not_found(str(error)) from None
    return 200, objects.shown(objects.get(call.db, call.kind, str(winner), None), call.kind)


def _gdpr_delete(call: Call) -> tuple[int, Any]:
    key, id_property = str(call.body.get("objectId", "")), call.body.get("idProperty")
    store.purge(call.db, call.kind.plural, objects.get(call.db, call.kind, key, id_property)["id"])
    return 204, None


# --------------------------------------------------------------------------------------- batch


def _batch_read(call: Call) -> tuple[int, Any]:
    keys = [str(one.get("id", "")) for one in objects.batch_inputs(call.body)]
    rows, missing = objects.read_many(call.db, call.kind, keys, call.body.get("idProperty"))
    results = [objects.shown(row, call.kind, texts_in(call.body, "properties")) for row in rows]
    body = _complete(call, results)
    if not missing:
        return 200, body
    error = not_found(
        f"Could not get some {call.kind.singular.upper()} objects, they may be deleted or not exist.",
        context={"ids": missing},
    )
    return 207, body | {"numErrors": 1, "errors": [error.part()]}


def _batch_create(call: Call) -> tuple[int, Any]:
    inputs = objects.batch_inputs(call.body)
    created = [objects.create(call.db, call.kind, one, call.now) for one in inputs]
    return 201, _complete(call, [_written(call, row, one) for row, one in zip(created, inputs, strict=True)])


def _batch_update(call: Call) -> tuple[int, Any]:
    inputs = _each_once(objects.batch_inputs(call.body))
    results = []
    for one in inputs:
        record = objects.get(call.db, call.kind, str(one.get("id", "")), one.get("idProperty"))
        results.append(_written(call, objects.update(call.db, call.kind, record, one, call.now), one))
    return 200, _complete(call, results)


def _batch_upsert(call: Call) -> tuple[int, Any]:
    results = []
    for one in _each_once(objects.batch_inputs(call.body)):
        record, is_new = objects.upsert(call.db, call.kind, one, call.now)
        results.append(_written(call, record, one) | {"new": is_new})
    return 200, _complete(call, results)


def _batch_archive(call: Call) -> tuple[int, Any]:
    ids = _ids(one.get("id") for one in objects.batch_inputs(call.body))
    store.archive(call.db, call.kind.plural, ids, call.now)
    return 204, None


# -------------------------------------------------------------------------------- associations


def _associations(call: Call) -> tuple[int, Any]:
    record = objects.get(call.db, call.kind, call.path["key"], None)
    found = objects.associations(call.db, call.kind, [record["id"]], call.to)
    return 200, {"results": found.get(record["id"], [])}


def _associate(call: Call) -> tuple[int, Any]:
    made = objects.associate(call.db, call.kind, call.path["key"], call.to, call.path["to_key"])
    return 200, _complete(call, [made])


def _associate_labelled(call: Call) -> tuple[int, Any]:
    made = objects.associate(call.db, call.kind, call.path["key"], call.to, call.path["to_key"])
    return 200, {
        "fromObjectTypeId": call.kind.type_id,
        "fromObjectId": made["from"]["id"],
        "toObjectTypeId": call.to.type_id,
        "toObjectId": made["to"]["id"],
        "labels": [],
    }


def _dissociate(call: Call) -> tuple[int, Any]:
    ids = _ids([call.path["key"], call.path["to_key"]])
    if len(ids) == 2:
        store.dissociate(call.db, call.kind.plural, ids[0], call.to.plural, ids[1])
    return 204, None


def _associations_batch_read(call: Call) -> tuple[int, Any]:
    keys = [str(one.get("id", "")) for one in objects.batch_inputs(call.body)]
    rows, _ = objects.read_many(call.db, call.kind, keys, None)
    found = objects.associations(call.db, call.kind, [row["id"] for row in rows], call.to)
    results = [{"from": {"id": str(record_id)}, "to": to} for record_id, to in found.items()]
    body = _complete(call, results)
    none = [key for key in keys if store.record_id(key) not in found]
    if not none:
        return 200, body
    errors = [
        not_found(
            f"No {call.to.singular} is associated with {call.kind.singular} {key}.",
            subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
            context={"fromObjectId": [key]},
        ).part()
        for key in none
    ]
    return 207, body | {"numErrors": len(errors), "errors": errors}


def _associations_batch_create(call: Call) -> tuple[int, Any]:
    results = []
    for one in objects.batch_inputs(call.body):
        key, to_key = (str(object_in(one, end).get("id", "")) for end in ("from", "to"))
        results.append(objects.associate(call.db, call.kind, key, call.to, to_key))
    return 200, _complete(call, results)


# ------------------------------------------------------------------------ owners and properties


def _owners(call: Call) -> tuple[int, Any]:
    limit = _number(call, "limit", default=100, highest=objects.MAX_OWNERS_PAGE)
    results, after = objects.owners(
        call.db,
        limit=limit,
        after=_number(call, "after", default=0),
        address=call.query.get("email"),
        archived=call.query.get("archived") == "true",
    )
    return 200, _page(results, after, f"{call.url}?limit={limit}&after={after}")


def _owner(call: Call) -> tuple[int, Any]:
    return 200, objects.owner(call.db, call.path["key"])


def _properties(call: Call) -> tuple[int, Any]:
    names = sorted(objects.property_types(call.db, call.kind))
    return 200, {"results": [objects.shown_property(call.db, call.kind, name) for name in names]}


def _property(call: Call) -> tuple[int, Any]:
    return 200, objects.shown_property(call.db, call.kind, call.path["name"])


def _add_property(call: Call) -> tuple[int, Any]:
    return 201, objects.add_property(call.db, call.kind, call.body)


# ---------------------------------------------------------------------------- request and answer


def _authorise(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise CrmError(
            401,
            "Authentication credentials not found. Send the header Authorization: Bearer <service key>.",
            "INVALID_AUTHENTICATION",
        )


async def _json(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise invalid(f"Invalid input JSON on line 1, column 1: {error}") from None
    if isinstance(body, list):  # associating sends a list of types; only the default ones are known
        return {"types": body}
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON: an object is expected")
    return body


def _unknown_path(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    if status == 405:
        return JSONResponse(CrmError(405, "Method Not Allowed", "VALIDATION_ERROR").body, 405)
    return JSONResponse(not_found(f"No API at {request.url.path}; this sandbox speaks {VERSION}").body, 404)


def _kind(name: str) -> Kind:
    if name not in KIND_BY_ANY_NAME:
        raise invalid(f"Unable to infer object type from: {name}")
    return KIND_BY_ANY_NAME[name]


def _number(call: Call, name: str, *, default: int, highest: int | None = None) -> int:
    text = call.query.get(name) or str(default)
    number = store.record_id(text)
    if number is None or (highest is not None and not 1 <= number <= highest):
        allowed = "a whole number" if highest is None else f"a whole number from 1 to {highest}"
        raise invalid(f"Invalid request: {name} must be {allowed}, it is {text!r}")
    return number


def _listed(call: Call, name: str) -> list[str]:
    """A list given as repeated parameters, comma separated, or both."""
    return [item.strip() for text in call.query.getlist(name) for item in text.split(",") if item.strip()]


def _association_kinds(call: Call) -> list[Kind]:
    return [KIND_BY_ANY_NAME[name] for name in _listed(call, "associations") if name in KIND_BY_ANY_NAME]


def _ids(keys: Iterable[Any]) -> list[int]:
    """The ids among what a client gave; what is none is left out."""
    return [number for number in map(store.record_id, keys) if number is not None]


def _each_once(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [str(one.get("id", "")).lower() for one in inputs]
    if len(set(ids)) < len(ids):
        raise invalid("Duplicate IDs found in batch input: the same record twice in one batch")
    return inputs


def _written(call: Call, record: sqlite3.Row, given: dict[str, Any]) -> dict[str, Any]:
    return objects.shown(record, call.kind, list(object_in(given, "properties")))


def _page(results: list[dict[str, Any]], after: int | None, link: str | None) -> dict[str, Any]:
    if after is None:
        return {"results": results}
    following = {"after": str(after)} | ({"link": link} if link else {})
    return {"results": results, "paging": {"next": following}}


def _complete(call: Call, results: list[dict[str, Any]]) -> dict[str, Any]:
    moment = store.iso(call.now)
    return {"status": "COMPLETE", "results": results, "startedAt": moment, "completedAt": moment}
