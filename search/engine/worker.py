"""The Ray actor that holds a model: builds the bank, computes dense logits and statistics, measures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.checkpoint import load_model
from evaluators.dense import DenseLogits
from evaluators.evaluator import Evaluator, Measurement
from evaluators.live import LiveModel
from evaluators.prefixes import Prefixes
from evaluators.statistic import Samples, Statistic
from evaluators.stream import Stream
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import JobError
from spaces.option import Quantize

Text = Literal["calibration", "validation"]


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """All that a worker needs; plain data, so that Ray can send it anywhere."""

    folder: Path
    dtype: str
    device: str
    num_threads: int
    bank: Bank
    propagate: Quantize | None
    streams: Mapping[Text, np.ndarray]  # int64 (sequences, length)


class Worker:
    """One model in memory. The engine wraps it as an actor; it can be used without Ray as well.

    The model is loaded by the first task that needs it, so that what goes wrong is that task's error.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        torch.set_num_threads(setup.num_threads)
        self.setup = setup
        self._streams = {name: Stream(torch.from_numpy(tokens.copy())) for name, tokens in setup.streams.items()}
        self._evaluators: dict[Text, Evaluator] = {}

    @cached_property
    def live(self) -> LiveModel:
        """The model, dense at first."""
        model = load_model(self.setup.folder, dtype=getattr(torch, self.setup.dtype), device=self.setup.device)
        return LiveModel(model, find_anatomy(model), self.setup.bank)

    def build(self, layers: Mapping[str, tuple[Quantize, ...]]) -> None:
        """Make the missing bank entries of ``layers``."""
        self.live.apply(Configuration.of({}))
        build_bank(
            self.live.model,
            blocks=self.live.anatomy.blocks,
            layers=layers,
            tokens=self._streams["calibration"].tokens,
            bank=self.setup.bank,
            propagate=self.setup.propagate,
        )

    @cached_property
    def prefixes(self) -> Prefixes:
        """What all evaluators share, as long as the worker lives."""
        return Prefixes(self.live)

    def write_dense(self, text: Text, folder: Path, start: int, stop: int) -> None:
        """Compute the dense logits of some sequences into the unfinished store in ``folder``."""
        unfinished = DenseLogits.attach(folder)
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
            kept = DenseLogits.open(dense)
            if kept is None:
                raise JobError(f"the dense model's logits in {dense} are gone or damaged; run the job again")
            self._evaluators[text] = Evaluator(self.live, self._streams[text], kept, self.prefixes)
        return self._evaluators[text]
