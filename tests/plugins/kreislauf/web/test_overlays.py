"""Overlays: the visitor's open ones, and what comes of them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from kreislauf.delivery.links import Links
from kreislauf.ledger.schema import Channel, event, message, overlay
from kreislauf.ledger.store import Ledger, utc_now
from tests.plugins.kreislauf.delivery.channels import plan, rows

SURVEY = {"kind": "survey", "headline": "Hi", "question": "Happy?", "answers": ["yes", "no"]}


@pytest.fixture
def show(ledger: Ledger, links: Links):
    """Put an overlay up for visitor v1; the path of its token."""

    def show(content: dict[str, Any] = SURVEY, visitor: str = "v1", life: float = 1) -> str:
        known = {row.message_key for row in rows(ledger, message)}
        plan(ledger, Channel.ONSITE, [visitor], occurrence_id=str(len(known)))
        (sent,) = [row for row in rows(ledger, message) if row.message_key not in known]
        now = utc_now()
        row = {"message_key": sent.message_key, "visitor_id": visitor, "content": content}
        row |= {"created_at": now, "updated_at": now, "expires_at": now + timedelta(days=life)}
        with ledger.write() as connection:
            connection.execute(insert(overlay).values(**row))
        return f"/overlays/{links.token(sent.message_key, 'overlay')}"

    return show


def _events(answers: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in answers.glob("*.ndjson") for line in path.read_text().splitlines()]


def test_a_visitor_gets_what_is_open_and_meant_for_them(client: httpx.Client, show) -> None:
    path = show()
    show(visitor="v2")
    show(life=-1)
    (found,) = client.get("/overlays/v1").json()
    assert found == SURVEY | {"token": path.rpartition("/")[2]}
    assert client.get("/overlays/nobody").json() == []
    assert client.get("/overlays/v1").headers["Cache-Control"] == "no-store"


def test_what_came_of_it(client: httpx.Client, ledger: Ledger, show) -> None:
    path = show()
    for what in ("shown", "shown", "clicked", "closed"):
        assert client.post(f"{path}/{what}").status_code == 204
    (row,) = rows(ledger, overlay)
    assert row.shown_at
    assert row.closed_at
    assert [found.type for found in rows(ledger, event)] == ["delivered", "click", "close"]
    assert client.get("/overlays/v1").json() == []


def test_an_answer_lands_with_the_sites_events(client, ledger, show, answers: Path) -> None:
    path = show()
    for _ in range(2):
        assert client.post(f"{path}/answer", json={"answer": "yes"}).status_code == 204
    first, second = _events(answers)
    assert first["event_id"] == second["event_id"]  # landed twice, counted once
    assert first["answers"] == [{"question": "Happy?", "answer": "yes"}]
    assert (first["type"], first["visitor_id"], first["utm_campaign"]) == ("survey", "v1", "flow")
    assert client.get("/overlays/v1").json() == []


def test_a_newsletter_takes_an_address(client, show, answers: Path) -> None:
    path = show({"kind": "newsletter", "headline": "Hi"})
    assert client.post(f"{path}/answer", json={"email": "no address"}).status_code == 400
    assert client.post(f"{path}/answer", json={"email": "Ada@Example.org"}).status_code == 204
    (found,) = _events(answers)
    assert (found["type"], found["email"]) == ("form_submit", "ada@example.org")


@pytest.mark.parametrize("given", [{"answer": "maybe"}, {"answer": ""}, {"answer": 1}, {}])
def test_an_answer_that_was_not_offered_is_refused(client, show, answers: Path, given: dict) -> None:
    path = show()
    assert client.post(f"{path}/answer", json=given).status_code == 400
    assert _events(answers) == []
    assert len(client.get("/overlays/v1").json()) == 1


def test_a_token_that_is_not_ours(client, ledger, links: Links, show) -> None:
    show()
    key = rows(ledger, message)[0].message_key
    for token in ("x" * 64, links.token(key), links.token("0" * 32, "overlay")):
        assert client.post(f"/overlays/{token}/closed").status_code == 404
        assert client.post(f"/overlays/{token}/answer", json={"answer": "yes"}).status_code == 404
