"""The Fisher information along changes of the model: gradients at labels that the model itself draws.

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
from evaluators.sensitivity.gates import gates
from evaluators.sensitivity.gradients import WeightedModel, gradients
from evaluators.statistic import Change, Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Banked, Option


@dataclass(frozen=True, kw_only=True)
class FisherProducts:
    """<g, d> for each of ``changes``, at the dense model; a sample is one sequence and one draw of its labels.

    d is what an option changes of a layer's weights, or what dropping a part changes of the answer that reaches the
    residual stream. g is the gradient, by those weights or by that answer, of the summed log-probability of a label at
    every position, each drawn from the model's own distribution there. So E[(sum of <g, d> over some changes)^2] =
    D^T F D, where D is all those changes together and F the true Fisher information, summed over the sequence's
    positions: products of two positions vanish, since given what is read a label's score has mean zero. Half of it is
    KL(dense || changed) to second order.

    ``products`` (samples, changes), float64.
    """

    name: ClassVar[str] = "fisher-products"
    version: ClassVar[int] = 2

    changes: tuple[Change, ...]
    sequences: int
    seed: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return tuple((layer, option) for layer, option in self.changes if isinstance(option, Banked))

    def passes(self, length: int) -> Passes:
        return Passes(forward_tokens=length, backward_tokens=length)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        live = evaluator.live
        live.apply(Configuration.of({}))
        layers = list(dict.fromkeys(layer for layer, _ in self.entries()))
        parts = [name for name, option in self.changes if not isinstance(option, Banked)]
        model, deltas = WeightedModel(live.model, layers), Deltas(live)
        products = np.zeros((stop - start, len(self.changes)))
        for row, number in enumerate(range(start, stop)):
            tokens = evaluator.stream.tokens[number : number + 1]
            weights = model.weights()
            with gates(live, parts) as opened:
                score = self._score(model.logits(weights, tokens)[0], number)
            slopes = dict(zip([*layers, *parts], gradients(score, (*weights, *opened)), strict=True))
            found = [_product(slopes[name], name, option, deltas) for name, option in self.changes]
            products[row] = torch.stack(found).numpy(force=True)
            if not np.isfinite(products[row]).all():
                raise JobError(
                    f"the dense model's gradient on sequence {number} is NaN or infinite; evaluate in float32, or use "
                    f"score measured-kl, which needs no gradient"
                )
        return {"products": products}

    def _score(
        self,
        logits: Tensor,  # (S, V)
        number: int,
    ) -> Tensor:  # scalar
        """The summed log-probability of the labels that are drawn for one sequence."""
        labels = drawn_labels(logits, np.random.default_rng([self.seed, number]))
        return logits.log_softmax(-1).gather(-1, labels).sum()


def _product(slope: Tensor, name: str, option: Option, deltas: Deltas) -> Tensor:  # float64 scalar
    """<g, d>, of a weight with its gradient, or of a part's gate, whose derivative is just that."""
    moved = slope * deltas.of((name, option)) if isinstance(option, Banked) else slope
    return torch.sum(moved, dtype=torch.float64)


def drawn_labels(
    logits: Tensor,  # (S, V)
    rng: np.random.Generator,
) -> Tensor:  # int64 (S, 1)
    """One label for each position, independently, each from the softmax of its logits."""
    cumulative = logits.detach().double().softmax(-1).cumsum(-1)
    heights = torch.from_numpy(rng.random((len(logits), 1))).to(logits.device) * cumulative[:, -1:]
    labels = torch.searchsorted(cumulative, heights, right=True)  # right: a label of probability 0 is never drawn
    return labels.clamp(max=logits.shape[-1] - 1)
