"""Every template in include/templates renders, in every language, clean of findings."""

from __future__ import annotations

import re
from functools import cache

import pytest
from bs4 import BeautifulSoup

from kreislauf.delivery import lint
from kreislauf.delivery.source import SUFFIXES
from kreislauf.delivery.templates import FOLDER, LANGUAGES, TemplateError, Templates
from kreislauf.delivery.transport import From

SENDER = From("hello@shop.example", "Sandbox Shop", "Musterweg 1, 10115 Berlin", "https://shop.example")
TEMPLATES = Templates()
ALL = [(name, language) for name in TEMPLATES.names() for language in LANGUAGES]


@cache
def problems(name: str, language: str) -> list[str]:
    try:
        return [f"{name}.{language}: {found.text}" for found in TEMPLATES.check(name, language, SENDER)]
    except TemplateError as error:
        return [str(error)]


# What is broken is reported once, by the test for it.
CLEAN = [(name, language) for name, language in ALL if not problems(name, language)]
MAILS = [one for one in CLEAN if TEMPLATES.load(*one).suffix == "mjml"]


def test_there_are_templates() -> None:
    assert {"welcome/hello", "welcome/voucher", "abandoned_cart/reminder"} <= set(TEMPLATES.names())


@pytest.mark.parametrize(("name", "language"), ALL)
def test_it_is_clean(name: str, language: str) -> None:
    if found := problems(name, language):
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(("name", "language"), CLEAN)
def test_its_sample_fills_every_place(name: str, language: str) -> None:
    assert "%%" not in "".join(TEMPLATES.preview(name, language, SENDER).values())


@pytest.mark.parametrize(("name", "language"), MAILS)
def test_a_mail_greets_in_its_language(name: str, language: str) -> None:
    page = TEMPLATES.preview(name, language, SENDER)["html"]
    assert ("Mustermann" if language == "de" else "Erika") in page
    assert BeautifulSoup(page, "html.parser").find("html")["lang"] == language


@pytest.mark.parametrize(("name", "language"), MAILS)
def test_it_fetches_nothing_from_strangers(name: str, language: str) -> None:
    """No fonts, pixels or icons from other companies' servers."""
    page = TEMPLATES.preview(name, language, SENDER)["html"]
    fetched = re.findall(r"(?:src|url\()\s*=?\s*[\"']?(https?://[^\"')\s]+)", page)
    fetched += [link["href"] for link in BeautifulSoup(page, "html.parser").find_all("link")]
    assert [
        url for url in fetched if not url.startswith(("https://shop.example/", "https://web.example/"))
    ] == []
    assert "@import" not in page


@pytest.mark.parametrize("name", TEMPLATES.names())
def test_the_languages_use_the_same_fields(name: str) -> None:
    loaded = [TEMPLATES.load(name, language) for language in LANGUAGES]
    assert set(loaded[0].sample) == set(loaded[1].sample)
    assert loaded[0].channel == loaded[1].channel
    assert set(loaded[0].parts) | set(loaded[0].subjects) == set(loaded[1].parts) | set(loaded[1].subjects)


@pytest.mark.parametrize("count", [1, 5, 12])
def test_a_cart_of_any_size_fits(count: int) -> None:
    sample = dict(TEMPLATES.load("abandoned_cart/reminder", "de").sample)
    sample["items"] = [sample["items"][0]] * count
    rendered = TEMPLATES.render(
        "abandoned_cart/reminder", "de", count, SENDER, "https://web.example", "cart", "reminder"
    )
    values = rendered.substitutions(sample, "cart", "de", "https://web.example/unsubscribe/x")
    assert sum("title" in tag for tag in values) == 2 * count
    assert len(rendered.parts["html"]) < lint.CLIPPED_AT


def test_every_file_belongs_to_a_template() -> None:
    suffixes = tuple(f".{language}.{suffix}" for language in LANGUAGES for suffix in SUFFIXES)
    strays = [
        path.name
        for path in FOLDER.rglob("*")
        if path.is_file() and not path.name.startswith("_") and not path.name.endswith(suffixes)
    ]
    assert strays == []
