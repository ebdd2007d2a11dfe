"""How the outside steers a running job, and what it hears of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spaces.configuration import Configuration
from spaces.space import Levels
from store.records import Wish

Halt = Literal["pause", "stop", "cancel"]
FoundKind = Literal["candidate", "plain", "answer"]


class Halted(Exception):
    """A job that ended because somebody wished it: whatever it finished is kept, and its leases are given back."""

    def __init__(self, wish: Halt) -> None:
        super().__init__(wish)
        self.wish: Halt = wish


@dataclass(frozen=True, kw_only=True)
class Found:
    """A configuration measured at the job's own fidelity."""

    levels: Levels
    name: str  # who proposed it, and when
    kind: FoundKind
    configuration: Configuration
    size_bytes: int
    bits_per_weight: float
    nominal_bits_per_weight: float
    flops: int  # for a token
    parameters: int  # that are kept
    loss: float | None  # as people quote it, KL in nats or perplexity; None: it broke the model
    loss_se: float | None  # in the same unit; None for a single sequence too
    is_cached: bool  # the store had it
    task_errors: Mapping[str, float] = field(default_factory=dict)  # by task, of those that the job minimises


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """One worker of a job, as the job last saw it."""

    id: str
    node: str  # empty while it starts
    pid: int
    device: str
    cpus: float
    gpus: float
    state: Literal["starting", "idle", "busy"]
    task: str  # what it is at, for people


def _run() -> Wish:
    return "run"


def _ignore(_news: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, kw_only=True)
class Steering:
    """All of it is called in the thread that runs the job, often, and so must answer from memory or soon.

    ``wish``: "pause" and "cancel" end the job with ``Halted``, the former when what is in flight has finished; "stop"
    ends the search alone, and the job finishes with the best it knows. ``num_workers`` may change at any time, 0 lets
    nothing work; None is what the job file asks for. ``found`` hears of each configuration once for each kind,
    ``workers`` at most twice a second while there is work, and ``subjects`` of what the store must keep for the job.
    """

    wish: Callable[[], Wish] = _run
    num_workers: Callable[[], int] | None = None
    found: Callable[[Sequence[Found]], None] = _ignore
    workers: Callable[[Sequence[WorkerState]], None] = _ignore
    subjects: Callable[[Collection[str]], None] = _ignore
