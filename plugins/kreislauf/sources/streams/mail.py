"""What the mail provider reports."""

from __future__ import annotations

from kreislauf.sources.streams.model import Column, Stream, Table, flag, key, personal, text, whole

MAIL_EVENTS = Stream(
    "mail",
    "events",
    {
        # SendGrid's event webhook; mk and bk are our custom arguments (message and batch key).
        "mail_events": Table(
            {
                "event_id": key("$.sg_event_id"),
                "occurred_at": Column("$.timestamp", "EPOCH", required=True),
                "event_type": Column("$.event", required=True),
                "email": personal("$.email"),
                "message_key": text("$.mk"),
                "batch_id": text("$.bk"),
                "provider_message_id": text("$.sg_message_id"),
                "url": text("$.url"),
                "url_index": whole("$.url_offset.index"),
                "bounce_type": text("$.type"),
                "reason": text("$.reason"),
                "status": text("$.status"),
                "is_machine_open": flag("$.sg_machine_open"),
            }
        )
    },
    sparse=True,
    known=frozenset(
        {
            *("useragent", "ip", "smtp-id", "category", "attempt", "response", "tls", "sg_content_type"),
            *("asm_group_id", "bounce_classification", "pool", "sg_template_id", "sg_template_name"),
        }
    ),
)
