"""Merge fields: the places of a template that differ from person to person.

A template is rendered once a batch. A field stands in it as a tag, and each recipient brings the
tags' values. The provider replaces text by text, so escaping is done here, by where a tag stands:

    h  in HTML            escaped
    t  in subject, text   as it is
    l  a link in HTML     escaped, with the parameters that count the click
    r  a link in text     the same, not escaped
    u  inside of a URL    percent-encoded
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from kreislauf.delivery.greeting import greeting

NONCE = "NONCE"
"""Stands in compiled templates where each batch puts its own random word, so that no value given by
a person can contain a tag."""

TAG = re.compile(rf"%%{NONCE}([htlru])_(\w+?)%%")

UNSUBSCRIBE, CONFIRM = "unsubscribe_url", "confirm_url"
OWN_LINKS = (UNSUBSCRIBE, CONFIRM)
"""They lead to our web app, everyone has another, and they are not counted."""

STANDARD = ("greeting", "salutation", "first_name", "last_name", "language", *OWN_LINKS)
"""The fields every message has."""

_LOCALES = {"en": "en_GB"}
"""Where a language has more than one way to write a day: the brand's."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"'\\]+", re.IGNORECASE)


class TemplateError(Exception):
    """A template is wrong, for whomever it is sent to."""


class MergeError(Exception):
    """One person's values do not fit the template. The text names the field, never the value."""


@dataclass(frozen=True, eq=False)
class Field:
    """A merge field in a template. Printing it gives its tag; it has no value to branch on."""

    path: tuple[str | int, ...]
    used: dict[str, Field] = field(repr=False)
    format: str | None = None
    fallback: Field | str | None = None

    @property
    def name(self) -> str:
        parts = [str(part) for part in self.path]
        if self.format:
            parts.append(self.format)
        if self.fallback is not None:
            parts += ["or", self.fallback.name if isinstance(self.fallback, Field) else "text"]
        return "_".join(parts)

    @property
    def is_url(self) -> bool:
        return str(self.path[-1]).endswith("url")

    def __html__(self) -> str:
        return self._tag("h")

    def __str__(self) -> str:
        return self._tag("t")

    def _tag(self, place: str) -> str:
        name = self.name
        if self.used.setdefault(name, self) is not self and _differ(self.used[name], self):
            raise TemplateError(f"merge field {name!r} is used with two different fallbacks")
        return f"%%{NONCE}{place}_{name}%%"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TemplateError(
            f"a template cannot branch on or compute with merge field {self.name!r}: it is rendered once "
            "for many people; use the filters money, day or otherwise"
        )

    __bool__ = __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = _refuse
    __len__ = __iter__ = __add__ = __radd__ = __getitem__ = _refuse
    __hash__ = object.__hash__

    def text(self, merge: Mapping[str, Any], language: str) -> str:
        """One person's value, as plain text. Raises MergeError, TemplateError if there is none."""
        value = _lookup(merge, self.path)
        if value is None or value == "":
            if isinstance(self.fallback, Field):
                return self.fallback.text(merge, language)
            if self.fallback is not None:
                return self.fallback
        elif self.format:
            currency = merge.get("currency") or "EUR"
            value = FORMATS[self.format](value, language, currency, self.name)
        text = clean("" if value is None else str(value))
        # Our own link needs no look, and everyone has another.
        if self.is_url and self.name != UNSUBSCRIBE and not is_web_address(text):
            raise MergeError(f"merge field {self.name!r} is not a web address")
        return text


class Item:
    """One thing of a list, such as a product in a cart; its attributes are merge fields."""

    def __init__(self, position: int, names: frozenset[str], used: dict[str, Field]) -> None:
        self._position, self._names, self._used = position, names, used

    def __getattr__(self, name: str) -> Field:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(name)
        return Field(("items", self._position, name), self._used)


def substitutions(
    placed: Mapping[str, str],
    used: Mapping[str, Field],
    merge: Mapping[str, Any],
    language: str,
    flow: str,
    unsubscribe_url: str,
    nonce: str,
    medium: str = "email",
) -> dict[str, str]:
    """The tags of a template and one person's values.

    `placed`: a field's name and its places, as "ht". `medium`: what links tell the site they came by.
    """
    values = dict(merge)
    values["language"] = language
    values[UNSUBSCRIBE] = unsubscribe_url
    values["greeting"] = greeting(
        language, merge.get("salutation"), merge.get("first_name"), merge.get("last_name")
    )
    for name in ("salutation", "first_name", "last_name"):
        values.setdefault(name, None)
    found = {}
    for name, places in placed.items():
        text = used[name].text(values, language)
        link = with_campaign(text, flow, medium) if "l" in places or "r" in places else ""
        for place in places:
            value = link if place in "lr" else quote(text, safe="") if place == "u" else text
            found[f"%%{nonce}{place}_{name}%%"] = html.escape(value) if place in "hl" else value
    return found


def fill(source: str, values: Mapping[str, str]) -> str:
    """What a provider with merge fields does: replace tags by values."""
    for tag, value in values.items():
        source = source.replace(tag, value)
    return source


def clean(text: str) -> str:
    """Without control characters, line breaks and direction marks, and without our tags' marks."""
    text = _CONTROL.sub(" ", text).strip()
    while "%%" in text:
        text = text.replace("%%", "%")
    return text


def is_web_address(text: str) -> bool:
    try:
        return bool(_WEB_ADDRESS.fullmatch(text) and urlsplit(text).hostname)
    except ValueError:
        return False


def with_campaign(url: str, flow: str, medium: str = "email") -> str:
    """A link's address with the campaign's parameters, ready for `&utm_content=` at its end.

    A fragment is dropped: nothing can be appended behind it.
    """
    url = url.partition("#")[0]
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}utm_source=kreislauf&utm_medium={medium}&utm_campaign={quote(flow, safe='')}"


def _lookup(merge: Mapping[str, Any], path: tuple[str | int, ...]) -> Any:
    value: Any = merge
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            given = ", ".join(sorted(str(key) for key in merge))
            name = ".".join(str(part) for part in path)
            raise TemplateError(f"merge field {name!r} is not given; the message has: {given}") from None
    return value


def _differ(one: Field, other: Field) -> bool:
    return isinstance(one.fallback, str) and one.fallback != other.fallback


def _money(value: Any, language: str, currency: str, name: str) -> str:
    try:
        return _price(str(value), language, currency)
    except InvalidOperation:
        raise MergeError(f"merge field {name!r} is not an amount of money") from None


@lru_cache(maxsize=10_000)
def _price(amount: str, language: str, currency: str) -> str:
    from babel.numbers import format_currency

    return format_currency(Decimal(amount), currency, locale=language)


def _day(value: Any, language: str, _currency: str, name: str) -> str:
    from babel.dates import format_date

    try:
        moment = datetime.fromisoformat(str(value))
        return format_date(moment, format="long", locale=_LOCALES.get(language, language))
    except ValueError:
        raise MergeError(f"merge field {name!r} is not a date") from None


FORMATS = {"money": _money, "day": _day}


def formatted(given: Any, name: str) -> Field:
    """The Jinja filters `money` and `day`: written as the language writes it, in the field `currency`."""
    if not isinstance(given, Field):
        raise TemplateError(f"the filter {name!r} takes a merge field")
    return Field(given.path, given.used, name, given.fallback)


def otherwise(given: Any, fallback: Field | str) -> Field:
    """The Jinja filter `otherwise`: another field, or a text, for people without a value."""
    if not isinstance(given, Field):
        raise TemplateError("the filter 'otherwise' takes a merge field")
    return Field(given.path, given.used, given.format, fallback)
