"""Files that people drop."""

from __future__ import annotations

from kreislauf.sources.streams.model import Column, Stream, Table, key, moment, personal, text, whole

IN_FILE = frozenset({"_file", "_line", "_fault"})
"""What the connector adds to each record, so that quarantine says where it stood."""

AD_SPEND = Stream(
    "files",
    "ad_spend",
    {
        "ad_spend": Table(
            {
                "day": Column("$.day", "DATE", required=True),
                "platform": key("$.platform"),
                "campaign": key("$.campaign"),
                "currency": key("$.currency"),
                "amount": Column("$.amount", "DECIMAL(18,2)", required=True),
                "impressions": whole("$.impressions"),
                "clicks": whole("$.clicks"),
            }
        )
    },
    known=IN_FILE,
)

POSTAL_RETURNS = Stream(
    "files",
    "postal_returns",
    {
        "postal_returns": Table(
            {
                "return_id": key("$.return_id"),
                "returned_on": Column("$.returned_on", "DATE", required=True),
                "customer_id": text("$.customer_id"),
                "email": personal("$.email"),
                "reason": text("$.reason"),
            }
        )
    },
    known=IN_FILE,
)

ANNOUNCEMENTS = Stream(
    "files",
    "announcements",
    {
        "announcements": Table(
            {
                "announcement_id": key("$.announcement_id"),
                "kind": Column("$.kind", required=True),
                "title": Column("$.title", required=True),
                "description": text("$.description"),
                "starts_at": moment("$.starts_at"),
                "announced_at": moment("$.announced_at", required=True),
                "city": text("$.city"),
                "country": text("$.country"),
                "zip_prefix": text("$.zip_prefix"),
                "product_type": text("$.product_type"),
                "url": text("$.url"),
                "image_url": text("$.image_url"),
            }
        )
    },
    known=IN_FILE,
)
