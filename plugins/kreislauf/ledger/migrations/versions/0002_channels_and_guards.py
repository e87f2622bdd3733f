"""More channels than mail, local send times, approval, overlays, web push, audiences and vouchers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

REASONS = (
    *("planned", "branched", "condition_false", "other_branch", "goal_reached", "expired", "quiet_hours"),
    *("unreachable", "no_consent", "suppressed", "holdout", "not_in_pilot", "not_approved", "not_due"),
    *("previous_step_open", "frequency_cap", "run_cap", "no_voucher", "quality_gate"),
    *("stopped", "paused"),
)
STATES = ("waiting", "planned", "claimed", "accepted", "rejected", "in_doubt")


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} in ({', '.join(repr(word) for word in words)})"


def _channel() -> sa.Column:
    return sa.Column("channel", sa.String(16), server_default="email", nullable=False)


def upgrade() -> None:
    _renew_candidate()
    _create_window()
    _alter_decision()
    _alter_batch()
    _alter_message()
    _create_push_subscription()
    _create_overlay()
    _create_audience_member()
    _create_voucher()


def _renew_candidate() -> None:
    # It holds rows only while a run decides.
    op.drop_table("candidate")
    op.create_table(
        "candidate",
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.Column("occurrence_id", sa.String(128), nullable=False),
        sa.Column("occurred_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("delay", sa.Integer(), nullable=False, comment="seconds"),
        sa.Column("is_since_trigger", sa.Boolean(), nullable=False),
        sa.Column("variant", sa.String(32), server_default="", nullable=False),
        sa.Column("is_goal_reached", sa.Boolean(), nullable=False),
        sa.Column("is_condition_met", sa.Boolean(), nullable=False),
        sa.Column("has_consent", sa.Boolean(), nullable=False),
        sa.Column("is_held_out", sa.Boolean(), nullable=False),
        sa.Column("is_in_pilot", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(320), comment="as the channel knows the person; null: not at all"),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("local_hour", sa.Integer(), comment="when the person reads, if the step asks"),
        sa.Column("item_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("merge", sa.JSON(), comment="null: cannot be planned by this run"),
        sa.Column("expires_at", sa.DateTime()),
        sa.Column("send_at", sa.DateTime()),
        sa.Column("reason", sa.String(32), comment="null: decided for good before"),
        sa.PrimaryKeyConstraint(
            "run_id", "flow", "step", "contact_id", "occurrence_id", name=op.f("pk_candidate")
        ),
    )


def _create_window() -> None:
    op.create_table(
        "window",
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("flow", sa.String(64), nullable=False),
        sa.Column("step", sa.String(64), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("local_hour", sa.Integer(), nullable=False, comment="-1: not known"),
        sa.Column("send_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "flow", "step", "timezone", "local_hour", name=op.f("pk_window")),
    )


def _alter_decision() -> None:
    with op.batch_alter_table("decision") as table:
        table.drop_constraint(op.f("ck_decision_reason_is_known"), type_="check")
        table.add_column(_channel())
        table.add_column(
            sa.Column(
                "occurred_at", sa.DateTime(), comment="what started the journey; null: decided before 0002"
            )
        )
        table.add_column(
            sa.Column("policy_version", sa.String(64), comment="digest of include/policy.yaml as it was")
        )
        table.add_column(
            sa.Column(
                "send_at",
                sa.DateTime(),
                comment="planned for this moment: the next one that quiet hours allow",
            )
        )
        table.add_column(
            sa.Column(
                "inputs_until", sa.DateTime(), comment="all sources it relies on were known up to this moment"
            )
        )
    op.execute("update decision set reason = 'unreachable' where reason = 'invalid_address'")
    with op.batch_alter_table("decision") as table:
        table.create_check_constraint(op.f("ck_decision_reason_is_known"), _one_of("reason", REASONS))


def _alter_batch() -> None:
    with op.batch_alter_table("batch") as table:
        table.drop_constraint(op.f("ck_batch_state_is_known"), type_="check")
        table.add_column(_channel())
        table.add_column(
            sa.Column("send_at", sa.DateTime(), comment="by the circuit's clock: not sent before")
        )
        table.add_column(
            sa.Column("run_id", sa.String(250), comment="the run that planned it, and asks for approval")
        )
    with op.batch_alter_table("batch") as table:
        table.add_column(
            sa.Column(
                "caps",
                sa.JSON(),
                comment="[messages, seconds]: frequency caps, asked again in the claim",
            )
        )
        table.add_column(
            sa.Column(
                "hours",
                sa.JSON(),
                comment="time of day and quiet hours, asked again in the claim; null: any moment",
            )
        )
        table.add_column(sa.Column("timezone", sa.String(64), comment="the clock that the hours go by"))
        table.add_column(
            sa.Column("local_hour", sa.Integer(), comment="when these people read, if the step asks")
        )
    op.execute("update batch set send_at = planned_as_of, run_id = '', caps = '[]'")
    with op.batch_alter_table("batch") as table:
        table.alter_column("send_at", nullable=False)
        table.alter_column("run_id", nullable=False)
        table.alter_column("caps", nullable=False)
        table.create_check_constraint(op.f("ck_batch_state_is_known"), _one_of("state", STATES))


def _alter_message() -> None:
    with op.batch_alter_table("message") as table:
        table.add_column(_channel())
        table.add_column(sa.Column("priority", sa.Integer(), comment="class of the flow; 0 is the highest"))
        table.add_column(sa.Column("topic", sa.String(64), server_default="marketing", nullable=False))
        table.add_column(sa.Column("send_at", sa.DateTime()))
    op.execute("update message set send_at = planned_as_of, priority = 0")
    with op.batch_alter_table("message") as table:
        table.alter_column("send_at", nullable=False)
        table.alter_column("priority", nullable=False)
        table.alter_column("address", comment="as the channel knows the person")
        table.create_index(op.f("ix_message_send_at"), ["send_at"])


def _create_push_subscription() -> None:
    op.create_table(
        "push_subscription",
        sa.Column("id", sa.String(64), nullable=False, comment="the address of the channel push"),
        sa.Column("visitor_id", sa.String(64)),
        sa.Column("contact_id", sa.String(64), comment="of the message whose link was followed, if any"),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.String(128), nullable=False),
        sa.Column("auth", sa.String(64), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(), comment="by the person, or the push service said it is gone"),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscription")),
    )
    for column in ("visitor_id", "contact_id", "updated_at"):
        op.create_index(op.f(f"ix_push_subscription_{column}"), "push_subscription", [column])


def _create_overlay() -> None:
    op.create_table(
        "overlay",
        sa.Column("message_key", sa.String(32), nullable=False),
        sa.Column("visitor_id", sa.String(64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime()),
        sa.Column("shown_at", sa.DateTime()),
        sa.Column("closed_at", sa.DateTime()),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("message_key", name=op.f("pk_overlay")),
    )
    for column in ("visitor_id", "updated_at"):
        op.create_index(op.f(f"ix_overlay_{column}"), "overlay", [column])


def _create_audience_member() -> None:
    op.create_table(
        "audience_member",
        sa.Column("audience", sa.String(64), nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.Column("entered_at", sa.DateTime(), nullable=False),
        sa.Column("left_at", sa.DateTime()),
        sa.Column("entered_by", sa.String(32), nullable=False, comment="the message's key"),
        sa.Column("left_by", sa.String(32)),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("audience", "contact_id", "entered_at", name=op.f("pk_audience_member")),
    )
    op.create_index(op.f("ix_audience_member_updated_at"), "audience_member", ["updated_at"])


def _create_voucher() -> None:
    op.create_table(
        "voucher",
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("pool", sa.String(64), nullable=False),
        sa.Column("message_key", sa.String(32)),
        sa.Column("assigned_at", sa.DateTime()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_voucher")),
        sa.UniqueConstraint("message_key", name=op.f("uq_voucher_message_key")),
    )
    op.create_index(op.f("ix_voucher_pool_message_key"), "voucher", ["pool", "message_key"])
