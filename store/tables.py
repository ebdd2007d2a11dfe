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
    Column("note", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("origin", Text, nullable=False),  # service, local
    Column("model", Text, nullable=False),
    Column("spec", JSON_VALUE, nullable=False),
    Column("spec_hash", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("workers", Integer, nullable=False),
    Column("granted", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("wish", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("cloned_from", Text),
    Column("holder", Text),  # set while the job is in hand, as lease_until is
    Column("attempt", Integer, nullable=False),  # the fencing token: only grows
    Column("starts", Integer, nullable=False),  # since the job last came further
    Column("lease_until", Double),
    Column("created_at", Double, nullable=False),
    Column("queued_at", Double, nullable=False),  # how long it has waited; a job given back keeps its place
    Column("updated_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("progress", JSON_VALUE),
    Column("report", JSON_VALUE),
    Column("last_seq", Integer, nullable=False),
    Index(None, "created_at", "id"),
    Index(None, "state"),
)


def _job_key(**settings: Any) -> Column[Any]:
    """The job that a row belongs to, and goes with."""
    return Column("job_id", Text, ForeignKey("job.id", ondelete="CASCADE"), **settings)


EVENT = Table(
    "event",
    METADATA,
    _job_key(primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSON_VALUE, nullable=False),
    Column("created_at", Double, nullable=False),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    _job_key(nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "job_id"),
)

CANDIDATE = Table(
    "candidate",
    METADATA,
    _job_key(primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("configuration_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # candidate, plain, answer
    Column("levels", LargeBinary, nullable=False),  # little-endian uint16, one per unit of the space
    Column("label", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("bits_per_weight", Double, nullable=False),
    Column("nominal_bits_per_weight", Double, nullable=False),
    Column("loss", Double),  # finite, or null where the model broke
    Column("loss_se", Double),
    Column("source", Text, nullable=False),  # computed, cached
    Column("is_on_front", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("flops", BigInteger),  # null, as the next, in rows of before revision 0004
    Column("parameters", BigInteger),
    Column("task_errors", JSON_VALUE),  # null where the job minimises none
    Index("ix_candidate_identity", "job_id", "configuration_id", "kind", unique=True),
    Index("ix_candidate_size", "job_id", "size_bytes", "seq"),
    Index("ix_candidate_loss", "job_id", "loss", "seq"),
    Index("ix_candidate_front_size", "job_id", "is_on_front", "size_bytes", "seq"),
    Index("ix_candidate_front_loss", "job_id", "is_on_front", "loss", "seq"),
)

ARTIFACT = Table(
    "artifact",
    METADATA,
    _job_key(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

WORKER = Table(
    "worker",
    METADATA,
    _job_key(primary_key=True),
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("cpus", Double, nullable=False),
    Column("gpus", Double, nullable=False),
    Column("state", Text, nullable=False),  # starting, idle, busy
    Column("task", Text, nullable=False),
    Column("updated_at", Double, nullable=False),
)

JOB_SUBJECT = Table(  # what of the cache a job uses, so that it is not pruned
    "job_subject",
    METADATA,
    _job_key(primary_key=True),
    Column("subject", Text, primary_key=True),
    Index(None, "subject"),
)

TOKEN = Table(
    "token",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),  # read, submit, admin
    Column("digest", Text, nullable=False),  # SHA-256 of the secret, in hex
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
)

FAILED_LOGIN = Table(  # one row an address, however often it fails
    "failed_login",
    METADATA,
    Column("address", Text, primary_key=True),
    Column("failures", Integer, nullable=False),  # since window_at
    Column("window_at", Double, nullable=False),
)
