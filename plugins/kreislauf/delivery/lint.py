"""What a mail must have before it goes out. An error stops the send; a warning is for its author.

What the other channels need is in `parts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kreislauf.delivery.fields import CONFIRM, TAG, UNSUBSCRIBE
from kreislauf.delivery.transport import From, is_local

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

    from kreislauf.delivery.templates import Rendered

CLIPPED_AT = 102 * 1024
"""Gmail cuts longer mails off, and the unsubscribe link with them."""

_LEFTOVER = re.compile(r"\{\{|\}\}|\{%|%\}|%%|lorem ipsum|\bTODO\b|\bXXX\b|\[name\]", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something wrong with a mail."""

    is_error: bool
    rule: str
    text: str


def check(rendered: Rendered, sender: From) -> list[Finding]:
    """All findings for a compiled template, errors first."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup(rendered.parts["html"], "html.parser")
    found = [
        *_subject(rendered.parts["subject"]),
        *_size(rendered.parts["html"]),
        *_required(rendered, page, sender),
        *_links(page),
        *_pictures(page),
        *leftovers(rendered),
    ]
    return sorted(found, key=lambda finding: not finding.is_error)


def _subject(subject: str) -> list[Finding]:
    visible = TAG.sub("", subject).strip()
    if not subject.strip():
        return [Finding(True, "subject", "the subject is empty")]
    if len(visible) > 120:
        return [Finding(True, "subject", f"the subject has {len(visible)} characters; 120 is the most")]
    if len(visible) > 60:
        return [Finding(False, "subject", f"the subject has {len(visible)} characters; phones show 40 to 60")]
    return []


def _size(source: str) -> list[Finding]:
    size = len(source.encode())
    if size > CLIPPED_AT:
        return [
            Finding(True, "size", f"the HTML has {size // 1024} KiB; mail programs cut it off at 102 KiB")
        ]
    if size > CLIPPED_AT * 0.88:
        return [Finding(False, "size", f"the HTML has {size // 1024} KiB, close to the 102 KiB of the cut")]
    return []


def _required(rendered: Rendered, page: BeautifulSoup, sender: From) -> list[Finding]:
    found = []
    targets = [link.get("href", "") for link in page.find_all("a")]
    if not any(_field(target) == UNSUBSCRIBE for target in targets):
        found.append(Finding(True, "unsubscribe", "it has no unsubscribe link ({{ unsubscribe_url }})"))
    if UNSUBSCRIBE not in rendered.parts["text"]:
        found.append(Finding(True, "text part", "its text part has no unsubscribe link"))
    words = " ".join(page.get_text(" ").split())
    if " ".join(sender.postal_address.split()) not in words:
        text = "it does not show the sender's postal address ({{ sender.postal_address }})"
        found.append(Finding(True, "postal address", text))
    asks_to_confirm = any(_field(target) == CONFIRM for target in targets)
    if not asks_to_confirm and not any(link.kind == "btn" for link in rendered.links):
        found.append(Finding(True, "call to action", "it has no button (mj-button)"))
    if len(TAG.sub("", rendered.parts["text"]).split()) < 10:
        found.append(Finding(True, "text part", "its text part is almost empty"))
    return found


def _links(page: BeautifulSoup) -> list[Finding]:
    found = []
    for link in page.find_all("a"):
        target = link.get("href", "").strip()
        label = " ".join(link.get_text(" ").split()) or "a picture"
        if target in {"", "#"} or target.lower().startswith("javascript:"):
            found.append(Finding(True, "links", f"the link of {label!r} leads nowhere"))
        elif target.startswith("http://") and not is_local(urlsplit(target).hostname or ""):
            found.append(Finding(True, "links", f"the link of {label!r} is http, not https"))
        elif (name := _field(target)) and not re.search(r"url(_or_\w+)?$", name):
            text = f"the link of {label!r} is merge field {name!r}; the name of a link field ends with url"
            found.append(Finding(True, "links", text))
    return found


def _pictures(page: BeautifulSoup) -> list[Finding]:
    found = []
    for picture in page.find_all("img"):
        if picture.get("alt") is None:
            found.append(Finding(True, "alt texts", "a picture has no alt text"))
        elif not picture["alt"].strip() and picture.find_parent("a"):
            found.append(Finding(True, "alt texts", "a picture that is a link has an empty alt text"))
    return found


def leftovers(rendered: Rendered) -> list[Finding]:
    """Signs of something unfinished, in any part."""
    names = {"html": "HTML", "text": "text part"}
    return [
        Finding(True, "placeholders", f"its {names.get(part, part)} contains a leftover {leftover[0]!r}")
        for part, source in rendered.parts.items()
        if (leftover := _LEFTOVER.search(TAG.sub("", source)))
    ]


def _field(target: str) -> str | None:
    tag = TAG.match(target)
    return tag[2] if tag else None
