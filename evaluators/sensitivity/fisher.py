"""The Fisher information along weight changes: gradients at labels that the model itself draws.

Axes: ``S`` positions of a sequence, ``V`` vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.deltas import Deltas
from evaluators.sensitivity.gradients import WeightedModel, Weights, gradients
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError


@dataclass(frozen=True, kw_only=True)
class FisherProducts:
    """<g, dW> for each of ``changes``, at the dense model; a sample is one sequence and one draw of its labels.

    g is the gradient of the summed log-probability of a label at every position, each drawn from the model's own
    distribution there. So E[(sum of <g, dW> over some layers)^2] = D^T F D, where D is the change of all those weights
    together and F the true Fisher information, summed over the sequence's positions: products of two positions vanish,
    since given what is read a label's score has mean zero. Half of it is KL(dense || changed) to second order.

    ``products`` (samples, changes), float64.
    """

    name: ClassVar[str] = "fisher-products"
    version: ClassVar[int] = 1

    changes: tuple[Entry, ...]
    sequences: int
    seed: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return self.changes

    def passes(self, length: int) -> Passes:
        return Passes(forward_tokens=length, backward_tokens=length)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        layers = list(dict.fromkeys(layer for layer, _ in self.changes))
        model, deltas = WeightedModel(evaluator.live.model, layers), Deltas(evaluator.live)
        products = np.zeros((stop - start, len(self.changes)))
        for row, number in enumerate(range(start, stop)):
            tokens = evaluator.stream.tokens[number : number + 1]
            slopes = dict(zip(layers, self._slopes(model, tokens, number), strict=True))
            found = [torch.sum(slopes[entry[0]] * deltas.of(entry), dtype=torch.float64) for entry in self.changes]
            products[row] = torch.stack(found).numpy(force=True)
            if not np.isfinite(products[row]).all():
                raise JobError(
                    f"the dense model's gradient on sequence {number} is NaN or infinite; evaluate in float32, or use "
                    f"score output-error, which needs no gradient"
                )
        return {"products": products}

    def _slopes(
        self,
        model: WeightedModel,
        tokens: Tensor,  # (1, S)
        number: int,
    ) -> Weights:
        """The gradient g of one sequence."""
        weights = model.weights()
        logits = model.logits(weights, tokens)[0]
        labels = drawn_labels(logits, np.random.default_rng([self.seed, number]))
        return gradients(logits.log_softmax(-1).gather(-1, labels).sum(), weights)


def drawn_labels(
    logits: Tensor,  # (S, V)
    rng: np.random.Generator,
) -> Tensor:  # int64 (S, 1)
    """One label for each position, independently, each from the softmax of its logits."""
    cumulative = logits.detach().double().softmax(-1).cumsum(-1)
    heights = torch.from_numpy(rng.random((len(logits), 1))).to(logits.device) * cumulative[:, -1:]
    labels = torch.searchsorted(cumulative, heights, right=True)  # right: a label of probability 0 is never drawn
    return labels.clamp(max=logits.shape[-1] - 1)
