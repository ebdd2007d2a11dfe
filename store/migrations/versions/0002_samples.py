"""Samples of statistics beside the evaluations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sample",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("statistic", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("excused", sa.Integer(), nullable=False),
        sa.Column("is_permanent", sa.Boolean(), nullable=False),
        sa.Column("lease_until", sa.Double()),
        sa.Column("arrays", sa.LargeBinary()),
        sa.Column("checksum", sa.Text()),
        sa.Column("forward_tokens", sa.BigInteger()),
        sa.Column("backward_tokens", sa.BigInteger()),
        sa.Column("seconds", sa.Double()),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.PrimaryKeyConstraint("key", name="pk_sample"),
    )
    op.create_index("ix_sample_state_lease_until", "sample", ["state", "lease_until"])


def downgrade() -> None:
    op.drop_table("sample")
