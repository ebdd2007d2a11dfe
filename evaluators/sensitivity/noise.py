"""What Gaussian noise in one layer's weight costs: the measured side of HIGGS' linearity theorem."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from compressors.weights import weight_of, write_weight
from evaluators.evaluator import Evaluator
from evaluators.sensitivity.deltas import widened
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError


@dataclass(frozen=True, kw_only=True)
class NoiseResponse:
    """KL to the dense model with ||noise|| = level x ||W|| in one layer, at each of ``noise_levels``.

    A sample is one layer: its draws, one for each level, follow from ``seed`` and its number alone. Every draw has
    exactly the norm asked for, which takes the noise of the norm out of the answer.

    ``kl`` (samples, levels), float64: nats per token, the mean over the first ``sequences``.
    """

    name: ClassVar[str] = "noise-response"
    version: ClassVar[int] = 1

    layers: tuple[str, ...]
    noise_levels: tuple[float, ...]
    sequences: int
    seed: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return ()

    def passes(self, length: int) -> Passes:
        return Passes(forward_tokens=len(self.noise_levels) * self.sequences * length)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        rows = [self._responses(evaluator, number) for number in range(start, stop)]
        return {"kl": np.array(rows, dtype=np.float64).reshape(stop - start, len(self.noise_levels))}

    def _responses(self, evaluator: Evaluator, number: int) -> list[float]:
        module = evaluator.live.model.get_submodule(self.layers[number])
        rng = np.random.default_rng([self.seed, number])
        return [
            self._response(evaluator, number, gaussian_like(weight_of(module), rng), level)
            for level in self.noise_levels
        ]

    def _response(self, evaluator: Evaluator, number: int, direction: Tensor, level: float) -> float:
        with disturbed(evaluator.live.model.get_submodule(self.layers[number]), direction * level):
            kl = float(evaluator.measure(Configuration.of({}), 0, self.sequences).kl.mean())
        if not np.isfinite(kl):
            raise JobError(
                f"noise of {level} times the weight of {self.layers[number]} makes the loss infinite; "
                f"lower the score's noise_levels, evaluate in float32, or exclude the layer"
            )
        return kl


def gaussian_like(
    weight: Tensor,  # (out, in)
    rng: np.random.Generator,
) -> Tensor:  # (out, in), float32 or wider
    """White noise of the weight's own norm."""
    draw = torch.from_numpy(rng.standard_normal(weight.shape, dtype=np.float32)).to(weight.device)
    return widened(draw.to(torch.promote_types(draw.dtype, weight.dtype)) * (_norm(weight) / _norm(draw)))


@contextmanager
def disturbed(
    module: nn.Module,
    change: Tensor,  # (out, in)
) -> Iterator[None]:
    """Within, the module's weight is its own plus ``change``; afterwards it is its own to the bit."""
    own = weight_of(module).clone()
    try:
        write_weight(module, widened(own) + change)
        yield
    finally:
        write_weight(module, own)


def fit_linearity(
    noise_levels: np.ndarray,  # (levels,)
    kl: np.ndarray,  # (layers, levels)
) -> tuple[np.ndarray, np.ndarray]:  # (layers,) coefficients, and their standard errors
    """alpha of KL = alpha x level^2, by least squares through the origin.

    What a draw adds to the KL grows with the KL itself, so each residual is weighted by 1 / level^4: the best fit is
    then the mean of KL / level^2. One level has no standard error: NaN.
    """
    ratios = kl / noise_levels**2
    if ratios.shape[1] == 1:
        return ratios[:, 0], np.full(len(ratios), np.nan)
    return ratios.mean(axis=1), ratios.std(axis=1, ddof=1) / np.sqrt(ratios.shape[1])


def _norm(values: Tensor) -> float:
    return float(torch.linalg.vector_norm(values, dtype=torch.float64))
