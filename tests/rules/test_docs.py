"""README and docs name what there is: files, headings, tables, DAGs, commands."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from kreislauf.delivery.webhook import sign
from kreislauf.sources.streams import SITE_EVENTS
from kreislauf.warehouse.models import load_models

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
MODELS = load_models(REPOSITORY / "include" / "sql", check=False)
LAYERS = "|".join(sorted({model.layer for model in MODELS.values()}))


def _anchor(heading: str) -> str:
    """As GitHub makes them: small letters and digits, spaces as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "docs" / "flows" / "README.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
            assert anchor in map(_anchor, headings), f"{page.name} links to {link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_named_is_there(page: Path) -> None:
    text = page.read_text()
    tables = set(re.findall(rf"`((?:{LAYERS})\.[a-z_]+)`", text)) - MODELS.keys()
    assert not tables, f"{page.name} names tables that there are not"
    dags = re.findall(r"`((?:ingest|build|flow|campaign|send|maintain)_[a-z_]+)`", text)
    files = {name: REPOSITORY / "dags" / f"{name.replace('_', '/', 1)}.py" for name in dags}
    assert not [name for name, file in files.items() if not file.exists()]
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    assert not set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M)) - targets


def test_every_field_of_the_sites_events_is_told() -> None:
    columns = [column for table in SITE_EVENTS.tables.values() for column in table.columns.values()]
    named = re.findall(r"`([a-z_]+)`", (REPOSITORY / "docs" / "site.md").read_text())
    assert not {column.path.rpartition(".")[2] for column in columns} - {*named, "question", "answer"}


def test_a_receiver_can_check_a_webhook_as_told() -> None:
    (example,) = re.findall(r"```python\n(.+?)```", (REPOSITORY / "docs" / "site.md").read_text(), re.S)
    told = {"hmac": hmac, "hashlib": hashlib}
    exec(example, told)  # ruff: ignore[exec-builtin] the page's own example
    header = sign("secret", b"{}", 1_000)
    assert told["is_genuine"]("secret", header, b"{}", 1_100.0)
    for secret, body, now in (
        ("other", b"{}", 1_100.0),
        ("secret", b"[]", 1_100.0),
        ("secret", b"{}", 2_000.0),
    ):
        assert not told["is_genuine"](secret, header, body, now)
