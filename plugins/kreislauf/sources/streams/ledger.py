"""Our own ledger, read back: what was decided, and what became of it."""

from __future__ import annotations

from kreislauf.sources.streams.model import Stream, Table, key, moment, personal, text

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
                "contact_id": text("$.contact_id"),
                "occurrence_id": text("$.occurrence_id"),
                "batch_id": text("$.batch_id"),
                "state": text("$.state"),
                "reason": text("$.reason"),
                "planned_as_of": moment("$.planned_as_of"),
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
                "step": text("$.step"),
                "contact_id": text("$.contact_id"),
                "occurrence_id": text("$.occurrence_id"),
                "variant": text("$.variant"),
                "reason": text("$.reason"),
                "as_of": moment("$.as_of"),
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
