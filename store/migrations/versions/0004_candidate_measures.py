"""FLOPs and parameters of candidates; those of before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = ("flops", "parameters")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("candidate", sa.Column(name, sa.BigInteger()))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("candidate", name)
