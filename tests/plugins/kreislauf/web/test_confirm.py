"""Double opt-in: never by a look, by one click, once, and for that address only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from kreislauf.delivery.links import Links
from kreislauf.ledger.schema import consent, message, suppression
from kreislauf.ledger.store import Ledger, utc_now
from kreislauf.ledger.testing import plan_people
from kreislauf.web.confirm import VALID_FOR


@pytest.fixture
def key(ledger: Ledger) -> str:
    """The key of a German mail to ada."""
    plan_people(ledger, ["ada"], language="de")
    (sent,) = _rows(ledger, message)
    return sent.message_key


@pytest.fixture
def path(key: str, links: Links) -> str:
    return links.confirm(key).removeprefix(links.base_url)


def _rows(ledger: Ledger, table: Any) -> list[Any]:
    with ledger.read() as connection:
        return connection.execute(select(table)).all()


def test_a_look_confirms_nothing_and_shows_nothing_personal(
    client: httpx.Client, ledger: Ledger, path: str
) -> None:
    for method in ("HEAD", "OPTIONS", "GET"):
        page = client.request(method, path)
    assert '<html lang="de">' in page.text and '<form method="post">' in page.text
    assert "Ja, bestätigen" in page.text
    assert "ada" not in page.text + path
    assert _rows(ledger, consent) == []


def test_a_click_is_a_consent_with_evidence_and_counts_once(
    client: httpx.Client, ledger: Ledger, path: str, key: str
) -> None:
    for _ in range(3):
        answer = client.post(path)
        assert answer.status_code == 200
    assert "Danke" in answer.text
    (said,) = _rows(ledger, consent)
    assert (said.address, said.contact_id, said.channel) == ("ada@example.org", "ada", "email")
    assert (said.state, said.topic, said.legal_basis) == ("granted", "marketing", "consent_doi")
    assert key in said.source_key
    assert said.text_version.startswith("welcome/hello ")
    assert _rows(ledger, suppression) == []


def test_who_confirms_has_changed_their_mind_but_only_once(
    client: httpx.Client, ledger: Ledger, path: str, key: str, links: Links
) -> None:
    objection = links.unsubscribe(key).removeprefix(links.base_url)
    client.post(objection)
    client.post(path)
    (stopped,) = _rows(ledger, suppression)
    assert stopped.lifted_by == f"web confirm {key}"
    client.post(objection)
    client.post(path)  # the same link again says nothing new
    (stopped,) = _rows(ledger, suppression)
    assert stopped.lifted_at is None
    assert [row.state for row in _rows(ledger, consent)] == ["revoked", "granted", "revoked"]


def test_confirming_mail_does_not_take_back_an_objection_to_everything(
    client: httpx.Client, ledger: Ledger, path: str, key: str, links: Links
) -> None:
    client.post(links.unsubscribe(key).removeprefix(links.base_url), data={"scope": "all"})
    client.post(path)
    (stopped,) = _rows(ledger, suppression)
    assert stopped.lifted_at is None


def test_a_link_that_turns_up_later_confirms_nothing(
    client: httpx.Client, ledger: Ledger, path: str, key: str
) -> None:
    def age(by: timedelta) -> None:
        with ledger.write() as connection:
            connection.execute(update(message).values(planned_at=utc_now() - by))

    age(VALID_FOR + timedelta(seconds=1))
    for method in ("GET", "POST"):
        page = client.request(method, path)
        assert page.status_code == 410
        assert "gilt nicht mehr" in page.text and "<form" not in page.text
    assert _rows(ledger, consent) == []
    age(VALID_FOR - timedelta(minutes=1))
    assert client.post(path).status_code == 200
    assert len(_rows(ledger, consent)) == 1


def test_a_link_for_another_purpose_confirms_nothing(
    client: httpx.Client, ledger: Ledger, path: str, key: str, links: Links
) -> None:
    foreign = [
        links.unsubscribe(key).rsplit("/", 1)[1],
        links.token(key, "overlay"),
        "x" * 80,
        path[9:-1] + "!",
    ]
    for token in foreign:
        for method in ("GET", "POST"):
            assert client.request(method, f"/confirm/{token}").status_code == 404
    assert client.post(path.replace("/confirm/", "/unsubscribe/")).status_code == 404
    assert _rows(ledger, consent) == _rows(ledger, suppression) == []
