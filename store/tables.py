"""The tables, as the newest migration leaves them (a test compares the two)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
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


def _work(name: str, *columns: Column[Any] | Index) -> Table:
    """A table of work that is leased; ``columns`` name the work beside its key, and hold the result once it is done.

    attempt is the fencing token and only grows; the attempts that a release excused count against no limit.
    lease_until is set while in_flight and null in every other state.
    """
    return Table(
        name,
        METADATA,
        Column("key", Text, primary_key=True),
        Column("subject", Text, nullable=False),
        Column("state", Text, nullable=False),  # in_flight, released, done, failed
        Column("owner", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("excused", Integer, nullable=False),
        Column("is_permanent", Boolean, nullable=False),  # failed, and would fail again
        Column("lease_until", Double),
        Column("seconds", Double),
        Column("error", Text),
        Column("created_at", Double, nullable=False),
        Column("finished_at", Double),
        *columns,
        Index(None, "state", "lease_until"),
    )


EVALUATION = _work(
    "evaluation",
    Column("stream", Text, nullable=False),
    Column("num_sequences", Integer, nullable=False),
    Column("kl", LargeBinary),  # little-endian float64, one per sequence
    Column("nll", LargeBinary),
    Index(None, "subject", "num_sequences"),
)

SAMPLE = _work(
    "sample",
    Column("statistic", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("arrays", LargeBinary),  # .npz
    Column("checksum", Text),  # SHA-256 of its bytes
    Column("forward_tokens", BigInteger),
    Column("backward_tokens", BigInteger),
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
