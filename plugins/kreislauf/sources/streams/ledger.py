"""Our own ledger, read back: what was decided, and what became of it."""

from __future__ import annotations

from kreislauf.sources.streams.model import Stream, Table, flag, key, moment, personal, text

LEDGER_MESSAGES = Stream(
    "ledger",
    "messages",
    {
        "ledger_messages": Table(
            {
                "message_key": key(),
                "flow": text("$.flow"),
                "step": text("$.step"),
                "variant": text("$.variant"),
                "channel": text("$.channel"),
                "contact_id": text("$.contact_id"),
                "occurrence_id": text("$.occurrence_id"),
                "batch_id": text("$.batch_id"),
                "state": text("$.state"),
                "reason": text("$.reason"),
                "planned_as_of": moment("$.planned_as_of"),
                "send_at": moment("$.send_at"),
                "answered_at": moment("$.answered_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_DECISIONS = Stream(
    "ledger",
    "decisions",
    {
        "ledger_decisions": Table(
            {
                "decision_id": key(),
                "flow": text("$.flow"),
                "flow_version": text("$.flow_version"),
                "policy_version": text("$.policy_version"),
                "step": text("$.step"),
                "channel": text("$.channel"),
                "contact_id": text("$.contact_id"),
                "occurrence_id": text("$.occurrence_id"),
                "variant": text("$.variant"),
                "reason": text("$.reason"),
                "is_final": flag("$.is_final"),
                "occurred_at": moment("$.occurred_at"),
                "due_at": moment("$.due_at"),
                "send_at": moment("$.send_at"),
                "as_of": moment("$.as_of"),
                "inputs_until": moment("$.inputs_until"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_SUPPRESSIONS = Stream(
    "ledger",
    "suppressions",
    {
        "ledger_suppressions": Table(
            {
                "suppression_id": key(),
                "email": personal("$.address"),
                "contact_id": text("$.contact_id"),
                "channel": text("$.channel"),
                "topic": text("$.topic"),
                "reason": text("$.reason"),
                "source": text("$.source"),
                "created_at": moment("$.created_at"),
                "lifted_at": moment("$.lifted_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_LINKS = Stream(
    "ledger",
    "links",
    {
        # The links of what was sent; a click's URL ends with utm_content=<step>.<slot>.
        "ledger_links": Table(
            {
                "flow": key("$.flow"),
                "step": key("$.step"),
                "variant": text("$.variant"),
                "language": key("$.language"),
                "template_version": key("$.template_version"),
                "slot": key("$.slot"),
                "kind": text("$.kind"),
                "target": text("$.target"),
                "label": text("$.label"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_EVENTS = Stream(
    "ledger",
    "events",
    {
        # What became of texts, notifications and overlays; mail has a stream of its own.
        "ledger_events": Table(
            {
                "event_id": key(),
                "event_type": text("$.type"),
                "bounce_type": text("$.bounce_type"),
                "message_key": text("$.message_key"),
                "occurred_at": moment("$.occurred_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_CONSENTS = Stream(
    "ledger",
    "consents",
    {
        "ledger_consents": Table(
            {
                "consent_id": key(),
                "address": personal("$.address"),
                "contact_id": text("$.contact_id"),
                "channel": text("$.channel"),
                "topic": text("$.topic"),
                "state": text("$.state"),
                "basis": text("$.legal_basis"),
                "occurred_at": moment("$.occurred_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_PUSH_SUBSCRIPTIONS = Stream(
    "ledger",
    "push_subscriptions",
    {
        # Whose browser may be notified; how, only the ledger knows.
        "ledger_push_subscriptions": Table(
            {
                "subscription_id": key(),
                "visitor_id": text("$.visitor_id"),
                "contact_id": text("$.contact_id"),
                "created_at": moment("$.created_at"),
                "revoked_at": moment("$.revoked_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)

LEDGER_AUDIENCE_MEMBERS = Stream(
    "ledger",
    "audience_members",
    {
        "ledger_audience_members": Table(
            {
                "audience": key("$.audience"),
                "contact_id": key("$.contact_id"),
                "entered_at": moment("$.entered_at", required=True),
                "left_at": moment("$.left_at"),
                "updated_at": moment("$.updated_at", required=True),
            }
        )
    },
)
