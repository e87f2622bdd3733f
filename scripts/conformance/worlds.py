"""What the engines are compared on: one landing zone with three worlds in it.

A sandbox's, as its shop, CRM and inboxes give it; the benchmark's, in which mail and ledger meet the
contacts too; and random rows, drawn from few values, so that keys meet, versions pile up, ties and
NULLs occur. What a model makes of the last need not be sensible, only equal.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from kreislauf.connections import Connection
from kreislauf.landing.extract import extract
from kreislauf.landing.zone import LandingZone
from kreislauf.sources.base import Source
from kreislauf.sources.files import FilesInbox
from kreislauf.sources.hubspot import HubspotSource
from kreislauf.sources.inbox import Inbox
from kreislauf.sources.shopify import ShopifySource
from kreislauf.sources.streams import STREAMS, Stream, Table
from kreislauf.warehouse.raw import raw_columns
from kreislauf.warehouse.testing import land_rows
from sandbox.testing import Sandbox, run_sandbox
from scripts.bench import raw

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment all builds look from; some of the random rows are later."""

_ROWS = 120

_WORDS = {
    "email_marketing_state": ["SUBSCRIBED", "PENDING", "UNSUBSCRIBED", "NOT_SUBSCRIBED"],
    "email_marketing_opt_in_level": ["CONFIRMED_OPT_IN", "SINGLE_OPT_IN"],
    "salutation": ["Frau", "Herr", "Mr.", "x"],
    "locale": ["de", "en-GB", "de-AT", "fr"],
    "hs_language": ["de", "en-us"],
    "language": ["de", "en-us", "de-de"],
    "country": ["Germany", "Deutschland", "GB", "at", "Österreich"],
    "country_code": ["DE", "AT", "CH", "GB", "US"],
    "currency": ["EUR", "CHF"],
    "lifecycle_stage": ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "customer"],
    "lead_status": ["NEW", "OPEN", "UNQUALIFIED"],
    "deal_stage": ["appointmentscheduled", "closedwon", "closedlost"],
    "event_type": [
        "page_view", "product_view", "cart_add", "search", "content_download", "form_submit",
        "delivered", "open", "click", "bounce", "dropped", "spamreport", "unsubscribe", "processed",
    ],
    "bounce_type": ["bounce", "blocked"],
    "state": ["planned", "claimed", "accepted", "rejected", "in_doubt"],
    "reason": ["planned", "hard_bounce", "opt_out", "complaint", "soft_bounce", "not_due"],
    "flow": ["welcome", "abandoned_cart"],
    "note": ["C536365", "", "damaged"],
    "topic": ["boots", "Zelte"],
    "title": ["Zelt", "zelt", "Äxte", "Boot"],
}  # fmt: skip


def land(folder: Path, contacts: int = 150, seed: int = 1) -> LandingZone:
    """A new landing zone with all three worlds; the first two have that many contacts each."""
    zone = LandingZone(folder / "landing")
    _land_sandbox(zone, folder / "sandbox", contacts)
    raw.write(zone, contacts, AS_OF)
    draw = random.Random(seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    for number, (name, rows) in enumerate(_random_rows(draw).items()):
        land_rows(folder / "landing", name, rows, run=f"random-{number:02}")
    return zone


def _land_sandbox(zone: LandingZone, home: Path, contacts: int) -> None:
    inbox = zone.root / "inbox"
    with run_sandbox(
        home, contacts=contacts, days=180, start=AS_OF.isoformat(), shop_bucket=1_000_000,
        site_inbox=inbox / "site_events", files_inbox=inbox,
    ) as sandbox:  # fmt: skip
        for stream in STREAMS:
            if source := _source(stream, sandbox, zone):
                extract(source, stream, zone, AS_OF)


def _source(stream: Stream, sandbox: Sandbox, zone: LandingZone) -> Source | None:
    """What the sandbox has of a stream; mail and ledger begin only with sending."""
    match stream.source:
        case "shop":
            login = {"login": sandbox.client_id, "password": sandbox.client_secret}
            return ShopifySource(Connection("shop", "http", sandbox.shop, **login))
        case "crm":
            return HubspotSource(Connection("crm", "http", sandbox.crm, password=sandbox.crm_token))
        case "site":
            return Inbox(zone, "site_events")
        case "files":
            return FilesInbox(zone, stream.name)
    return None


def _random_rows(draw: random.Random) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {}
    for stream in STREAMS:
        parents: list[dict[str, Any]] = []
        for name, table in stream.tables.items():
            rows = []
            for line in range(1, _ROWS + 1):
                row = _draw_row(draw, name, table)
                row |= {"_run": "r1", "_line": line, "_extracted_at": datetime(2026, 1, 1)}
                if table.explode:
                    parent = draw.choice(parents)
                    shared = [key for key in row if key.endswith("_id") and key in parent]
                    row |= {key: parent[key] for key in ["_run", "_line", "_extracted_at", *shared]}
                    row["_child"] = line
                rows.append(row)
            parents = parents or rows
            tables[name] = rows
    return tables


def _draw_row(draw: random.Random, name: str, table: Table) -> dict[str, Any]:
    types = raw_columns()[name]
    row = {column: _value(draw, column, type) for column, type in types.items()}
    for key in (key for key, column in table.columns.items() if column.required):
        if key.endswith(("_id", "_key")):
            row[key] = _key(draw, name, key)
        while row[key] is None:
            row[key] = _value(draw, key, types[key])
    return row


def _key(draw: random.Random, table: str, column: str) -> str:
    own = column == next(iter(raw_columns()[table]))
    return _id(draw.randint(1, _ROWS // 2 if own else 40))


def _id(number: int) -> str:
    return f"random{number}"  # not to meet the other worlds'


def _moment(draw: random.Random) -> datetime:
    # Few distinct moments make ties; some lie after as_of.
    return datetime(2024, 12, 1) + timedelta(days=draw.randint(0, 420), hours=draw.choice([0, 0, 7]))


def _value(draw: random.Random, column: str, type: str) -> Any:
    if draw.random() < 0.15:
        return None
    if type == "TIMESTAMP":
        return _moment(draw)
    if type == "DATE":
        return _moment(draw).date()
    if type == "BOOLEAN":
        return draw.random() < 0.3
    if type == "BIGINT":
        return draw.randint(0, 4)
    if type.startswith("DECIMAL"):
        return Decimal(draw.randint(-500, 20000)) / 100
    if column in _WORDS:
        return draw.choice(_WORDS[column])
    if "email" in column:
        n = draw.randint(1, 50)
        one, next_one = f"p{n}@example.org", f"p{n + 1}@example.org"
        return draw.choice([one, f" {one.upper()} ", f"p{n}@example", f"{one};{next_one}"])
    if column.endswith(("_id", "_ids")):
        return _id(draw.randint(1, 40))
    return draw.choice(["ä", "Ä", "a b", "Z", ""])
