"""What a message of each channel is made of, apart from mail's: its parts, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kreislauf.delivery.fields import TAG
from kreislauf.delivery.lint import Finding, leftovers
from kreislauf.delivery.segments import segments
from kreislauf.delivery.source import AUDIENCE_ACTIONS
from kreislauf.delivery.transport import is_local
from kreislauf.ledger.schema import Channel

if TYPE_CHECKING:
    from kreislauf.delivery.templates import Rendered

SEGMENTS_WARN, SEGMENTS_MOST = 2, 6
DUE_IN = re.compile(r"([1-9]\d{0,2}) (hour|day|week)s?")
"""When a task is due, from now on."""

PERSONAL = frozenset({"greeting", "salutation", "first_name", "last_name"})
"""Fields that an overlay must not show: a visitor's id is no login."""

_TOPIC = re.compile(r"[\w-]*", re.ASCII)
_NOT_A_TOPIC = "has other characters than letters, digits, - and _"
_NUMBER = re.compile(r"\d{1,4}")
_LINK_FIELD = re.compile(r"url(_or_\w+)?$")


@dataclass(frozen=True)
class Part:
    """One part of a channel's message.

    :param kind: text; url (a link, gets the campaign's parameters); picture (a URL as it is); number,
        flag and lines (a list) as YAML has them
    :param longest: most characters, when a person's values are in place
    :param words: if given, the part is one of these
    """

    kind: str = "text"
    is_required: bool = False
    longest: int = 2_000
    words: tuple[str, ...] = ()


PARTS: Mapping[Channel, Mapping[str, Part]] = {
    Channel.SMS: {"text": Part(is_required=True, longest=1_600)},
    Channel.PUSH: {
        "title": Part(is_required=True, longest=100),
        "body": Part(is_required=True, longest=300),
        "url": Part("url", is_required=True),
        "image": Part("picture"),
        "tag": Part(longest=32),
    },
    Channel.CRM: {
        "kind": Part(is_required=True, words=("task", "note", "field")),
        "subject": Part(longest=250),
        "body": Part(longest=10_000),
        "due_in": Part(longest=16),
        "priority": Part(words=("low", "medium", "high")),
        "owner": Part(longest=250),
        "field": Part(longest=100),
        "value": Part(),
    },
    Channel.ONSITE: {
        "kind": Part(is_required=True, words=("survey", "newsletter", "content")),
        "headline": Part(is_required=True, longest=120),
        "text": Part(is_required=True, longest=1_000),
        "button": Part(is_required=True, longest=40),
        "url": Part("url"),
        "question": Part(longest=250),
        "answers": Part("lines", longest=1_000),
        "delay_seconds": Part("number"),
        "exit_intent": Part("flag"),
    },
    Channel.AUDIENCE: {
        "audience": Part(is_required=True, longest=64),
        "do": Part(is_required=True, words=AUDIENCE_ACTIONS),
    },
}
"""By channel. A webhook's payload is the author's own: any names, all of them text."""

_PAYLOAD = Part(longest=10_000)


def part_of(channel: Channel, name: str) -> Part | None:
    """The part with this name; None if the channel has none."""
    return _PAYLOAD if channel is Channel.WEBHOOK else PARTS[channel].get(name)


def check(rendered: Rendered) -> list[Finding]:
    """All findings for a rendered template, errors first."""
    channel, parts = rendered.channel, rendered.parts
    found = [*leftovers(rendered)]
    if channel is not Channel.WEBHOOK:
        found += [
            Finding(True, "parts", f"it lacks {name!r}")
            for name, part in PARTS[channel].items()
            if part.is_required and not parts.get(name, "").strip()
        ]
    elif not parts:
        found.append(Finding(True, "parts", "its payload is empty"))
    for name, source in parts.items():
        part = part_of(channel, name)
        if part is None:
            text = f"{channel} has no part {name!r}; it has {', '.join(PARTS[channel])}"
            found.append(Finding(True, "parts", text))
        elif problem := _problem(part, source):
            found.append(Finding(True, "parts", f"its {name} {problem}"))
    found += _of_channel(channel, parts)
    return sorted(found, key=lambda finding: not finding.is_error)


def misfit(channel: Channel, parts: Mapping[str, str]) -> str | None:
    """What is wrong with one person's parts, values in place; never repeats a value."""
    for name, text in parts.items():
        part = part_of(channel, name)
        if part is None:
            continue
        if part.is_required and not text.strip():
            return f"its {name} is empty"
        if len(text) > part.longest:
            return f"its {name} has {len(text)} characters; {part.longest} is the most"
    if channel is Channel.PUSH and not _TOPIC.fullmatch(parts.get("tag", "")):
        return f"its tag {_NOT_A_TOPIC}"
    return None


def _problem(part: Part, source: str) -> str | None:
    """What is wrong with one part, for whomever it is."""
    has_field, plain = bool(TAG.search(source)), TAG.sub("", source)
    if part.words and source not in part.words:
        return f"is {source!r}; it is one of {', '.join(part.words)}"
    if len(plain) > part.longest:
        return f"has {len(plain)} characters; {part.longest} is the most"
    if part.kind == "number" and not _NUMBER.fullmatch(source):
        return f"is {source!r}; it is a whole number of at most four digits"
    if part.kind == "flag" and source not in {"true", "false"}:
        return f"is {source!r}; it is true or false"
    if part.kind in {"url", "picture"} and source:
        return _link_problem(source, has_field)
    return None


def _link_problem(source: str, has_field: bool) -> str | None:
    if tag := TAG.match(source):
        return None if _LINK_FIELD.search(tag[2]) else f"is merge field {tag[2]!r}; its name ends with url"
    try:
        target = urlsplit(TAG.sub("x", source))
    except ValueError:
        return "is not a web address"
    if target.scheme not in {"http", "https"} or not target.hostname:
        return "is not a web address"
    if has_field and TAG.search(source.split("/", 3)[2]):
        return "has a merge field in its host"
    if target.scheme == "http" and not is_local(target.hostname):
        return "is http, not https"
    return None


def _of_channel(channel: Channel, parts: Mapping[str, str]) -> list[Finding]:
    if channel is Channel.SMS:
        return _sms(TAG.sub("", parts.get("text", "")))
    if channel is Channel.CRM:
        return _crm(parts)
    if channel is Channel.ONSITE:
        personal = {tag[1] for text in parts.values() for tag in TAG.findall(text)} & PERSONAL
        if personal:
            text = f"anybody at that screen would read {', '.join(sorted(personal))}"
            return [Finding(True, "personal", text)]
        needed = ("question",) if parts.get("kind") == "survey" else ()
        needed += ("url",) if parts.get("kind") == "content" else ()
        return _missing(parts, needed)
    if channel is Channel.PUSH and not _TOPIC.fullmatch(TAG.sub("", parts.get("tag", ""))):
        return [Finding(True, "parts", f"its tag {_NOT_A_TOPIC}")]
    return []


def _sms(text: str) -> list[Finding]:
    found, counted = [], segments(text)
    if "STOP" not in text:
        problem = "it does not say how to end these texts, such as: reply STOP"
        found.append(Finding(True, "opt-out", problem))
    size = f"the text is {counted.count} messages ({counted.encoding})"
    if counted.count > SEGMENTS_MOST:
        found.append(Finding(True, "segments", f"{size}; {SEGMENTS_MOST} is the most"))
    elif counted.count > SEGMENTS_WARN:
        found.append(Finding(False, "segments", f"{size}, without merge fields"))
    if counted.foreign:
        listed = " ".join(counted.foreign[:5])
        found.append(Finding(False, "alphabet", f"these characters more than halve what fits: {listed}"))
    return found


def _crm(parts: Mapping[str, str]) -> list[Finding]:
    needed = {"task": ("subject", "body"), "note": ("body",), "field": ("field", "value")}
    found = _missing(parts, needed.get(parts.get("kind", ""), ()))
    if (due_in := parts.get("due_in")) and not DUE_IN.fullmatch(due_in):
        found.append(Finding(True, "parts", f"its due_in is {due_in!r}; such as: 4 hours, 2 days, 1 week"))
    return found


def _missing(parts: Mapping[str, str], needed: tuple[str, ...]) -> list[Finding]:
    kind = parts.get("kind")
    return [Finding(True, "parts", f"a {kind} needs {name!r}") for name in needed if not parts.get(name)]
