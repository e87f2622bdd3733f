"""A small sandbox for the tests of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.testing import Sandbox, run_sandbox

START = "2026-11-20T06:00:00Z"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox that tests share: read from it, do not move its clock. Its bucket is bottomless."""
    home = tmp_path_factory.mktemp("sandbox")
    with run_sandbox(home, start=START, contacts=120, days=120, shop_bucket=1_000_000) as running:
        yield running


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Any]:
    """Starts a sandbox of one's own: `with small(shop_bucket=100) as sandbox: …`. Same home each time."""

    def start(**options: Any) -> Any:
        settings = {"start": START, "contacts": 30, "days": 60, "site_inbox": tmp_path / "inbox"} | options
        return run_sandbox(tmp_path / "home", **settings)

    return start


@pytest.fixture
def ask() -> Callable[..., dict[str, Any]]:
    """Sends a GraphQL request to a sandbox's shop and returns the body of the answer."""

    def send(sandbox: Sandbox, text: str, /, **variables: Any) -> dict[str, Any]:
        response = httpx.post(
            f"{sandbox.shop}/admin/api/2026-10/graphql.json",
            json={"query": text, "variables": variables},
            headers={"X-Shopify-Access-Token": sandbox.shop_token()},
            timeout=60,
        )
        assert response.status_code == 200, response.text
        return response.json()

    return send
