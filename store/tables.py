"""The tables, as the newest migration leaves them (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

METADATA = MetaData(
    naming_convention={  # Alembic finds a constraint again by its name
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
JSON_VALUE = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# attempt is the fencing token and only grows; the attempts that a release excused count against no limit.
# lease_until is set while in_flight and null in every other state.
EVALUATION = Table(
    "evaluation",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("num_sequences", Integer, nullable=False),
    Column("state", Text, nullable=False),  # in_flight, released, done, failed
    Column("owner", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("excused", Integer, nullable=False),
    Column("is_permanent", Boolean, nullable=False),  # failed, and would fail again
    Column("lease_until", Double),
    Column("kl", LargeBinary),  # little-endian float64, one per sequence
    Column("nll", LargeBinary),
    Column("seconds", Double),
    Column("error", Text),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double),
    Index(None, "subject", "num_sequences"),
    Index(None, "state", "lease_until"),
)

JOB = Table(
    "job",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("spec", JSON_VALUE, nullable=False),
    Column("spec_hash", Text, nullable=False),
    Column("state", Text, nullable=False),  # queued, running, succeeded, failed, interrupted
    Column("message", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("report", JSON_VALUE),
    Column("last_seq", Integer, nullable=False),
    Index(None, "created_at", "id"),
)

EVENT = Table(
    "event",
    METADATA,
    Column("job_id", Text, ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSON_VALUE, nullable=False),
    Column("created_at", Double, nullable=False),
)
