"""Addressing people: rightly or neutrally."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kreislauf.delivery.greeting import greeting


@pytest.mark.parametrize(
    ("language", "salutation", "first", "last", "expected"),
    [
        ("de", "Frau", "Elif", "Yılmaz", "Liebe Frau Yılmaz"),
        ("de", "Herr", None, "von Ebner-Eschenbach", "Lieber Herr von Ebner-Eschenbach"),
        ("de", None, "Kim", "Berger", "Guten Tag Kim Berger"),
        ("de", None, "Kim", None, "Guten Tag"),  # a first name alone is too familiar
        ("de", "Frau", "Elif", None, "Guten Tag"),
        ("de", "Dr.", "Elif", "Yılmaz", "Guten Tag Elif Yılmaz"),
        ("en", "Frau", "Ada", "Lovelace", "Hello Ada"),
        ("en", None, "ADA", None, "Hello Ada"),
        ("en", None, "d'artagnan", None, "Hello D'Artagnan"),
        ("en", None, None, "Lovelace", "Hello"),
        ("en", None, "test", None, "Hello"),
        ("en", None, "ada@example.org", None, "Hello"),
        ("en", None, "Ada1", None, "Hello"),
        ("en", None, "<b>Ada</b>", None, "Hello"),
        ("en", None, "WIN $$$ NOW", None, "Hello"),
        ("fr", None, "Ada", None, "Hello Ada"),
    ],
)
def test_greeting(
    language: str, salutation: str | None, first: str | None, last: str | None, expected: str
) -> None:
    assert greeting(language, salutation, first, last) == expected


@given(*[st.none() | st.text(max_size=80)] * 3)
def test_whatever_is_given_it_stays_a_greeting(
    salutation: str | None, first: str | None, last: str | None
) -> None:
    for language in ("de", "en"):
        line = greeting(language, salutation, first, last)
        assert line.startswith(("Liebe", "Guten Tag", "Hello"))
        assert not set(line) & set("<>&%@{}\n\r\t0123456789")
        assert line == line.strip()
