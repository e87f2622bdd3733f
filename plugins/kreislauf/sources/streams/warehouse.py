"""What the warehouse has published, kept for the next build."""

from __future__ import annotations

from kreislauf.sources.streams.model import Column, Stream, Table, key, moment

MEMBERSHIP_CHANGES = Stream(
    "warehouse",
    "membership_changes",
    {
        # Who entered (1) and who left (-1) what, as of a published moment; a correction may take
        # back an earlier row, so what holds at a moment is the sum up to it.
        "membership_changes": Table(
            {
                # The contact_id of that moment; the record may have joined an older one since.
                "record_id": key("$.record_id"),
                "kind": key("$.kind"),
                "name": key("$.name"),
                "as_of": moment("$.as_of", required=True),
                "change": Column("$.change", "BIGINT", required=True),
            }
        )
    },
)
