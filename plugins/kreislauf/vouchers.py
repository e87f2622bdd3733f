"""Voucher codes that are good once: made here, added to a discount of the shop, kept in the ledger.

A code is free in the ledger only after the shop has it. What a crash leaves in between is a code in the shop
that nobody gets. Source of the requests and their limits: shopify.dev, `discountRedeemCodeBulkAdd`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import func, insert, select

from kreislauf.ledger.schema import voucher
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.places import INCLUDE

FILE = INCLUDE / "vouchers.yaml"
AT_ONCE = 250
"""Codes a request, Shopify's limit."""
PATIENCE = 300.0
"""Seconds that the shop may take to add the codes of a request."""
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Nothing that is mistaken for something else when it is typed."""
LENGTH = 10
"""Drawn letters: guessing one of a thousand codes takes about 10^12 tries."""

_DISCOUNT = "query($code: String!) { codeDiscountNodeByCode(code: $code) { id } }"

_ADD = """
mutation($discount: ID!, $codes: [DiscountRedeemCodeInput!]!) {
  discountRedeemCodeBulkAdd(discountId: $discount, codes: $codes) {
    bulkCreation { id }
    userErrors { message }
  }
}
"""

_ADDED = """
query($id: ID!) {
  discountRedeemCodeBulkCreation(id: $id) {
    done
    codes(first: 250) { nodes { code errors { message } } }
  }
}
"""


class Shop(Protocol):
    """The shop's GraphQL API."""

    def query(self, text: str, variables: dict[str, Any] | None = None) -> dict[str, Any]: ...


class VoucherError(ValueError):
    """A pool that cannot be read or filled. Says which, why, and what to do."""


@dataclass(frozen=True)
class Pool:
    """Codes of one discount.

    :param discount: a code of the discount in the shop, which says what it gives
    :param prefix: what each code begins with
    :param keep: how many shall be free after a filling
    """

    name: str
    discount: str
    prefix: str
    keep: int


@cache
def load_pools(file: Path = FILE) -> Mapping[str, Pool]:
    """The pools of a file, by name. Raises VoucherError."""
    import yaml

    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        return {name: _pool(name, entries) for name, entries in given.items()}
    except (OSError, AttributeError, TypeError, ValueError, yaml.YAMLError) as error:
        raise VoucherError(
            f"{file.name}: {error}; a pool is `name: {{discount: CODE, prefix: WORD, keep: 500}}`"
        ) from None


def _pool(name: str, entries: Mapping[str, Any]) -> Pool:
    try:
        pool = Pool(name, **entries)
    except TypeError:
        raise ValueError(f"{name} has the entries {', '.join(entries)}") from None
    if not isinstance(pool.keep, int) or pool.keep < 1:
        raise ValueError(f"{name}: keep must be a whole number above 0, not {pool.keep!r}")
    return pool


def fill(
    ledger: Ledger, shop: Shop, pool: Pool, sleep: Callable[[float], None] = time.sleep
) -> dict[str, int]:
    """Add codes until `pool.keep` are free: how many were free, and how many were added.

    Raises VoucherError if the shop does not know the discount, or refuses the codes.
    """
    free = count_free(ledger, pool.name)
    added = 0
    if free < pool.keep:
        discount = _discount(shop, pool)
        while free + added < pool.keep:
            wanted = min(AT_ONCE, pool.keep - free - added)
            added += _add(ledger, shop, pool, discount, wanted, sleep)
    return {"free": free, "added": added}


def count_free(ledger: Ledger, pool: str) -> int:
    """How many codes of a pool nobody has."""
    free = select(func.count()).where(voucher.c.pool == pool, voucher.c.message_key.is_(None))
    with ledger.read() as connection:
        return connection.execute(free).scalar_one()


def _discount(shop: Shop, pool: Pool) -> str:
    found = shop.query(_DISCOUNT, {"code": pool.discount})["codeDiscountNodeByCode"]
    if found is None:
        raise VoucherError(
            f"vouchers.yaml, {pool.name}: the shop has no discount with the code {pool.discount!r}; make one "
            "in the shop's admin (Discounts, Create discount, Discount code), or name another"
        )
    return found["id"]


def _add(
    ledger: Ledger, shop: Shop, pool: Pool, discount: str, wanted: int, sleep: Callable[[float], None]
) -> int:
    codes = sorted({_code(pool) for _ in range(wanted)})
    answer = shop.query(_ADD, {"discount": discount, "codes": [{"code": code} for code in codes]})
    created = answer["discountRedeemCodeBulkAdd"]
    if created["userErrors"]:
        raise _refused(pool, created["userErrors"])
    taken = [code for code in _wait(shop, pool, created["bulkCreation"]["id"], sleep) if not code["errors"]]
    if not taken:
        raise VoucherError(f"vouchers.yaml, {pool.name}: the shop took none of {len(codes)} codes")
    rows = [{"code": code["code"], "pool": pool.name, "created_at": utc_now()} for code in taken]
    with ledger.write() as connection:
        connection.execute(insert(voucher), rows)
    return len(taken)


def _wait(shop: Shop, pool: Pool, creation: str, sleep: Callable[[float], None]) -> list[dict[str, Any]]:
    until, pause = time.monotonic() + PATIENCE, 0.2
    while time.monotonic() < until:
        found = shop.query(_ADDED, {"id": creation})["discountRedeemCodeBulkCreation"]
        if found["done"]:
            return found["codes"]["nodes"]
        sleep(pause)
        pause = min(pause * 2, 10)
    raise VoucherError(f"vouchers.yaml, {pool.name}: the shop was not done after {PATIENCE:.0f} seconds")


def _refused(pool: Pool, errors: list[dict[str, Any]]) -> VoucherError:
    said = "; ".join(dict.fromkeys(error["message"] for error in errors))
    return VoucherError(f"vouchers.yaml, {pool.name}: the shop refuses the codes: {said}")


def _code(pool: Pool) -> str:
    return f"{pool.prefix}-{''.join(secrets.choice(ALPHABET) for _ in range(LENGTH))}"
