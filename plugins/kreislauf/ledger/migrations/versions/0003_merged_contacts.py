"""Who a contact of the ledger is today, once its record has joined another one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "merged_contact",
        sa.Column("record_id", sa.String(64), nullable=False),
        sa.Column("contact_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_merged_contact")),
    )
    op.create_index(op.f("ix_merged_contact_contact_id"), "merged_contact", ["contact_id"])
