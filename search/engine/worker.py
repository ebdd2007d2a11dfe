"""The Ray actor that holds a model: builds the bank, computes dense logits and statistics, measures."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.checkpoint import load_model
from evaluators.evaluator import Evaluator, Measurement
from evaluators.live import LiveModel
from evaluators.prefixes import Prefixes
from evaluators.requests import Requests
from evaluators.statistic import Samples, Statistic
from evaluators.stream import Stream
from search.engine.calls import Callee
from search.engine.depot import Probe
from search.engine.supplies import Fetched, Supplies
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import JobError
from spaces.option import Banked

Text = Literal["calibration", "validation"]


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """All that a worker needs; plain data, so that Ray can send it anywhere."""

    folder: Path  # the model
    dtype: str
    device: str
    num_threads: int
    bank: Bank
    propagate: Banked | None
    streams: Mapping[Text, np.ndarray]  # int64 (sequences, length)
    dense: Path  # where dense logits are kept
    requests: Mapping[str, Requests] = field(default_factory=dict)  # of the job's tasks, by their key
    cpus: float = 1.0  # what it takes of its node
    gpus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Where a worker found itself."""

    host: str
    node: str  # Ray's id of it
    pid: int
    is_distant: bool  # it does not see the job's storage


class Worker(Callee):
    """One model in memory. The engine wraps it as an actor; it can be used without Ray as well.

    The model is loaded by the first task that needs it, so that what goes wrong is that task's error.
    """

    supplies = Supplies()

    def __init__(self, setup: WorkerSetup) -> None:
        torch.set_num_threads(setup.num_threads)
        self.setup = setup
        self._streams = {name: Stream(torch.from_numpy(tokens.copy())) for name, tokens in setup.streams.items()}
        self._evaluators: dict[Text, Evaluator] = {}

    def arrive(self, probe: Probe) -> Arrival:
        """The first call of an actor: where it was placed."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return Arrival(host=platform.node(), node=node, pid=os.getpid(), is_distant=not probe.is_seen())

    def fetch_from(self, depot: Any) -> None:
        """From now on files come from this actor, and go back to it."""
        self.supplies = Fetched(depot)

    @cached_property
    def bank(self) -> Bank:
        """The bank to read from and to write to."""
        return self.supplies.bank(self.setup.bank)

    @cached_property
    def live(self) -> LiveModel:
        """The model, dense at first."""
        folder = self.supplies.model(self.setup.folder)
        model = load_model(folder, dtype=getattr(torch, self.setup.dtype), device=self.setup.device)
        return LiveModel(model, find_anatomy(model), self.bank)

    def build(self, layers: Mapping[str, tuple[Banked, ...]]) -> None:
        """Make the missing bank entries of ``layers``."""
        self.live.apply(Configuration.of({}))
        build_bank(
            self.live.model,
            blocks=self.live.anatomy.blocks,
            layers=layers,
            tokens=self._streams["calibration"].tokens,
            bank=self.bank,
            propagate=self.setup.propagate,
        )

    @cached_property
    def prefixes(self) -> Prefixes:
        """What all evaluators share, as long as the worker lives."""
        return Prefixes(self.live)

    def write_dense(self, text: Text, folder: Path, start: int, stop: int) -> None:
        """Compute the dense logits of some sequences into the unfinished store in ``folder``."""
        with self.supplies.unfinished(folder, start, stop) as unfinished:
            Evaluator(self.live, self._streams[text], unfinished, self.prefixes).write_dense(start, stop)

    def measure_each(
        self, text: Text, dense: Path, configurations: Sequence[Configuration], start: int, stop: int
    ) -> tuple[list[Measurement], float]:
        """Measure configurations on sequences ``start`` to ``stop`` of a text; with the tokens that it computed."""
        before = self.prefixes.computed_tokens
        measured = self._evaluator(text, dense).measure_each(configurations, start, stop)
        return measured, self.prefixes.computed_tokens - before

    def estimate(self, statistic: Statistic, text: Text, dense: Path, start: int, stop: int) -> tuple[Samples, float]:
        """Samples ``start`` to ``stop`` of a statistic, and the seconds that they took."""
        evaluator = self._evaluator(text, dense)
        begun = time.perf_counter()
        return statistic.samples(evaluator, start, stop), time.perf_counter() - begun

    def _evaluator(self, text: Text, dense: Path) -> Evaluator:
        if text not in self._evaluators:
            kept = self.supplies.dense(dense)
            if kept is None:
                raise JobError(f"the dense model's logits in {dense} are gone or damaged; run the job again")
            stream = self._streams[text]
            self._evaluators[text] = Evaluator(self.live, stream, kept, self.prefixes, self.setup.requests)
        return self._evaluators[text]
