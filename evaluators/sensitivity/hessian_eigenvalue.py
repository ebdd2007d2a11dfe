"""The top eigenvalue of each layer's own Hessian, by power iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.evaluator import Evaluator, batch_sequences
from evaluators.sensitivity.gradients import WeightedModel, Weights
from evaluators.sensitivity.hessian_product import HessianProducts, Method, inner_product, norm, product_passes
from evaluators.sensitivity.hessian_trace import random_signs
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError

# of finite differences: along a top eigenvector the loss bends more, so the step is shorter than for random signs
RELATIVE_STEP = 1e-4


@dataclass(frozen=True, kw_only=True)
class HessianEigenvalue:
    """Of the dense model's mean loss, on each of several batches of text; a sample is one layer.

    The eigenvalue is the one of largest magnitude, with its sign: v <- H v / |H v|, and v^T H v, until that changes by
    less than ``tolerance`` of itself or ``max_iterations`` products were made. It approaches the eigenvalue from
    below in magnitude. Of the model only what comes after the layer is differentiated, and where a batch is read in
    one forward its graph serves all iterations.

    Samples: ``eigenvalues`` (samples, batches).
    """

    name: ClassVar[str] = "hessian-eigenvalue"
    version: ClassVar[int] = 1

    layers: tuple[str, ...]
    batches: int  # of text, from the beginning of the stream
    batch_sequences: int
    max_iterations: int
    tolerance: float
    seed: int
    method: Method = "auto"

    def num_sequences(self, length: int) -> int:
        return self.batches * self.batch_sequences

    def entries(self) -> tuple[Entry, ...]:
        return ()

    def passes(self, length: int) -> Passes:
        """An upper bound: as if each iteration went through the whole model."""
        return product_passes(self.num_sequences(length) * length, self.method) * self.max_iterations

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        rows = [self._layer(evaluator, number) for number in range(start, stop)]
        return {"eigenvalues": np.array(rows, dtype=np.float64).reshape(stop - start, self.batches)}

    def _layer(self, evaluator: Evaluator, number: int) -> list[float]:  # one for each batch
        layer = self.layers[number]
        products = HessianProducts(
            WeightedModel(evaluator.live.model, [layer]), self.method, relative_step=RELATIVE_STEP
        )
        tokens = evaluator.stream.tokens[: self.batches * self.batch_sequences]
        found = [self._iterate(products, batch, number) for batch in torch.split(tokens, self.batch_sequences)]
        if not np.isfinite(found).all():
            raise JobError(f"the Hessian of {layer} is not finite; use a score that needs no derivatives")
        return found

    def _iterate(
        self,
        products: HessianProducts,
        tokens: Tensor,  # (batch_sequences, length)
        number: int,
    ) -> float:
        pieces = torch.split(tokens, batch_sequences(tokens.shape[1]))
        vector = random_signs([self.seed, number], products.weights)
        eigenvalue = 0.0
        for _ in range(self.max_iterations):
            vector = _scaled(vector, 1 / norm(vector))
            image = products.multiply_mean(vector, pieces)
            before, eigenvalue = eigenvalue, inner_product(vector, image)
            if abs(eigenvalue - before) <= self.tolerance * abs(eigenvalue):
                break
            vector = image
        return eigenvalue


def _scaled(vectors: Weights, factor: float) -> Weights:
    return tuple(vector * factor for vector in vectors)
