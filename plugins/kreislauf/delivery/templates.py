"""Templates: include/templates/<flow>/<step>.<language>.mjml, compiled to subject, HTML and text.

A file begins with a header between two lines `---`, in YAML:

    subject: "…"        Jinja, plain text
    preheader: "…"      Jinja, the line mail programs show beside the subject
    sample: {…}         the merge fields it uses with an example of each, for previews and checks

and goes on in MJML with Jinja. The names of a template are its path without language and suffix.
"""

from __future__ import annotations

import hashlib
import html
import re
import secrets
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kreislauf.delivery.fields import (
    NONCE,
    STANDARD,
    TAG,
    Field,
    Item,
    MergeError,
    TemplateError,
    formatted,
    otherwise,
    substitutions,
)
from kreislauf.delivery.lint import Finding, check
from kreislauf.delivery.mjml import MjmlError, compile_mjml
from kreislauf.delivery.slots import Link, add_slots
from kreislauf.delivery.transport import From

__all__ = ["LANGUAGES", "MergeError", "Rendered", "TemplateError", "Templates", "load"]

FOLDER = Path(__file__).resolve().parents[3] / "include" / "templates"
LANGUAGES = ("de", "en")

SUBSTITUTION_BYTES = 10_000
"""SendGrid's limit for the tags and values of one recipient."""

SAMPLE_PERSON = {"salutation": "Frau", "first_name": "Erika", "last_name": "Mustermann"}

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.S)
_MARKDOWN_LINK = re.compile(r"\[([^\]]*)\]\(<?([^)>]+)>?\)")


@dataclass(frozen=True)
class Template:
    """A template's source. `sample` declares the merge fields."""

    name: str
    language: str
    subject: str
    preheader: str
    sample: Mapping[str, Any]
    body: str
    header_lines: int

    @property
    def file(self) -> str:
        return f"{self.name}.{self.language}.mjml"


@dataclass(frozen=True)
class Rendered:
    """A template rendered for a batch, with tags where people differ."""

    subject: str
    html: str
    text: str
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
        values = substitutions(self.placed, self.used, merge, language, flow, unsubscribe_url, self.nonce)
        size = sum(len(tag.encode()) + len(value.encode()) for tag, value in values.items())
        if size > SUBSTITUTION_BYTES:
            raise MergeError(
                f"the merge fields have {size} bytes; the provider takes {SUBSTITUTION_BYTES} a message"
            )
        return values


class Templates:
    """The templates of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._compiled: dict[tuple[Any, ...], Rendered] = {}

    def names(self) -> list[str]:
        """Names of all templates, such as `welcome/hello`."""
        paths = self.folder.glob("*/*.mjml")
        names = {f"{path.parent.name}/{path.name.split('.')[0]}" for path in paths}
        return sorted(name for name in names if "/_" not in name)

    def load(self, name: str, language: str) -> Template:
        """The source of a template. Raises TemplateError if it is missing or its header is wrong."""
        import yaml

        path = self.folder / f"{name}.{language}.mjml"
        if not path.is_file():
            known = ", ".join(self.names()) or "none"
            raise TemplateError(f"template {name}.{language}.mjml does not exist; there are: {known}")
        found = _FRONT_MATTER.match(path.read_text(encoding="utf-8"))
        if not found:
            raise TemplateError(f"{name}.{language}.mjml must begin with a header between two lines '---'")
        try:
            header = yaml.safe_load(found[1]) or {}
        except yaml.YAMLError as error:
            raise TemplateError(f"{name}.{language}.mjml: its header is not YAML: {error}") from error
        missing = [key for key in ("subject", "preheader") if not header.get(key)]
        unknown = sorted(set(header) - {"subject", "preheader", "sample"})
        if missing or unknown:
            wrong = f"lacks {missing[0]!r}" if missing else f"has an unknown entry {unknown[0]!r}"
            raise TemplateError(f"{name}.{language}.mjml: its header {wrong}")
        sample = header.get("sample") or {}
        return Template(
            name, language, header["subject"], header["preheader"], sample, found[2], found[1].count("\n") + 3
        )

    def render(
        self, name: str, language: str, item_count: int, sender: From, web_url: str, flow: str, step: str
    ) -> Rendered:
        """A template for one batch, with a random nonce of its own. `web_url`: our web app's address.

        Raises TemplateError, also if the check before sending (lint) finds an error.
        """
        key = (name, language, item_count, sender, web_url, flow, step)
        if key not in self._compiled:
            compiled = self._compile(*key)
            if found := [finding.text for finding in check(compiled, sender) if finding.is_error]:
                raise TemplateError(f"{name}.{language}.mjml: " + "; ".join(found))
            self._compiled[key] = compiled
        compiled = self._compiled[key]
        nonce = secrets.token_hex(3)

        def sealed(source: str) -> str:
            return source.replace(f"%%{NONCE}", f"%%{nonce}")

        return replace(
            compiled,
            subject=sealed(compiled.subject),
            html=sealed(compiled.html),
            text=sealed(compiled.text),
            nonce=nonce,
        )

    def check(self, name: str, language: str, sender: From) -> list[Finding]:
        """What is wrong with a template, with as many items as its sample has. Raises TemplateError if
        it cannot be rendered at all."""
        items = len(self.load(name, language).sample.get("items", ()))
        compiled = self._compile(name, language, items, sender, "https://web.example", *name.split("/", 1))
        return check(compiled, sender)

    def preview(self, name: str, language: str, sender: From) -> tuple[str, str, str]:
        """Subject, HTML and text for the template's own sample: for people to look at, and checks."""
        sample = SAMPLE_PERSON | dict(self.load(name, language).sample)
        items = len(sample.get("items", ()))
        rendered = self.render(name, language, items, sender, "https://web.example", *name.split("/", 1))
        values = rendered.substitutions(sample, "preview", language, "https://web.example/unsubscribe")
        return tuple(fill(part, values) for part in (rendered.subject, rendered.html, rendered.text))

    def _compile(
        self, name: str, language: str, item_count: int, sender: From, web_url: str, flow: str, step: str
    ) -> Rendered:
        template = self.load(name, language)
        used: dict[str, Field] = {}
        context = _context(template, item_count, sender, used)
        context["no_picture_url"] = f"{web_url}/no-picture.png"
        subject = _as_text(" ".join(self._jinja(template, template.subject, context).split()))
        context["preheader"] = self._jinja(template, template.preheader, context)
        mjml = self._jinja(template, template.body, context)
        try:
            page, links = add_slots(compile_mjml(mjml), flow, step)
        except MjmlError as error:
            raise TemplateError(f"{template.file}: {error}") from error
        text = _text(page)
        placed: dict[str, str] = {}
        for place, field_name in sorted(set(TAG.findall(subject + page + text))):
            placed[field_name] = placed.get(field_name, "") + place
        digest = hashlib.sha256("\0".join((subject, page, text)).encode()).hexdigest()[:16]
        return Rendered(subject, page, text, digest, tuple(links), NONCE, placed, used)

    def _jinja(self, template: Template, source: str, context: Mapping[str, Any]) -> Any:
        import jinja2
        from markupsafe import Markup

        try:
            found = self._environment.from_string(source).render(context)
            return Markup(found)  # ruff: ignore[unsafe-markup-use] rendered with escaping on
        except jinja2.TemplateError as error:
            known = ", ".join(sorted(context))
            raise TemplateError(
                f"{_place(template, source, error)}: {error.message} (it may use: {known})"
            ) from error

    @cached_property
    def _environment(self) -> Any:
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(self.folder),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
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


def fill(source: str, values: Mapping[str, str]) -> str:
    """What the provider does: replace tags by values."""
    for tag, value in values.items():
        source = source.replace(tag, value)
    return source


def _context(template: Template, item_count: int, sender: From, used: dict[str, Field]) -> dict[str, Any]:
    names = [*STANDARD, *(name for name in template.sample if name != "items")]
    context: dict[str, Any] = {name: Field((name,), used) for name in names}
    context["language"] = template.language
    context["sender"] = sender
    if items := template.sample.get("items"):
        columns = frozenset(items[0])
        context["items"] = [Item(position, columns, used) for position in range(item_count)]
    return context


def _place(template: Template, source: str, error: Exception) -> str:
    """File and line of a mistake: in the template itself, or in a layout it uses."""
    file, line = None, getattr(error, "lineno", None)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == "<template>" or frame.filename.endswith(".mjml"):
            file, line = frame.filename, frame.lineno
    if file and file.endswith(".mjml"):
        return f"{Path(file).name}:{line}, used by {template.file}"
    if line is None or source != template.body:
        return template.file
    return f"{template.file}:{line + template.header_lines}"


def _text(source: str) -> str:
    """The text part: links written out behind their words, pictures left out."""
    import html2text

    maker = html2text.HTML2Text(bodywidth=0)
    maker.ignore_images = True
    maker.ignore_emphasis = True
    maker.ignore_tables = True
    text = _MARKDOWN_LINK.sub(_written_out, maker.handle(source))
    lines = [line.strip() for line in text.splitlines()]
    return _with_text_tags(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()) + "\n"


def _written_out(link: re.Match[str]) -> str:
    words, target = link[1].strip(), link[2]
    return f"{words}: {target}" if words else ""


def _as_text(source: str) -> str:
    """Escaped HTML as plain text."""
    return _with_text_tags(html.unescape(source))


def _with_text_tags(source: str) -> str:
    """With the tags of plain text in place of the tags of HTML."""
    return source.replace(f"%%{NONCE}h_", f"%%{NONCE}t_").replace(f"%%{NONCE}l_", f"%%{NONCE}r_")
