"""Opting out: never by a look, always by a click, once and for ever."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from kreislauf.delivery.links import Links
from kreislauf.ledger import batches
from kreislauf.ledger.schema import Channel, consent, message, suppression
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.suppressions import lift
from kreislauf.ledger.testing import plan_people
from tests.plugins.kreislauf.delivery.channels import plan


@pytest.fixture
def path(ledger: Ledger, links: Links) -> str:
    """The unsubscribe path in a German mail to ada."""
    plan_people(ledger, ["ada"], language="de")
    (sent,) = _rows(ledger, message)
    return links.unsubscribe(sent.message_key).removeprefix(links.base_url)


def _rows(ledger: Ledger, table: Any) -> list[Any]:
    with ledger.read() as connection:
        return connection.execute(select(table)).all()


def test_a_look_changes_nothing(client: httpx.Client, ledger: Ledger, path: str) -> None:
    for method in ("GET", "GET", "HEAD", "OPTIONS"):
        client.request(method, path)
    assert _rows(ledger, suppression) == _rows(ledger, consent) == []


def test_the_page_asks_in_the_mails_language_and_shows_nothing_personal(
    client: httpx.Client, path: str
) -> None:
    page = client.get(path, headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert '<html lang="de">' in page.text
    assert '<form method="post">' in page.text
    assert "Abmelden" in page.text
    assert "ada" not in page.text
    assert "ada" not in path
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("post", "way"),
    [({}, "page"), ({"data": {"List-Unsubscribe": "One-Click"}}, "one-click")],
)
def test_a_click_opts_out_with_evidence(
    client: httpx.Client, ledger: Ledger, path: str, post: dict[str, Any], way: str
) -> None:
    answer = client.post(path, **post)
    assert answer.status_code == 200  # no redirect, no login, no cookie
    assert "Sie sind abgemeldet" in answer.text and "keine E-Mails mehr" in answer.text
    assert "set-cookie" not in answer.headers
    (stopped,) = _rows(ledger, suppression)
    (said,) = _rows(ledger, consent)
    (sent,) = _rows(ledger, message)
    assert (stopped.address, stopped.contact_id, stopped.reason) == ("ada@example.org", "ada", "opt_out")
    assert sent.message_key in stopped.source
    assert (said.state, said.source, said.text_version) == ("revoked", "web", way)
    assert batches.claim(ledger, "flow_welcome", "hello", "me", utc_now()).messages == []


def test_again_changes_nothing(client: httpx.Client, ledger: Ledger, path: str) -> None:
    for _ in range(3):
        assert client.post(path).status_code == 200
    assert len(_rows(ledger, suppression)) == len(_rows(ledger, consent)) == 1


def test_who_came_back_can_leave_again_with_the_same_mail(
    client: httpx.Client, ledger: Ledger, path: str
) -> None:
    client.post(path)
    lift(ledger, _rows(ledger, suppression)[0].source, "eve")
    client.post(path)
    (stopped,) = _rows(ledger, suppression)
    assert stopped.lifted_at is None
    assert len(_rows(ledger, consent)) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_not_ours_finds_nothing(
    client: httpx.Client, ledger: Ledger, links: Links, path: str, method: str
) -> None:
    never_sent = f"/unsubscribe/{links.token('0' * 32)}"
    for wrong in (path[:-1], path[:-1] + "x", "/unsubscribe/" + "0" * 64, never_sent, "/unsubscribe/%00%ff"):
        answer = client.request(method, wrong, headers={"Accept-Language": "de-DE,en;q=0.5"})
        assert answer.status_code == 404
        assert "Diese Seite gibt es nicht" in answer.text
    assert _rows(ledger, suppression) == []


def test_everything_ends_with_the_second_button(client: httpx.Client, ledger: Ledger, path: str) -> None:
    assert 'name="scope" value="all"' in client.get(path).text
    for _ in range(2):
        answer = client.post(path, data={"scope": "all"})
        assert answer.status_code == 200 and "auf keinem Weg" in answer.text
    (stopped,) = _rows(ledger, suppression)
    assert (stopped.channel, stopped.contact_id) == ("all", "ada")
    assert {row.channel for row in _rows(ledger, consent)} == {"email", "sms", "push"}
    assert batches.claim(ledger, "flow_welcome", "hello", "me", utc_now()).messages == []


def test_a_texts_link_ends_the_texts(client: httpx.Client, ledger: Ledger, links: Links) -> None:
    plan(ledger, Channel.SMS, ["+4915112345678"])
    (sent,) = _rows(ledger, message)
    path = links.unsubscribe(sent.message_key).removeprefix(links.base_url)
    assert "keine SMS mehr" in client.get(path).text
    client.post(path)
    (stopped,) = _rows(ledger, suppression)
    assert (stopped.address, stopped.channel) == ("+4915112345678", "sms")
    assert _rows(ledger, consent)[0].channel == "sms"
