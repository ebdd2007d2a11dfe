"""What a service needs: jobs with wishes, holders and leases, candidates, artifacts, workers and tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON_VALUE = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NEW_TABLES = ("failed_login", "token", "job_subject", "worker", "artifact", "candidate", "idempotency")

CONVERSIONS = (
    "UPDATE job SET queued_at = created_at, updated_at = coalesce(finished_at, started_at, created_at)",
    "UPDATE job SET attempt = 1, starts = 1 WHERE started_at IS NOT NULL",
    "UPDATE job SET state = 'cancelled', wish = 'cancel', reason = 'interrupted' WHERE state = 'interrupted'",
)
MODEL_OF_SPEC = {"sqlite": "json_extract(spec, '$.model')", "postgresql": "spec ->> 'model'"}
NEW_STATES = "('validating', 'paused', 'stopping', 'cancelling', 'cancelled')"  # to the old words: it may go on


def upgrade() -> None:
    # SQLite must not copy the table, as batches do: dropping the old one would delete the events that refer to it.
    for column in _new_columns():
        op.add_column("job", column)
    op.create_index("ix_job_state", "job", ["state"])
    for statement in CONVERSIONS:
        op.execute(statement)
    op.execute(f"UPDATE job SET model = coalesce({MODEL_OF_SPEC[op.get_bind().dialect.name]}, '')")
    _create_idempotency()
    _create_candidate()
    _create_artifact()
    _create_worker()
    _create_job_subject()
    _create_token()
    _create_failed_login()


def downgrade() -> None:
    for table in NEW_TABLES:
        op.drop_table(table)
    op.execute(f"UPDATE job SET state = 'interrupted' WHERE state IN {NEW_STATES}")
    op.drop_index("ix_job_state", "job")
    for column in _new_columns():
        op.drop_column("job", column.name)


def _new_columns() -> list[sa.Column[Any]]:
    """With defaults, for the rows that are there."""
    return [
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("owner", sa.Text(), nullable=False, server_default="local"),
        sa.Column("origin", sa.Text(), nullable=False, server_default="local"),
        sa.Column("model", sa.Text(), nullable=False, server_default=""),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("workers", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("granted", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("wish", sa.Text(), nullable=False, server_default="run"),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("cloned_from", sa.Text()),
        sa.Column("holder", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("starts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("lease_until", sa.Double()),
        sa.Column("queued_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("updated_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("progress", JSON_VALUE),
    ]


def _job_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=f"fk_{table}_job_id", ondelete="CASCADE")


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        _job_key("idempotency"),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_job_id", "idempotency", ["job_id"])


def _create_candidate() -> None:
    op.create_table(
        "candidate",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("configuration_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("levels", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bits_per_weight", sa.Double(), nullable=False),
        sa.Column("nominal_bits_per_weight", sa.Double(), nullable=False),
        sa.Column("loss", sa.Double()),
        sa.Column("loss_se", sa.Double()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("is_on_front", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        _job_key("candidate"),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_candidate"),
    )
    op.create_index("ix_candidate_identity", "candidate", ["job_id", "configuration_id", "kind"], unique=True)
    op.create_index("ix_candidate_size", "candidate", ["job_id", "size_bytes", "seq"])
    op.create_index("ix_candidate_loss", "candidate", ["job_id", "loss", "seq"])
    op.create_index("ix_candidate_front_size", "candidate", ["job_id", "is_on_front", "size_bytes", "seq"])
    op.create_index("ix_candidate_front_loss", "candidate", ["job_id", "is_on_front", "loss", "seq"])


def _create_artifact() -> None:
    op.create_table(
        "artifact",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        _job_key("artifact"),
        sa.PrimaryKeyConstraint("job_id", "name", name="pk_artifact"),
    )


def _create_worker() -> None:
    op.create_table(
        "worker",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("cpus", sa.Double(), nullable=False),
        sa.Column("gpus", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        _job_key("worker"),
        sa.PrimaryKeyConstraint("job_id", "id", name="pk_worker"),
    )


def _create_job_subject() -> None:
    op.create_table(
        "job_subject",
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        _job_key("job_subject"),
        sa.PrimaryKeyConstraint("job_id", "subject", name="pk_job_subject"),
    )
    op.create_index("ix_job_subject_subject", "job_subject", ["subject"])


def _create_token() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("last_used_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )


def _create_failed_login() -> None:
    op.create_table(
        "failed_login",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("window_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_failed_login"),
    )
