"""The site's own events."""

from __future__ import annotations

from kreislauf.sources.streams.model import Column, Stream, Table, key, moment, personal, text, whole

SITE_EVENTS = Stream(
    "site",
    "events",
    {
        # type: page_view, product_view, cart_add, search, content_download, form_submit,
        # survey, wish, exit_intent, confirm
        "site_events": Table(
            {
                "event_id": key("$.event_id"),
                "occurred_at": moment("$.occurred_at", required=True),
                "event_type": Column("$.type", required=True),
                "visitor_id": text("$.visitor_id"),
                "customer_id": text("$.customer_id"),
                "email": personal("$.email"),
                "url": text("$.url"),
                "product_id": text("$.product_id"),
                "content_id": text("$.content_id"),
                "topic": text("$.topic"),
                "search_query": text("$.query"),
                "seconds_on_page": whole("$.seconds_on_page"),
                "referred_by": text("$.referred_by"),
                "utm_source": text("$.utm_source"),
                "utm_medium": text("$.utm_medium"),
                "utm_campaign": text("$.utm_campaign"),
                "utm_content": text("$.utm_content"),
            }
        ),
        # What was answered in a form or survey.
        "site_answers": Table(
            {
                "event_id": key("$parent.event_id"),
                "occurred_at": moment("$parent.occurred_at", required=True),
                "question": key("$.question"),
                "answer": personal("$.answer"),
            },
            explode="$.answers",
        ),
    },
    sparse=True,
)
