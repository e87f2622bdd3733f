"""Merge fields: escaping by place, and values that mean harm."""

from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kreislauf.delivery.fields import (
    Field,
    MergeError,
    TemplateError,
    clean,
    formatted,
    is_web_address,
    otherwise,
    substitutions,
)


def _values(
    *fields: Field, places: str = "htlr", merge: dict[str, Any], language: str = "de"
) -> dict[str, str]:
    placed = {field.name: places for field in fields}
    used = {field.name: field for field in fields}
    return substitutions(placed, used, merge, language, "flow_cart", "https://w.example/u", "n0nce")


@given(st.text())
def test_no_value_can_hold_a_tag_or_break_a_line(text: str) -> None:
    title = Field(("title",), {})
    found = _values(title, places="ht", merge={"title": text})
    raw, escaped = found["%%n0ncet_title%%"], found["%%n0nceh_title%%"]
    assert "%%" not in raw
    assert not set(raw) & set("\r\n\t\0\x85\u2028\u202e")
    assert not set(escaped) & set("<>\"'")
    assert html.unescape(escaped) == raw


def test_a_link_carries_the_campaign_and_can_be_continued() -> None:
    url = Field(("url",), {})
    found = _values(url, merge={"url": "https://x.example/p?a=1&b=2#reviews"})
    campaign = "utm_source=kreislauf&utm_medium=email&utm_campaign=flow_cart"
    assert found["%%n0ncer_url%%"] == f"https://x.example/p?a=1&b=2&{campaign}"
    assert found["%%n0ncel_url%%"] == html.escape(found["%%n0ncer_url%%"])
    assert found["%%n0nceh_url%%"] == "https://x.example/p?a=1&amp;b=2#reviews"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//x.example",
        "x.example",
        "",
        "https://",
        'https://x"y',
        None,
    ],
)
def test_what_is_no_web_address_is_no_link(address: str | None) -> None:
    url = Field(("cart_url",), {})
    with pytest.raises(MergeError, match="'cart_url' is not a web address") as caught:
        _values(url, merge={"cart_url": address})
    assert not address or address not in str(caught.value).replace("'cart_url' is not a web address", "")


@given(st.text())
def test_web_addresses_are_never_dangerous(text: str) -> None:
    if is_web_address(text):
        assert text.lower().startswith(("http://", "https://"))
        assert not set(text) & set("<>\"' \n")


def test_an_empty_value_takes_the_fallback() -> None:
    used: dict[str, Field] = {}
    cart = Field(("url",), used)
    item = otherwise(Field(("items", 0, "url"), used), cart)
    picture = otherwise(Field(("items", 0, "image_url"), used), "https://w.example/none.png")
    merge = {"url": "https://x.example/cart", "items": [{"url": None, "image_url": ""}]}
    found = _values(item, picture, places="h", merge=merge)
    assert set(found.values()) == {"https://x.example/cart", "https://w.example/none.png"}


@pytest.mark.parametrize(
    ("language", "currency", "expected"),
    [("de", "EUR", "1.234,50\xa0€"), ("en", "EUR", "€1,234.50"), ("de", "CHF", "1.234,50\xa0CHF")],
)
def test_money_is_written_as_the_language_writes_it(language: str, currency: str, expected: str) -> None:
    total = formatted(Field(("total",), {}), "money")
    found = _values(total, places="t", merge={"total": "1234.50", "currency": currency}, language=language)
    assert list(found.values()) == [expected]


def test_a_day_is_written_out() -> None:
    day = formatted(Field(("until",), {}), "day")
    assert list(_values(day, places="t", merge={"until": "2026-12-01T10:00:00Z"}).values()) == [
        "1. Dezember 2026"
    ]


@pytest.mark.parametrize(("format", "value"), [("money", "free"), ("day", "soon")])
def test_a_value_that_cannot_be_formatted_is_named_not_shown(format: str, value: str) -> None:
    field = formatted(Field(("x",), {}), format)
    with pytest.raises(MergeError, match="'x_") as caught:
        _values(field, places="t", merge={"x": value})
    assert value not in str(caught.value)


def test_a_field_that_is_not_given_at_all_is_the_templates_fault() -> None:
    with pytest.raises(TemplateError, match=r"'voucher_code' is not given; the message has: .*title"):
        _values(Field(("voucher_code",), {}), merge={"title": "x"})


def test_a_template_cannot_branch_on_a_field() -> None:
    field = Field(("first_name",), {})
    for attempt in (bool, len, list, lambda f: f == "x", lambda f: f > 1, lambda f: f + "x"):
        with pytest.raises(TemplateError, match="first_name"):
            attempt(field)


def test_clean_leaves_ordinary_text_alone() -> None:
    assert clean("Größe 42 – 100 % Wolle") == "Größe 42 – 100 % Wolle"
    assert clean("a%%%%b\r\nc") == "a%b c"
