"""Accepting requests, and what a message looks like to the one who receives it.

A request's content is stored once and a message rendered when it is looked at: a thousand mails of
40 kB would otherwise be 40 MB a request.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any


def accept(db: sqlite3.Connection, payload: dict[str, Any], now: int) -> str:
    """Store a valid request: one message a recipient. Returns its X-Message-Id.

    The caller commits, so a request counts whole or not at all. `now` in seconds since 1970.
    """
    request_id = secrets.token_urlsafe(16)
    sender, reply_to = payload["from"], payload.get("reply_to") or {}
    content = {part["type"]: part["value"] for part in payload.get("content") or []}
    settings = {name: payload.get(name) or {} for name in ("asm", "tracking_settings", "mail_settings")}
    settings["attachments"] = [one["filename"] for one in payload.get("attachments") or []]
    db.execute(
        "insert into mail_request values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request_id,
            now,
            sender["email"].strip(),
            sender.get("name"),
            reply_to.get("email"),
            content.get("text/html"),
            content.get("text/plain"),
            json.dumps(settings),
            payload.get("batch_id"),
        ),
    )
    db.executemany(
        "insert into mail_message (request_id, position, address, name, subject, substitutions, headers,"
        " custom_args, categories, message_key, send_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _messages(request_id, payload, now),
    )
    return request_id


def _messages(request_id: str, payload: dict[str, Any], now: int) -> list[tuple[Any, ...]]:
    categories = json.dumps(payload.get("categories") or [])
    common_headers, common_args = payload.get("headers") or {}, payload.get("custom_args") or {}
    rows = []
    for position, one in enumerate(payload["personalizations"]):
        substitutions = one.get("substitutions") or {}
        custom_args = common_args | (one.get("custom_args") or {})
        send_at = one.get("send_at") or payload.get("send_at") or now
        shared = (
            substitute(one.get("subject") or payload["subject"], substitutions),
            json.dumps(substitutions, ensure_ascii=False),
            json.dumps(common_headers | (one.get("headers") or {}), ensure_ascii=False),
            json.dumps(custom_args, ensure_ascii=False),
            categories,
            custom_args.get("mk"),
            max(send_at, now),
        )
        for kind in ("to", "cc", "bcc"):
            for recipient in one.get(kind) or []:
                rows.append(
                    (request_id, position, recipient["email"].strip(), recipient.get("name"), *shared)
                )
    return rows


def substitute(text: str, substitutions: dict[str, str]) -> str:
    """Replace every tag by its value, plainly: nothing is escaped, as at SendGrid."""
    for tag, value in substitutions.items():
        text = text.replace(tag, value)
    return text


@dataclass(frozen=True)
class Link:
    """A link of a mail. `index` tells identical links apart, counting from 0 (the event's url_offset)."""

    url: str
    index: int


def links(html: str | None, substitutions: dict[str, str]) -> list[Link]:
    """The links of a mail in order, given the request's HTML and the message's substitutions."""
    html = html or ""
    if any("<a" in value for value in substitutions.values()):
        found = _hrefs(substitute(html, substitutions))
    else:  # the usual case: the template is parsed once for all its messages
        found = [substitute(url, substitutions) for url in _hrefs(html)]
    earlier: Counter[str] = Counter()
    listed = []
    for url in found:
        listed.append(Link(url, earlier[url]))
        earlier[url] += 1
    return listed


def unsubscribe_url(headers: dict[str, str], choice: list[Link]) -> str | None:
    """The sender's own way out: the web address in List-Unsubscribe, else a link that says so."""
    header = next((value for name, value in headers.items() if name.lower() == "list-unsubscribe"), "")
    for part in header.split(","):
        if (url := part.strip().strip("<>")).startswith("http"):
            return url
    return next((link.url for link in choice if "unsubscribe" in link.url.lower()), None)


@lru_cache(maxsize=32)
def _hrefs(html: str) -> list[str]:
    parser = _LinkParser()
    parser.feed(html)
    parser.close()
    return parser.found


class _LinkParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (url := dict(attrs).get("href")):
            self.found.append(url)
