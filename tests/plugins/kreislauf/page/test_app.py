"""Reports of audits, in Airflow's UI: for who is signed in, and nothing but reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from kreislauf.page.app import app


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Somebody who is signed in, and an installation with one report."""
    monkeypatch.setenv("KREISLAUF_HOME", str(tmp_path))
    report = tmp_path / "data_docs" / "b1" / "core.html"
    report.parent.mkdir(parents=True)
    report.write_text("<h1>Audit</h1>")
    (tmp_path / "secrets.json").write_text("{}")
    (report.parent / "link.html").symlink_to(tmp_path / "secrets.json")
    (signed_in,) = app.router.dependencies
    app.dependency_overrides[signed_in.dependency] = lambda: None
    yield TestClient(app)
    app.dependency_overrides.clear()


def test_a_report_is_shown(client: TestClient) -> None:
    assert client.get("/data_docs/b1/core.html").text == "<h1>Audit</h1>"


@pytest.mark.parametrize(
    "page", ["b2/core.html", "b1", "", "../secrets.json", "%2e%2e/secrets.json", "b1/link.html", "%00"]
)
def test_nothing_else_is(client: TestClient, page: str) -> None:
    assert client.get(f"/data_docs/{page}").status_code == 404


def test_who_is_not_signed_in_sees_nothing() -> None:
    (signed_in,) = app.router.dependencies
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert routes and all(signed_in in route.dependencies for route in routes)
