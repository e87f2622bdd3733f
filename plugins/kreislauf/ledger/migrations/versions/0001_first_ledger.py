"""The first ledger: consents, suppressions, candidates, decisions, batches, messages, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.String(32), nullable=False, comment="sent along as the argument bk"),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("variant", sa.String(32), server_default="", nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("item_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("template", sa.String(128), nullable=False),
        sa.Column("template_version", sa.String(64), comment="digest of what was sent; set at the claim"),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.DateTime(), comment="set by a 429: planned again, but not earlier"),
        sa.Column("owner", sa.String(250), comment="the run and try that claimed it"),
        sa.Column("claimed_at", sa.DateTime()),
        sa.Column("answered_at", sa.DateTime()),
        sa.Column("http_status", sa.Integer()),
        sa.Column("provider_message_id", sa.String(128)),
        sa.Column("error", sa.Text()),
        sa.Column("settled_by", sa.String(128), comment="what took it out of doubt: an event, or a person"),
        sa.Column("planned_as_of", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "state in ('planned', 'claimed', 'accepted', 'rejected', 'in_doubt')",
            name=op.f("ck_batch_state_is_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_index(op.f("ix_batch_state_flow_step"), "batch", ["state", "flow", "step"])
    op.create_index(op.f("ix_batch_updated_at"), "batch", ["updated_at"])
    op.create_table(
        "candidate",
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.Column("occurrence_id", sa.String(128), nullable=False),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime()),
        sa.Column("variant", sa.String(32), server_default="", nullable=False),
        sa.Column("goal_at", sa.DateTime(), comment="first time the goal was reached after the occurrence"),
        sa.Column("is_condition_met", sa.Boolean(), nullable=False),
        sa.Column("has_consent", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(320), comment="lower case; null: none, or not valid"),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("item_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("merge", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "flow", "step", "contact_id", "occurrence_id", name=op.f("pk_candidate")
        ),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(320), nullable=False, comment="lower case"),
        sa.Column("contact_id", sa.String(64)),
        sa.Column("channel", sa.String(16), server_default="email", nullable=False),
        sa.Column("topic", sa.String(64), server_default="marketing", nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("legal_basis", sa.String(32), comment="consent_doi, consent_soi or existing_customer_7_3"),
        sa.Column("source", sa.String(32), nullable=False, comment="shop, crm, web, import"),
        sa.Column(
            "source_key", sa.String(128), nullable=False, comment="one row for each statement of a source"
        ),
        sa.Column("text_version", sa.String(64)),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("state in ('granted', 'revoked')", name=op.f("ck_consent_state_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        sa.UniqueConstraint("source", "source_key", name=op.f("uq_consent_source_source_key")),
    )
    op.create_index(op.f("ix_consent_address"), "consent", ["address"])
    op.create_table(
        "control",
        sa.Column("scope", sa.String(64), nullable=False, comment="a flow, or all"),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(250)),
        sa.Column("changed_by", sa.String(128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_control")),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("flow_version", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.Column("occurrence_id", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("variant", sa.String(32), server_default="", nullable=False),
        sa.Column("due_at", sa.DateTime()),
        sa.Column(
            "as_of", sa.DateTime(), nullable=False, comment="the moment of the build it was decided on"
        ),
        sa.Column("build_id", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "reason in ('planned', 'expired', 'goal_reached', 'condition_false', 'no_consent', "
            "'suppressed', 'invalid_address', 'not_due', 'previous_step_open', 'frequency_cap', "
            "'quality_gate', 'paused')",
            name=op.f("ck_decision_reason_is_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint(
            "flow",
            "step",
            "contact_id",
            "occurrence_id",
            name=op.f("uq_decision_flow_step_contact_id_occurrence_id"),
        ),
    )
    op.create_index(op.f("ix_decision_contact_id"), "decision", ["contact_id"])
    op.create_index(op.f("ix_decision_updated_at"), "decision", ["updated_at"])
    op.create_table(
        "event",
        sa.Column("event_id", sa.String(128), nullable=False, comment="the provider's own id"),
        sa.Column("message_key", sa.String(32), comment="null: an asynchronous bounce, known by address"),
        sa.Column("batch_id", sa.String(32)),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("bounce_type", sa.String(16)),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("is_machine_open", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_address"), "event", ["address"])
    op.create_index(op.f("ix_event_batch_id"), "event", ["batch_id"])
    op.create_index(op.f("ix_event_message_key"), "event", ["message_key"])
    op.create_index(op.f("ix_event_recorded_at"), "event", ["recorded_at"])
    op.create_table(
        "suppression",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(320), nullable=False, comment="lower case"),
        sa.Column("contact_id", sa.String(64)),
        sa.Column("channel", sa.String(16), server_default="email", nullable=False),
        sa.Column("topic", sa.String(64), server_default="all", nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("source", sa.String(128), nullable=False, comment="an event id, a run id, or who did it"),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(), comment="set when the suppression was taken back"),
        sa.Column("lifted_by", sa.String(128)),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "reason in ('opt_out', 'complaint', 'hard_bounce', 'soft_bounce', 'invalid_address', "
            "'never_confirmed', 'unengaged', 'duplicate', 'manual')",
            name=op.f("ck_suppression_reason_is_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppression")),
        sa.UniqueConstraint(
            "address", "channel", "topic", "reason", name=op.f("uq_suppression_address_channel_topic_reason")
        ),
    )
    op.create_index(op.f("ix_suppression_contact_id"), "suppression", ["contact_id"])
    op.create_index(op.f("ix_suppression_updated_at"), "suppression", ["updated_at"])
    op.create_table(
        "template_link",
        sa.Column("template", sa.String(128), nullable=False),
        sa.Column("template_version", sa.String(64), nullable=False),
        sa.Column("slot", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False, comment="img, btn or txt"),
        sa.Column("target", sa.Text(), nullable=False, comment="a URL, or the merge field that holds it"),
        sa.Column("label", sa.Text(), comment="the link's text or its image's alt text"),
        sa.PrimaryKeyConstraint("template", "template_version", "slot", name=op.f("pk_template_link")),
    )
    op.create_table(
        "message",
        sa.Column(
            "message_key", sa.String(32), nullable=False, comment="opaque; sent along as the argument mk"
        ),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.Column("occurrence_id", sa.String(128), nullable=False),
        sa.Column("batch_id", sa.String(32), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("merge", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(16), comment="null: what became of its batch"),
        sa.Column("outcome_reason", sa.String(250)),
        sa.Column("expires_at", sa.DateTime(), comment="not sent after this moment of the circuit's clock"),
        sa.Column("planned_as_of", sa.DateTime(), nullable=False),
        sa.Column("planned_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint(
            "outcome is null or outcome in ('skipped', 'rejected')", name=op.f("ck_message_outcome_is_known")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_message_batch_id")),
        sa.PrimaryKeyConstraint("message_key", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "flow",
            "step",
            "contact_id",
            "occurrence_id",
            name=op.f("uq_message_flow_step_contact_id_occurrence_id"),
        ),
    )
    op.create_index(op.f("ix_message_address"), "message", ["address"])
    op.create_index(op.f("ix_message_batch_id"), "message", ["batch_id"])
    op.create_index(op.f("ix_message_contact_id"), "message", ["contact_id"])
    op.create_index(op.f("ix_message_updated_at"), "message", ["updated_at"])
