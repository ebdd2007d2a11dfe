"""How large the dense weights are: what turns the bank's relative errors into squared perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from compressors.weights import weight_of
from evaluators.evaluator import Evaluator
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration


@dataclass(frozen=True, kw_only=True)
class WeightNorms:
    """A sample is one layer. Samples: ``squared_norms`` (samples,), the sum of the squares of its weights."""

    name: ClassVar[str] = "weight-norms"
    version: ClassVar[int] = 1

    layers: tuple[str, ...]

    def num_sequences(self, length: int) -> int:
        return 0

    def entries(self) -> tuple[Entry, ...]:
        return ()

    def passes(self, length: int) -> Passes:
        return Passes()

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        model = evaluator.live.model
        weights = [weight_of(model.get_submodule(name)).double() for name in self.layers[start:stop]]
        return {"squared_norms": np.array([float(weight.square().sum()) for weight in weights], dtype=np.float64)}
