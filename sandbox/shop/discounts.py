"""Discounts with codes: the general ones of the catalogue, and codes that are good once."""

from __future__ import annotations

import sqlite3
from typing import Any

from graphql import GraphQLResolveInfo

from sandbox.store import iso
from sandbox.world.catalogue import DISCOUNTS

MOST = 250
"""Codes a request."""

_KIND = "gid://shopify/DiscountCodeNode/"
_CREATION = "gid://shopify/DiscountRedeemCodeBulkCreation/"
_IDS = {code: number for number, code in enumerate(DISCOUNTS, 1)}


def percent_of(db: sqlite3.Connection, code: str | None) -> int:
    """What a code takes off, in percent; 0 for none, an unknown one, or one that was used."""
    if code is None or code in DISCOUNTS:
        return DISCOUNTS.get(code or "", 0)
    found = db.execute(
        "select discount from shop_discount_codes where code = ? and used_at is null", (code,)
    ).fetchone()
    return DISCOUNTS[found["discount"]] if found else 0


def use(db: sqlite3.Connection, code: str | None, at: str) -> None:
    """A code that is good once is used up."""
    db.execute("update shop_discount_codes set used_at = ? where code = ? and used_at is null", (at, code))


def by_code(info: GraphQLResolveInfo, code: str) -> dict[str, Any] | None:
    """The discount that a code belongs to."""
    known = {general.lower(): general for general in DISCOUNTS}
    general = known.get(code.lower()) or _general(info.context[0].db, code)
    return {"__typename": "DiscountCodeNode", "id": f"{_KIND}{_IDS[general]}"} if general else None


def _general(db: sqlite3.Connection, code: str) -> str | None:
    found = db.execute("select discount from shop_discount_codes where code = ?", (code,)).fetchone()
    return found["discount"] if found else None


def add(info: GraphQLResolveInfo, codes: list[dict[str, str]], **given: str) -> dict[str, Any]:
    """Adds codes to a discount; those that are taken are left out."""
    context, engine = info.context
    general = {f"{_KIND}{number}": code for code, number in _IDS.items()}.get(given["discountId"])
    if general is None:
        return _refuse("discountId", "Discount does not exist", "INVALID")
    if len(codes) > MOST:
        return _refuse("codes", f"Codes exceed the maximum of {MOST}", "EXCEEDED_MAX")
    db = context.db
    (last,) = db.execute("select coalesce(max(creation), 0) from shop_discount_codes").fetchone()
    now = iso(engine.store.now())
    db.executemany(
        "insert or ignore into shop_discount_codes (code, discount, creation, added_at) values (?, ?, ?, ?)",
        [(each["code"], general, last + 1, now) for each in codes],
    )
    return {"bulkCreation": creation(info, f"{_CREATION}{last + 1}"), "userErrors": []}


def creation(info: GraphQLResolveInfo, id: str) -> dict[str, Any] | None:
    """What became of a request: here it is done at once."""
    number = id.removeprefix(_CREATION)
    rows = info.context[0].db.execute(
        "select code from shop_discount_codes where creation = ? order by code", (number,)
    )
    nodes = [{"code": row["code"], "errors": []} for row in rows]
    if not nodes:
        return None
    counts = {"codesCount": len(nodes), "importedCount": len(nodes), "failedCount": 0}
    return {
        "id": id,
        "done": True,
        "codes": {"nodes": nodes, "edges": [{"node": node} for node in nodes]},
        **counts,
    }


def _refuse(field: str, message: str, code: str) -> dict[str, Any]:
    return {"bulkCreation": None, "userErrors": [{"field": [field], "message": message, "code": code}]}
