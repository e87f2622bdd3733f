"""MJML to HTML. The compiler checks nothing and repairs silently, so the source is checked before it."""

from __future__ import annotations

import difflib
from functools import cache
from html.parser import HTMLParser

_VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_HOLDS_TEXT = {
    "mj-text", "mj-button", "mj-raw", "mj-table", "mj-title", "mj-preview", "mj-style", "mj-navbar-link",
    "mj-social-element", "mj-accordion-title", "mj-accordion-text",
}  # fmt: skip
_GENERAL = {"css-class", "mj-class", "name"}


class MjmlError(ValueError):
    """A source that the compiler would mangle or refuse; says where, in the words of the source."""


def compile_mjml(source: str) -> str:
    """The HTML of a mail. Raises MjmlError for tags that do not match, text that would be lost, and
    elements and attributes that do not exist.
    """
    from mjml import mjml_to_html

    reader = _Reader(source)
    reader.feed(source)
    reader.close()
    reader.finish()
    return mjml_to_html(source).html


@cache
def _elements() -> dict[str, set[str] | None]:
    """Attributes by element; None where any are taken."""
    from mjml.core.registry import components, register_core_components

    register_core_components()
    known = {
        name: {*component.allowed_attrs(), *component.default_attrs()} or None
        for name, component in components.items()
    }
    return {"mjml": None, "mj-all": None, "mj-class": None} | known


class _Reader(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self._lines = source.splitlines()
        self._open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check(tag, attrs)
        if tag not in _VOID:
            self._open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()
        elif any(name == tag for name, _ in self._open):
            self._not_closed()
        else:
            self._fail(f"</{tag}> closes nothing that is open", self.getpos()[0])

    def handle_data(self, data: str) -> None:
        inside = next((name for name, _ in reversed(self._open) if name.startswith("mj")), "")
        if data.strip() and inside not in _HOLDS_TEXT:
            start = " ".join(data.split())[:40]
            raise MjmlError(f"the text {start!r} stands outside of mj-text and would be lost")

    def finish(self) -> None:
        if self._open:
            self._not_closed()

    def _check(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not tag.startswith("mj"):
            return
        line = self.getpos()[0]
        if tag not in _elements():
            self._fail(f"there is no element {tag}{_hint(tag, _elements())}", line)
        allowed = _elements()[tag]
        is_default = self._open and self._open[-1][0] == "mj-attributes"
        for name, _ in attrs:
            if allowed is not None and not is_default and name not in allowed | _GENERAL:
                self._fail(f"{tag} has no attribute {name}{_hint(name, allowed)}", line)

    def _not_closed(self) -> None:
        tag, line = self._open[-1]
        self._fail(f"<{tag}> is not closed", line)

    def _fail(self, problem: str, line: int) -> None:
        raise MjmlError(f"{problem}, at: {self._lines[line - 1].strip()[:80]}")


def _hint(name: str, known: dict[str, set[str] | None] | set[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
