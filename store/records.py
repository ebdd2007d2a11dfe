"""The frozen records that go in and out of the store; times are the database's clock, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InputError

JobState = Literal[
    "queued", "validating", "running", "paused", "stopping", "cancelling", "succeeded", "failed", "cancelled"
]
FinalState = Literal["succeeded", "failed", "cancelled"]
FINAL_STATES: tuple[FinalState, ...] = ("succeeded", "failed", "cancelled")
Wish = Literal["run", "pause", "stop", "cancel"]  # what the owner wants, beside the state that is observed
Origin = Literal["service", "local"]  # who runs it: a service's runner, or ``layerpress run``
Weighed = str  # what a front may weigh beside loss and size: one of WEIGHED, or TASK_PREFIX and the name of a task
WEIGHED: tuple[Weighed, ...] = ("flops", "parameters")
TASK_PREFIX = "task:"
Scope = Literal["read", "submit", "admin"]  # of a token; each includes the ones before it
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
class NewJob:
    """What a submission says of a job. ``workers`` is how many it would use at once."""

    name: str
    spec: JsonObject
    owner: str = "local"  # the principal who submitted it
    origin: Origin = "service"
    model: str = ""
    priority: int = 0
    workers: int = 1
    note: str = ""
    cloned_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class Idempotency:
    """What makes a repeated submission the same one: the key its principal chose, and the hash of what was sent."""

    key: str
    principal: str
    body_hash: str


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One submitted search: what was asked, what its owner wants, how far it is and, once finished, its report.

    ``attempt`` counts the processes that were given the job, and fences off what earlier ones still send.
    """

    id: str
    name: str
    note: str
    owner: str
    origin: Origin
    model: str
    spec: JsonObject
    spec_hash: str
    priority: int
    workers: int  # wanted
    granted: int  # that it may use now
    state: JobState
    wish: Wish
    reason: str  # a code for programs: waiting_for_workers, stopped_by_user, service_stopped, ...
    message: str  # one sentence for people
    cloned_from: str | None
    holder: str | None  # the runner that has it in hand
    attempt: int
    lease_until: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: JsonObject | None  # the latest moment
    report: JsonObject | None
    last_seq: int  # of its events


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """One step of a job's progress; ``seq`` counts 1, 2, 3, ... within the job, without gaps."""

    job_id: str
    seq: int
    kind: str  # state, phase, progress, candidates, log
    payload: JsonObject
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class NewCandidate:
    """A configuration that a job measured at its own fidelity. ``levels`` index the options of the space's units."""

    configuration_id: str
    levels: tuple[int, ...]
    label: str  # who proposed it, and when
    kind: Literal["candidate", "plain", "answer"]
    size_bytes: int
    bits_per_weight: float
    nominal_bits_per_weight: float
    loss: float | None  # None: it broke the model
    loss_se: float | None
    source: Literal["computed", "cached"]
    flops: int | None = None  # for a token; None, as the next: noted by a release that did not know it
    parameters: int | None = None  # that are kept
    task_errors: Mapping[str, float] = field(default_factory=dict)  # by task, of those that the job minimises


@dataclass(frozen=True, kw_only=True)
class CandidateRecord(NewCandidate):
    """The same as it is stored; ``seq`` counts 1, 2, 3, ... within the job."""

    job_id: str
    seq: int
    state: Literal["done", "failed"]
    is_on_front: bool  # no other of the job is as good in all that its front weighs, and better in one
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class AnswerRecord:
    """What a job's report says of its answer, and of the plain choices that it was held against."""

    seq: int | None  # among the job's candidates
    found: JsonObject
    plain: tuple[JsonObject, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """A file of a job: its report, its answer, its pictures."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class ArtifactInfo:
    """What there is, without its content."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class TokenRecord:
    """A bearer token, of which only the SHA-256 is stored."""

    id: str
    name: str  # of the principal
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class WorkerRecord:
    """One worker of a running job, as its job process last saw it."""

    id: str
    job_id: str
    node: str
    pid: int
    device: str
    cpus: float
    gpus: float
    state: Literal["starting", "idle", "busy"]
    task: str
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What ``prune`` removed, or would remove."""

    evaluations: int
    samples: int
    bytes: int  # of their values


@dataclass(frozen=True, kw_only=True)
class CacheStatistics:
    """How much the store holds: numbers by state, and the bytes of what was measured."""

    evaluations: Mapping[str, int]
    samples: Mapping[str, int]
    jobs: Mapping[str, int]
    evaluation_bytes: int
    sample_bytes: int


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord(EvaluationKey):
    """One evaluation as it stands; ``values`` once it is done."""

    state: Literal["in_flight", "released", "done", "failed"]
    owner: str  # who made it, or makes it
    attempt: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    values: Values | None
    jobs: tuple[str, ...]  # the ids of those that asked for it
