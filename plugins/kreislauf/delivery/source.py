"""A template as it is written: found, read, and its form checked.

A mail is `<flow>/<step>.<language>.mjml`: a header between two lines `---`, in YAML, then MJML.

    subject: "…"        Jinja, plain text
    subjects: {…}       other subjects, by the name of the step's variant; optional
    preheader: "…"      Jinja, the line mail programs show beside the subject
    sample: {…}         the merge fields it uses with an example of each, for previews and checks

All else is `<flow>/<step>.<language>.yaml`: the `channel`, its parts by name (see `parts`; a webhook's
under `payload`) in Jinja, and the `sample`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kreislauf.delivery.fields import TemplateError
from kreislauf.ledger.schema import Channel

SUFFIXES = ("mjml", "yaml")
AUDIENCE_ACTIONS = ("join", "leave")

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.S)


@dataclass(frozen=True)
class Template:
    """A template's source. `sample` declares the merge fields; `parts` of a mail: subject, preheader."""

    name: str
    language: str
    suffix: str
    channel: Channel
    parts: Mapping[str, str]
    sample: Mapping[str, Any]
    subjects: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    header_lines: int = 0

    @property
    def file(self) -> str:
        return f"{self.name}.{self.language}.{self.suffix}"


def names(folder: Path) -> list[str]:
    """Names of all templates, such as `welcome/hello`."""
    paths = [path for suffix in SUFFIXES for path in folder.glob(f"*/*.{suffix}")]
    found = {f"{path.parent.name}/{path.name.split('.')[0]}" for path in paths}
    return sorted(name for name in found if "/_" not in name)


def read(folder: Path, name: str, language: str) -> Template:
    """The source of a template. Raises TemplateError if it is missing or its form is wrong.

    `join/<audience>` and `leave/<audience>` say it all and have no file.
    """
    do, _, audience = name.partition("/")
    if do in AUDIENCE_ACTIONS:
        return Template(name, language, "yaml", Channel.AUDIENCE, {"audience": audience, "do": do}, {})
    for suffix, parse in zip(SUFFIXES, (_mail, _other), strict=True):
        path = folder / f"{name}.{language}.{suffix}"
        if path.is_file():
            return parse(name, language, path.read_text(encoding="utf-8"))
    known = ", ".join(names(folder)) or "none"
    raise TemplateError(f"template {name}.{language}.mjml or .yaml does not exist; there are: {known}")


def _mail(name: str, language: str, text: str) -> Template:
    file = f"{name}.{language}.mjml"
    found = _FRONT_MATTER.match(text)
    if not found:
        raise TemplateError(f"{file} must begin with a header between two lines '---'")
    header = _mapping(file, found[1], "its header")
    missing = [key for key in ("subject", "preheader") if not header.get(key)]
    unknown = sorted(set(header) - {"subject", "subjects", "preheader", "sample"})
    if missing or unknown:
        wrong = f"lacks {missing[0]!r}" if missing else f"has an unknown entry {unknown[0]!r}"
        raise TemplateError(f"{file}: its header {wrong}")
    subjects = header.get("subjects") or {}
    if not isinstance(subjects, dict) or not all(isinstance(one, str) and one for one in subjects.values()):
        raise TemplateError(f"{file}: subjects has a subject for each variant's name")
    parts = {key: str(header[key]) for key in ("subject", "preheader")}
    sample = header.get("sample") or {}
    lines = found[1].count("\n") + 3
    return Template(name, language, "mjml", Channel.EMAIL, parts, sample, subjects, found[2], lines)


def _other(name: str, language: str, text: str) -> Template:
    file = f"{name}.{language}.yaml"
    given = _mapping(file, text, "it")
    channel, sample = given.pop("channel", None), given.pop("sample", None) or {}
    known = [one.value for one in Channel if one is not Channel.EMAIL]
    if channel not in known:
        raise TemplateError(f"{file}: channel is {channel!r}; it is one of {', '.join(known)}")
    if channel == Channel.WEBHOOK:
        unknown = sorted(set(given) - {"payload"})
        if unknown or not isinstance(given.get("payload"), dict):
            raise TemplateError(f"{file}: a webhook has a mapping 'payload' and nothing else beside sample")
        given = given["payload"]
    parts = {str(key): _text(file, str(key), value) for key, value in given.items()}
    return Template(name, language, "yaml", Channel(channel), parts, sample)


def _text(file: str, name: str, value: Any) -> str:
    """A part as text: a list is one line an entry, true and false as YAML writes them."""
    if isinstance(value, list):
        return "\n".join(_text(file, name, one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, dict):
        raise TemplateError(f"{file}: {name} is a text, a number, true or false, or a list of them")
    return str(value).strip()


def _mapping(file: str, text: str, what: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise TemplateError(f"{file}: {what} is not YAML: {error}") from error
    if not isinstance(found, dict):
        raise TemplateError(f"{file}: {what} is not a mapping of names")
    return found
