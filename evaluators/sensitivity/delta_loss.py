"""The change of the loss that a gradient and a weight change promise, without cancellation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from compressors.weights import weight_of
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.sensitivity.deltas import widened
from evaluators.sensitivity.gradients import WeightedModel
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Banked


@dataclass(frozen=True, kw_only=True)
class DeltaLossSums:
    """sum |g dW| over the elements of each of ``changes``; a sample is one sequence.

    g is the gradient of the sequence's mean next-token loss, where every layer of ``changes`` takes on the option that
    is asked about; a layer that lacks it there stays dense. Absolute values of elements: nothing cancels.

    ``sums`` (samples, changes), float64, nats per token.
    """

    name: ClassVar[str] = "delta-loss"
    version: ClassVar[int] = 1

    changes: tuple[Entry, ...]
    sequences: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return self.changes

    def passes(self, length: int) -> Passes:
        return Passes(forward_tokens=length, backward_tokens=length) * len(self._by_option())

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        """Option after option, so that the model takes on each once."""
        live, tokens = evaluator.live, evaluator.stream.tokens[start:stop]
        live.apply(Configuration.of({}))
        dense = {
            layer: weight_of(live.model.get_submodule(layer)).clone()
            for layer in dict.fromkeys(layer for layer, _ in self.changes)
        }
        sums = np.zeros((stop - start, len(self.changes)))
        for option, places in self._by_option().items():
            layers = [self.changes[place][0] for place in places]
            live.apply(Configuration.of(dict.fromkeys(layers, option)))
            for row in range(stop - start):
                sums[row, places] = _sums(live, layers, dense, tokens[row : row + 1])
                if not np.isfinite(sums[row]).all():
                    raise JobError(
                        f"with {option.slug} in every layer that has it, the gradient on sequence {start + row} is NaN "
                        f"or infinite; leave that option out of the space, or use score output-error"
                    )
        return {"sums": sums}

    def _by_option(self) -> Mapping[Banked, list[int]]:
        """The places in ``changes`` of each option."""
        places: dict[Banked, list[int]] = defaultdict(list)
        for place, (_, option) in enumerate(self.changes):
            places[option].append(place)
        return places


def _sums(
    live: LiveModel,
    layers: Sequence[str],
    dense: Mapping[str, Tensor],  # (out, in)
    tokens: Tensor,  # (1, length)
) -> np.ndarray:  # float64 (layers,)
    """Of the weights that the model has now."""
    model = WeightedModel(live.model, layers)
    weights = model.weights()
    sums = [
        ((widened(weight.detach()) - widened(dense[layer])) * slope).abs().sum(dtype=torch.float64)
        for layer, weight, slope in zip(layers, weights, model.gradients(weights, tokens), strict=True)
    ]
    return torch.stack(sums).numpy(force=True)
