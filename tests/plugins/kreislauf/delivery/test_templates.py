"""Rendering: from MJML to what is sent, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from kreislauf.delivery.fields import fill
from kreislauf.delivery.templates import MergeError, TemplateError, Templates
from kreislauf.delivery.transport import From

HEADER = '---\nsubject: "Hi {{ first_name }}"\npreheader: "Look"\nsample:\n  voucher_code: X\n---\n'
BODY = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{ greeting }}, these are some more words so that the "
    "text part is not empty.</mj-text>"
    '<mj-button href="https://x.example/">{{ voucher_code }}</mj-button>'
    '<mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ sender.postal_address }}</mj-text>'
    "</mj-column></mj-section></mj-body></mjml>"
)
PICTURE_LINK = '<mj-image src="https://x.example/i.png" href="https://x.example/" />'
URL = "https://w.example/unsubscribe/k"


@pytest.fixture
def write(tmp_path: Path):
    """Write a template `flow/step.en.mjml` and give the folder's templates."""

    def write(body: str = BODY, header: str = HEADER) -> Templates:
        path = tmp_path / "flow" / "step.en.mjml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(header + body, encoding="utf-8")
        return Templates(tmp_path)

    return write


def _render(templates: Templates, sender: From, items: int = 0):
    return templates.render("flow/step", "en", items, sender, "https://w.example", "flow", "step")


def test_a_batch_is_rendered_once_and_filled_a_person(write, sender: From) -> None:
    rendered = _render(write(), sender)
    person = {"first_name": "Ada & <Co>", "voucher_code": "A<B"}
    values = rendered.substitutions(person, "flow", "en", URL)
    assert fill(rendered.parts["subject"], values) == "Hi Ada & <Co>"
    page = fill(rendered.parts["html"], values)
    assert "A&lt;B" in page
    assert "%%" not in page
    assert f'href="{URL}"' in page
    text = fill(rendered.parts["text"], values)
    assert "A<B: https://x.example/?utm_source=kreislauf" in text
    assert f"Unsubscribe: {URL}" in text


def test_each_batch_has_its_own_tags_but_the_same_version(write, sender: From) -> None:
    templates = write()
    one, two = _render(templates, sender), _render(templates, sender)
    assert one.nonce != two.nonce
    assert one.parts["html"] != two.parts["html"]
    assert one.version == two.version


def test_a_value_cannot_inject_a_tag_of_the_batch(write, sender: From) -> None:
    rendered = _render(write(), sender)
    tag = next(
        tag for tag in rendered.substitutions({"voucher_code": "SECRET"}, "f", "en", URL) if "code" in tag
    )
    values = rendered.substitutions({"first_name": tag, "voucher_code": "SECRET"}, "f", "en", URL)
    assert "SECRET" not in fill(rendered.parts["subject"], values)


def test_values_beyond_the_providers_limit_are_refused_for_that_person(write, sender: From) -> None:
    rendered = _render(write(), sender)
    with pytest.raises(MergeError, match="10000 a message"):
        rendered.substitutions({"voucher_code": "x" * 10_001}, "f", "en", URL)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BODY.replace("{{ unsubscribe_url }}", "https://x.example/"), "no unsubscribe link"),
        (BODY.replace("{{ sender.postal_address }}", ""), "postal address"),
        (BODY.replace('<mj-button href="https://x.example/">', "<mj-text>").replace("mj-button", "mj-text"),
         "no button"),
        (BODY.replace("https://x.example/", "http://x.example/"), "is http, not https"),
        (BODY.replace("https://x.example/", "#"), "leads nowhere"),
        (BODY.replace("https://x.example/", "{{ voucher_code }}"), "ends with url"),
        (BODY.replace("some more words", "lorem ipsum"), "leftover"),
        (BODY.replace("some more words", "%%NAME%%"), "leftover"),
        (BODY.replace("<mj-text>", f"{PICTURE_LINK}<mj-text>"), "empty alt"),
        (BODY.replace("some more words", "word " * 25_000), "102 KiB"),
        (BODY.replace("mj-button", "mj-buton"), "no element mj-buton; did you mean mj-button"),
        (BODY.replace(" href=", " herf="), "mj-button has no attribute herf; did you mean href"),
        (BODY.replace("</mj-section>", ""), "<mj-section> is not closed, at: <mjml>"),
        (BODY.replace("</mj-column>", "</b></mj-column>"), "</b> closes nothing that is open"),
        (BODY.replace("</mj-column>", "Bye</mj-column>"), "'Bye' stands outside of mj-text"),
        (BODY.replace("{{ greeting }}", "\n{{ nickname }}"),
         r"step\.en\.mjml:8: 'nickname' is undefined .*voucher_code"),
        (BODY.replace("{{ greeting }}", "{% if first_name %}x{% endif %}"), "cannot branch"),
        (BODY.replace("{{ greeting }}", "\n{{ greeting"), r"step\.en\.mjml:8: "),
    ],
)  # fmt: skip
def test_a_bad_template_is_refused_with_the_reason(write, sender: From, body: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        _render(write(body), sender)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "must begin with a header"),
        ("---\nsubject: x\n---\n", "lacks 'preheader'"),
        ("---\nsubject: x\npreheader: y\nsender: z\n---\n", "unknown entry 'sender'"),
        ("---\nsubject: [\n---\n", "is not YAML"),
    ],
)
def test_a_bad_header_is_named(write, sender: From, header: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        _render(write(header=header), sender)


def test_a_mistake_in_the_layout_is_found_there(write, sender: From, tmp_path: Path) -> None:
    templates = write('{% extends "_layout.mjml" %}')
    (tmp_path / "_layout.mjml").write_text("<mjml>\n{{ nickname }}</mjml>")
    with pytest.raises(TemplateError, match=r"^_layout\.mjml:2, used by flow/step\.en\.mjml: 'nickname'"):
        _render(templates, sender)


def test_a_missing_template_lists_those_that_exist(write) -> None:
    with pytest.raises(
        TemplateError, match=r"other/step\.de\.mjml or \.yaml does not exist; there are: flow/step"
    ):
        write().load("other/step", "de")
