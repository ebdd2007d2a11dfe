"""A worker that takes its time and computes nothing, light enough that dozens fit on a small machine.

Ray's processes import this file, so it must not import torch: that alone is five times the memory of a bare worker.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.engine.calls import Callee
from search.engine.depot import Probe
from spaces.configuration import Configuration


@dataclass(frozen=True, kw_only=True)
class Root:
    """Stands for a bank of which only the place is asked."""

    root: Path


@dataclass(frozen=True, kw_only=True)
class SimulatedSetup:
    """What the engine asks of a ``WorkerSetup``, and how long an evaluation takes."""

    folder: Path
    bank: Root
    evaluation_s: float
    device: str = "cpu"
    cpus: float = 1 / 64  # Ray starts no more processes at once than it was given CPUs
    gpus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SimulatedArrival:
    """Where a worker found itself."""

    host: str
    node: str
    pid: int
    is_distant: bool


@dataclass(frozen=True, kw_only=True)
class SimulatedMeasurement:
    """What the engine adds to a ``Measurement``."""

    kl: np.ndarray  # float64 (sequences,)
    nll: np.ndarray


class SimulatedWorker(Callee):
    """Takes the same time for every candidate, and says how long that really was."""

    def __init__(self, setup: SimulatedSetup) -> None:
        self._setup = setup

    def arrive(self, probe: Probe) -> SimulatedArrival:
        """The first call of an actor."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return SimulatedArrival(host=platform.node(), node=node, pid=os.getpid(), is_distant=not probe.is_seen())

    def nap(self, seconds: float) -> None:
        """Be busy."""
        time.sleep(seconds)

    def measure_each(
        self, text: str, dense: Path, candidates: Sequence[Configuration], start: int, stop: int
    ) -> tuple[list[SimulatedMeasurement], float]:
        """One made-up measurement for each candidate, and the seconds that all of them took, where tokens belong."""
        begun = time.perf_counter()
        for _ in candidates:
            time.sleep(self._setup.evaluation_s)
        seconds = time.perf_counter() - begun
        made_up = np.linspace(0.1, 0.2, stop - start)
        return [SimulatedMeasurement(kl=made_up, nll=made_up + 3.0) for _ in candidates], seconds
