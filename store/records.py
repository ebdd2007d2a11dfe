"""The frozen records that go in and out of the store; times are the database's clock, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InputError

JobState = Literal["queued", "running", "succeeded", "failed", "interrupted"]
FinalState = Literal["succeeded", "failed", "interrupted"]
JsonObject = Mapping[str, object]

Result = TypeVar("Result")  # of a piece of work: Values or SampleValues
SAMPLE_DTYPES = ("float64", "float32", "int64")


@dataclass(frozen=True, kw_only=True)
class WorkKey:
    """Names one piece of work by its content; ``subject`` is the hash of what several of them share."""

    key: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class EvaluationKey(WorkKey):
    """Names one evaluation by its content.

    ``subject`` is the hash of what is measured (weights, bank options, metric and its version, precision),
    ``stream`` that of the exact token slice, and ``key`` that of both. Evaluations of one subject read nested
    prefixes of one stream of sequences, so ``num_sequences`` orders them.
    """

    stream: str
    num_sequences: int


@dataclass(frozen=True, kw_only=True)
class SampleKey(WorkKey):
    """Names one sample of a statistic by its content.

    ``subject`` is the hash of all that the sample depends on but its ``number``, which counts from 0 within the
    subject, and ``key`` that of both. ``statistic`` is a name for people, such as ``hessian-trace``.
    """

    statistic: str
    number: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """What an evaluation measured: one float64 for each sequence, stored and returned bit for bit."""

    kl: NDArray[np.float64]  # (sequences,)
    nll: NDArray[np.float64]  # (sequences,)
    seconds: float

    def __post_init__(self) -> None:
        for name, array in (("kl", self.kl), ("nll", self.nll)):
            if array.dtype != np.float64 or array.ndim != 1:
                raise InputError(
                    f"{name} must be a float64 vector with one value per sequence, "
                    f"got {array.dtype} of shape {array.shape}; convert it with astype"
                )
        if len(self.kl) != len(self.nll):
            raise InputError(f"kl and nll must cover the same sequences, got {len(self.kl)} and {len(self.nll)} values")


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleValues:
    """One sample of a statistic and what it cost. The arrays are stored and returned bit for bit.

    A NumPy scalar comes back as the array of shape () that equals it.
    """

    arrays: Mapping[str, NDArray[np.generic]]  # each float64, float32 or int64
    forward_tokens: int
    backward_tokens: int
    seconds: float

    def __post_init__(self) -> None:
        for name, array in self.arrays.items():
            if array.dtype not in SAMPLE_DTYPES:
                raise InputError(
                    f"array {name!r} of a sample must be one of {', '.join(SAMPLE_DTYPES)}, got {array.dtype}; "
                    f"convert it with astype"
                )


@dataclass(frozen=True, kw_only=True)
class Leased:
    """The work is the caller's to do; ``attempt`` is the fencing token to complete it with."""

    attempt: int


@dataclass(frozen=True, kw_only=True)
class Done(Generic[Result]):
    """The work was done before."""

    values: Result


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Another owner is doing the work; its lease ends ``remaining_s`` seconds from the claim."""

    until: datetime
    remaining_s: float


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The work failed for good, or as often as the claim allows: a higher ``max_attempts`` retries it."""

    error: str


Claim = Leased | Done[Result] | Busy | Failed


@dataclass(frozen=True, kw_only=True)
class EvaluationStats:
    """How many evaluations are in each state."""

    done: int = 0
    in_flight: int = 0
    failed: int = 0
    released: int = 0


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One submitted search: what was asked, how far it is and, once finished, its report."""

    id: str
    name: str
    spec: JsonObject
    spec_hash: str
    state: JobState
    message: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    report: JsonObject | None
    last_seq: int


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """One step of a job's progress; ``seq`` counts 1, 2, 3, ... within the job, without gaps."""

    job_id: str
    seq: int
    kind: str
    payload: JsonObject
    created_at: datetime
