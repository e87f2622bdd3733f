"""Which columns of a raw table say when a row is from, and up to when the rows of a part are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

CLOCKS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("shop_customers", "shop_orders", "shop_products", "shop_checkouts"), ("updated_at",)),
    "shop_refunds": ("updated_at", "created_at"),
    **dict.fromkeys(
        ("crm_contacts", "crm_companies", "crm_deals", "crm_owners", "crm_notes", "crm_tickets"),
        ("updated_at",),
    ),
    **dict.fromkeys(("site_events", "site_answers", "mail_events"), ("occurred_at",)),
    "ledger_messages": ("planned_as_of",),
    "ledger_decisions": ("as_of",),
    **dict.fromkeys(("ledger_links", "ledger_suppressions", "ledger_events", "ledger_consents"), ()),
    **dict.fromkeys(("ledger_push_subscriptions", "ledger_audience_members"), ()),
    "ad_spend": ("day",),
    "announcements": (),
    "membership_changes": ("as_of",),
    "postal_returns": ("returned_on",),
}
"""The columns of a raw table that say when a row is from. A build as of a moment has the rows whose
clocks all stand before it; the lines of an order and the like belong to the record they came with. An
announcement may be known before its moment."""


def latest(table: str, rows: Any) -> datetime | None:
    """The latest of all clocks in Arrow rows of a raw table, aware; None if one of them is missing."""
    from pyarrow import compute

    reached = []
    for clock in CLOCKS.get(table, ()):
        column = rows[clock]
        if column.null_count or not rows.num_rows:
            return None
        value = compute.max(column).as_py()
        reached.append(value if isinstance(value, datetime) else datetime(value.year, value.month, value.day))
    return max(reached).replace(tzinfo=UTC) if reached else None
