"""Signed links."""

from __future__ import annotations

import pytest

from kreislauf.delivery.links import Links

KEY = "0123456789abcdef" * 2


def test_a_token_leads_back_to_its_message() -> None:
    links = Links("https://w.example/", "a secret of enough length")
    url = links.unsubscribe(KEY)
    assert url.startswith("https://w.example/unsubscribe/")
    assert links.message_key(url.rpartition("/")[2]) == KEY


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1] + "x", lambda t: "f" + t[1:], lambda t: t[:32], lambda t: ""]
)
def test_a_spoilt_token_leads_nowhere(spoil) -> None:
    links = Links("https://w.example", "a secret of enough length")
    assert links.message_key(spoil(links.token(KEY))) is None


def test_another_secret_signs_differently() -> None:
    token = Links("https://w.example", "a secret of enough length").token(KEY)
    assert Links("https://w.example", "another secret, also long").message_key(token) is None


@pytest.mark.parametrize(
    ("url", "secret"), [("w.example", "a secret of enough length"), ("https://w.example", "short")]
)
def test_an_incomplete_connection_is_named(url: str, secret: str) -> None:
    with pytest.raises(ValueError, match="connection 'web'"):
        Links(url, secret)
