"""Codes that are good once: in the shop first, free in the ledger then, never fewer than asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from kreislauf.connections import Connection
from kreislauf.ledger.schema import voucher
from kreislauf.ledger.store import Ledger
from kreislauf.sources.shopify import ShopifySource
from kreislauf.vouchers import AT_ONCE, Pool, VoucherError, count_free, fill, load_pools
from sandbox.testing import Sandbox, run_sandbox

POOL = Pool("welcome", "WELCOME10", "WELCOME", 300)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with run_sandbox(home, start="2026-11-01T06:00:00Z", contacts=10, days=10) as running:
        running.home = home
        yield running


@pytest.fixture
def shop(sandbox: Sandbox) -> ShopifySource:
    return ShopifySource(
        Connection("shop", "http", host=sandbox.shop, login=sandbox.client_id, password=sandbox.client_secret)
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(Connection("ledger", "sqlite", host=str(tmp_path / "ledger.db")))
    opened.migrate()
    yield opened
    opened.engine.dispose()


def codes(ledger: Ledger) -> list[str]:
    with ledger.read() as connection:
        return list(connection.scalars(select(voucher.c.code).order_by(voucher.c.code)))


def test_the_pool_is_filled_up_in_requests_the_shop_allows_and_only_up(ledger, shop, sandbox):
    assert fill(ledger, shop, POOL) == {"free": 0, "added": 300}
    assert fill(ledger, shop, POOL) == {"free": 300, "added": 0}

    with ledger.write() as connection:
        for number, code in enumerate(connection.scalars(select(voucher.c.code).limit(20)).all()):
            given = update(voucher).where(voucher.c.code == code).values(message_key=f"{number:032d}")
            connection.execute(given)
    assert fill(ledger, shop, POOL) == {"free": 280, "added": 20}
    assert count_free(ledger, "welcome") == 300

    with sqlite3.connect(sandbox.home / "world.sqlite") as world:
        in_shop = {row[0] for row in world.execute("select code from shop_discount_codes")}
    assert in_shop == set(codes(ledger))
    assert AT_ONCE < 300, "so it took two requests"


def test_a_discount_the_shop_does_not_know_is_named_with_what_to_do(ledger, shop):
    with pytest.raises(VoucherError, match=r"welcome: the shop has no discount with the code 'NOPE'; make"):
        fill(ledger, shop, Pool("welcome", "NOPE", "X", 5))
    assert codes(ledger) == []


class Refusing:
    """A shop that finds the discount and then does not do what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"codeDiscountNodeByCode": {"id": "1"}} | answers

    def query(self, text: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        return {name: answer for name, answer in self.answers.items() if f" {name}(" in text}


ACCEPTED = {"bulkCreation": {"id": "7"}, "userErrors": []}


def test_what_the_shop_refuses_is_not_free(ledger):
    refused = {"bulkCreation": None, "userErrors": [{"message": "Codes too long"}] * 2}
    with pytest.raises(VoucherError, match=r"refuses the codes: Codes too long$"):
        fill(ledger, Refusing(discountRedeemCodeBulkAdd=refused), POOL)

    nodes = [{"code": "WELCOME-1", "errors": [{"message": "taken"}]}, {"code": "WELCOME-2", "errors": []}]
    done = {"done": True, "codes": {"nodes": nodes}}
    answers = {"discountRedeemCodeBulkAdd": ACCEPTED, "discountRedeemCodeBulkCreation": done}
    fill(ledger, Refusing(**answers), Pool("welcome", "W", "WELCOME", 1))
    assert codes(ledger) == ["WELCOME-2"]


def test_a_shop_that_is_never_done_is_given_up(ledger, monkeypatch):
    monkeypatch.setattr("kreislauf.vouchers.PATIENCE", 0.01)
    pending = {"done": False, "codes": {"nodes": []}}
    answers = {"discountRedeemCodeBulkAdd": ACCEPTED, "discountRedeemCodeBulkCreation": pending}
    with pytest.raises(VoucherError, match="was not done"):
        fill(ledger, Refusing(**answers), POOL)
    assert codes(ledger) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: {discount: X, prefix: Y}", "a has the entries discount, prefix"),
        ("a: {discount: X, prefix: Y, keep: 0}", "a: keep must be a whole number above 0, not 0"),
        ("- a", "a pool is"),
        ("a: {", "a pool is"),
    ],
)
def test_a_mistake_in_the_file_says_the_pool_and_what_is_right(tmp_path, text, what):
    file = tmp_path / "vouchers.yaml"
    file.write_text(text)
    with pytest.raises(VoucherError, match=rf"(?s)vouchers\.yaml: .*{what}"):
        load_pools(file)


def test_the_projects_pools_are_of_discounts_the_sandbox_has(shop, ledger):
    for pool in load_pools().values():
        assert fill(ledger, shop, Pool(pool.name, pool.discount, pool.prefix, 1))["added"] == 1
