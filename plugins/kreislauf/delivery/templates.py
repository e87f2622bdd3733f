"""Rendering: a template and what is the same for a batch give the message's parts, with merge tags.

A mail's parts are subject, html and text, compiled from MJML; the other channels' are named in their
YAML file. How templates are written is told in `source`.
"""

from __future__ import annotations

import hashlib
import html
import re
import secrets
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from kreislauf.delivery import lint, parts, source
from kreislauf.delivery.fields import (
    NONCE,
    STANDARD,
    TAG,
    UNSUBSCRIBE,
    Field,
    Item,
    MergeError,
    TemplateError,
    fill,
    formatted,
    otherwise,
    substitutions,
    with_campaign,
)
from kreislauf.delivery.lint import Finding
from kreislauf.delivery.mjml import MjmlError, compile_mjml
from kreislauf.delivery.slots import Link, add_slots
from kreislauf.delivery.source import Template
from kreislauf.delivery.transport import From
from kreislauf.ledger.schema import Channel
from kreislauf.places import INCLUDE

__all__ = ["LANGUAGES", "MergeError", "Rendered", "TemplateError", "Templates", "load"]

FOLDER = INCLUDE / "templates"
LANGUAGES = ("de", "en")

SUBSTITUTION_BYTES = 10_000
"""SendGrid's limit for the tags and values of one recipient."""

SAMPLE_PERSON = {
    "salutation": "Frau",
    "first_name": "Erika",
    "last_name": "Mustermann",
    "confirm_url": "https://web.example/confirm",
}

_MARKDOWN_LINK = re.compile(r"\[([^\]]*)\]\(<?([^)>]+)>?\)")


@dataclass(frozen=True)
class Rendered:
    """A template rendered for a batch, with tags where people differ."""

    channel: Channel
    parts: Mapping[str, str]
    version: str
    """A digest of what is sent to everyone alike."""
    links: tuple[Link, ...]
    nonce: str
    placed: Mapping[str, str] = field(repr=False)
    used: Mapping[str, Field] = field(repr=False)

    def substitutions(
        self, merge: Mapping[str, Any], flow: str, language: str, unsubscribe_url: str
    ) -> dict[str, str]:
        """Tags and values of one person. Raises MergeError if they do not fit, or are too long."""
        values = substitutions(
            self.placed, self.used, merge, language, flow, unsubscribe_url, self.nonce, self.channel.value
        )
        size = sum(len(tag.encode()) + len(value.encode()) for tag, value in values.items())
        if size > SUBSTITUTION_BYTES:
            raise MergeError(
                f"the merge fields have {size} bytes; the provider takes {SUBSTITUTION_BYTES} a message"
            )
        if self.channel is not Channel.EMAIL and (wrong := parts.misfit(self.channel, self.filled(values))):
            raise MergeError(wrong)
        return values

    def filled(self, values: Mapping[str, str]) -> dict[str, str]:
        """The parts with one person's values in place of the tags."""
        return {name: fill(part, values) for name, part in self.parts.items()}


class Templates:
    """The templates of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._compiled: dict[tuple[Any, ...], Rendered] = {}

    def names(self) -> list[str]:
        """Names of all templates, such as `welcome/hello`."""
        return source.names(self.folder)

    def load(self, name: str, language: str) -> Template:
        """The source of a template. Raises TemplateError if it is missing or its form is wrong."""
        return source.read(self.folder, name, language)

    def render(
        self,
        name: str,
        language: str,
        item_count: int,
        sender: From,
        web_url: str,
        flow: str,
        step: str,
        variant: str = "",
    ) -> Rendered:
        """A template for one batch, with a random nonce of its own. `web_url`: our web app's address.

        `variant` chooses among a mail's `subjects`; one that they do not name gets the `subject`.
        Raises TemplateError, also if the check before sending finds an error.
        """
        key = (name, language, item_count, sender, web_url, flow, step, variant)
        if key not in self._compiled:
            compiled = self._compile(*key)
            if found := [finding.text for finding in _check(compiled, sender) if finding.is_error]:
                raise TemplateError(f"{self.load(name, language).file}: " + "; ".join(found))
            self._compiled[key] = compiled
        compiled = self._compiled[key]
        nonce = secrets.token_hex(3)
        sealed = {part: text.replace(f"%%{NONCE}", f"%%{nonce}") for part, text in compiled.parts.items()}
        return replace(compiled, parts=sealed, nonce=nonce)

    def check(self, name: str, language: str, sender: From) -> list[Finding]:
        """What is wrong with a template, with as many items as its sample has. Raises TemplateError if
        it cannot be rendered at all."""
        template = self.load(name, language)
        items = len(template.sample.get("items", ()))
        flow, step = name.split("/", 1)
        found = []
        for variant in ("", *template.subjects):
            compiled = self._compile(
                name, language, items, sender, "https://web.example", flow, step, variant
            )
            found += [finding for finding in _check(compiled, sender) if finding not in found]
        return found

    def preview(self, name: str, language: str, sender: From, variant: str = "") -> dict[str, str]:
        """The parts for the template's own sample: for people to look at, and checks."""
        sample = SAMPLE_PERSON | dict(self.load(name, language).sample)
        items = len(sample.get("items", ()))
        flow, step = name.split("/", 1)
        rendered = self.render(name, language, items, sender, "https://web.example", flow, step, variant)
        values = rendered.substitutions(sample, "preview", language, "https://web.example/unsubscribe")
        return rendered.filled(values)

    def _compile(
        self,
        name: str,
        language: str,
        item_count: int,
        sender: From,
        web_url: str,
        flow: str,
        step: str,
        variant: str,
    ) -> Rendered:
        template = self.load(name, language)
        used: dict[str, Field] = {}
        context = _context(template, item_count, sender, used)
        context["no_picture_url"] = f"{web_url}/no-picture.png"
        if template.channel is Channel.EMAIL:
            made, links = self._mail(template, context, flow, step, variant)
        else:
            made, links = self._other(template, context, flow, step)
        placed: dict[str, str] = {}
        for place, field_name in sorted(set(TAG.findall("\0".join(made.values())))):
            placed[field_name] = placed.get(field_name, "") + place
        digest = hashlib.sha256("\0".join(made.values()).encode()).hexdigest()[:16]
        return Rendered(template.channel, made, digest, tuple(links), NONCE, placed, used)

    def _mail(
        self, template: Template, context: dict[str, Any], flow: str, step: str, variant: str
    ) -> tuple[dict[str, str], list[Link]]:
        line = template.subjects.get(variant) or template.parts["subject"]
        subject = _as_text(" ".join(self._jinja(template, line, context).split()))
        context["preheader"] = self._jinja(template, template.parts["preheader"], context)
        mjml = self._jinja(template, template.body, context)
        try:
            page, links = add_slots(compile_mjml(mjml), flow, step)
        except MjmlError as error:
            raise TemplateError(f"{template.file}: {error}") from error
        return {"subject": subject, "html": page, "text": _text(page)}, links

    def _other(
        self, template: Template, context: dict[str, Any], flow: str, step: str
    ) -> tuple[dict[str, str], list[Link]]:
        made, links = {}, []
        medium = template.channel.value
        for name, written in template.parts.items():
            part = parts.part_of(template.channel, name)
            text = str(self._jinja(template, written, context, is_html=False)).strip()
            if part and part.kind in {"url", "picture"} and not TAG.fullmatch(text):
                text = TAG.sub(rf"%%{NONCE}u_\2%%", text)
            if part and part.kind == "url" and text:
                tag = TAG.fullmatch(text)
                label = str(template.parts.get("button") or template.parts.get("title") or "")
                links.append(Link(name, "btn", tag[2] if tag else text, label))
                link = text.replace("t_", "r_", 1) if tag else with_campaign(text, flow, medium)
                text = f"{link}&utm_content={step}.{name}"
            made[name] = _with_links(text) if template.channel is Channel.SMS else text
        return made, links

    def _jinja(
        self, template: Template, written: str, context: Mapping[str, Any], is_html: bool = True
    ) -> Any:
        import jinja2
        from markupsafe import Markup

        try:
            found = _environment(self.folder, is_html).from_string(written).render(context)
            return Markup(found) if is_html else found  # ruff: ignore[unsafe-markup-use] escaping was on
        except jinja2.TemplateError as error:
            known = ", ".join(sorted(context))
            raise TemplateError(
                f"{_place(template, written, error)}: {error.message} (it may use: {known})"
            ) from error


@cache
def _environment(folder: Path, is_html: bool) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=is_html,  # ruff: ignore[jinja2-autoescape-false] without it tags stand for plain text
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = lambda given: formatted(given, "money")
    environment.filters["day"] = lambda given: formatted(given, "day")
    environment.filters["otherwise"] = otherwise
    return environment


def load(name: str, language: str) -> Template:
    """The source of one of the project's own templates."""
    return Templates().load(name, language)


def _check(compiled: Rendered, sender: From) -> list[Finding]:
    return lint.check(compiled, sender) if compiled.channel is Channel.EMAIL else parts.check(compiled)


def _context(template: Template, item_count: int, sender: From, used: dict[str, Field]) -> dict[str, Any]:
    names = [*STANDARD, *(name for name in template.sample if name != "items")]
    context: dict[str, Any] = {name: Field((name,), used) for name in names}
    context["language"] = template.language
    context["sender"] = sender
    if items := template.sample.get("items"):
        columns = frozenset(items[0])
        context["items"] = [Item(position, columns, used) for position in range(item_count)]
    return context


def _place(template: Template, written: str, error: Exception) -> str:
    """File and line of a mistake: in the template itself, or in a layout it uses."""
    file, line = None, getattr(error, "lineno", None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == "<template>" or frame.filename.endswith(".mjml"):
            file, line = frame.filename, frame.lineno
    if file and file.endswith(".mjml"):
        return f"{Path(file).name}:{line}, used by {template.file}"
    if line is None or written != template.body:
        return template.file
    return f"{template.file}:{line + template.header_lines}"


def _text(page: str) -> str:
    """The text part: links written out behind their words, pictures left out."""
    import html2text

    maker = html2text.HTML2Text(bodywidth=0)
    maker.ignore_images = True
    maker.ignore_emphasis = True
    maker.ignore_tables = True
    text = _MARKDOWN_LINK.sub(_written_out, maker.handle(page))
    lines = [line.strip() for line in text.splitlines()]
    return _with_text_tags(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()) + "\n"


def _written_out(link: re.Match[str]) -> str:
    words, target = link[1].strip(), link[2]
    return f"{words}: {target}" if words else ""


def _as_text(escaped: str) -> str:
    """Escaped HTML as plain text."""
    return _with_text_tags(html.unescape(escaped))


def _with_text_tags(text: str) -> str:
    """With the tags of plain text in place of the tags of HTML."""
    return text.replace(f"%%{NONCE}h_", f"%%{NONCE}t_").replace(f"%%{NONCE}l_", f"%%{NONCE}r_")


def _with_links(text: str) -> str:
    """With web addresses in a text as links that tell what they came by."""

    def link(tag: re.Match[str]) -> str:
        is_link = tag[2].endswith("url") and tag[2] != UNSUBSCRIBE
        return f"%%{NONCE}r_{tag[2]}%%" if is_link else tag[0]

    return TAG.sub(link, text)
