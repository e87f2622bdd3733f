"""Link slots: every link of a mail gets a stable name, so that clicks can be counted an image."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import quote

from kreislauf.delivery.fields import OWN_LINKS, TAG, with_campaign

_LINK = re.compile(
    r"<a\b(?P<before>[^>]*?)\bhref=\"(?P<href>[^\"]*)\"(?P<after>[^>]*)>(?P<inner>.*?)</a>", re.S
)
_NAME = re.compile(r"\bname=\"([\w-]+)\"")
_ALT = re.compile(r"\balt=\"([^\"]*)\"")
_MARKUP = re.compile(r"<[^>]+>")
_ITEM = re.compile(r"^items_(\d+)_")


@dataclass(frozen=True)
class Link:
    """A counted link. `kind`: img, btn or txt. `target`: an address, or the merge field that holds it."""

    slot: str
    kind: str
    target: str
    label: str


def add_slots(source: str, flow: str, step: str) -> tuple[str, list[Link]]:
    """HTML in which each link ends with `utm_content=<step>.<slot>`, and the links.

    A slot is the link's own `name` if the template gives one, else its kind and number in reading
    order (`img02`), within an item `item1_img1`. Links to our web app, mailto and fragments are
    left alone. Merge fields used as a link become link tags (see fields).
    """
    links: list[Link] = []
    numbers: dict[str, int] = {}

    def replace(found: re.Match[str]) -> str:
        href = found["href"]
        tag = TAG.fullmatch(href)
        if (tag and tag[2] in OWN_LINKS) or not (tag or href.startswith(("http://", "https://"))):
            return found[0]
        kind = _kind(found)
        slot = _slot(found, kind, tag[2] if tag else "", numbers)
        if any(link.slot == slot for link in links):
            slot = _next(slot + "_", numbers, 1)
        target = tag[2] if tag else html.unescape(href)
        links.append(Link(slot, kind, target, _label(found["inner"])))
        content = f"&amp;utm_content={quote(f'{step}.{slot}', safe='.')}"
        address = href.replace("h_", "l_", 1) if tag else html.escape(with_campaign(target, flow))
        return f'<a{found["before"]}href="{address}{content}"{found["after"]}>{found["inner"]}</a>'

    return _LINK.sub(replace, source), links


def _kind(found: re.Match[str]) -> str:
    if "<img" in found["inner"]:
        return "img"
    return "btn" if "display:inline-block" in found["before"] + found["after"] else "txt"


def _slot(found: re.Match[str], kind: str, target: str, numbers: dict[str, int]) -> str:
    if named := _NAME.search(found["before"] + found["after"]):
        return named[1]
    if item := _ITEM.match(target):
        return _next(f"item{int(item[1]) + 1}_{kind}", numbers, 1)
    return _next(kind, numbers, 2)


def _next(prefix: str, numbers: dict[str, int], width: int) -> str:
    numbers[prefix] = numbers.get(prefix, 0) + 1
    return f"{prefix}{numbers[prefix]:0{width}d}"


def _label(inner: str) -> str:
    text = " ".join(_MARKUP.sub(" ", inner).split())
    alt = _ALT.search(inner)
    return html.unescape(text or (alt[1] if alt else ""))
