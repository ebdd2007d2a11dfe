"""Errors of candidates on tasks; those of before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

JSON_VALUE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("candidate", sa.Column("task_errors", JSON_VALUE))


def downgrade() -> None:
    op.drop_column("candidate", "task_errors")
