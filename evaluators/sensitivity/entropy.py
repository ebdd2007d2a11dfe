"""How far an option changes the entropy of a layer's output values.

Axes: ``S`` tokens of a sequence, ``I`` and ``O`` a layer's inputs and outputs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.deltas import Deltas, widened
from evaluators.sensitivity.noise import disturbed
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError

REACH = 6.0  # standard deviations on either side of the dense mean; the outermost bins take what lies beyond


@dataclass(frozen=True, kw_only=True)
class EntropyChanges:
    """H(y + dy) - H(y) of each of ``changes``, in nats, at the dense model; a sample is one sequence.

    y are all values that the layer puts out over the sequence, and dy what they change by when this layer alone takes
    on the option and its input stays. H is of a histogram of ``bins`` equal bins, placed by the mean and the standard
    deviation of y: the same bins for both.

    ``changes`` (samples, changes), float64; 0 for a layer that the sequence does not reach.
    """

    name: ClassVar[str] = "entropy-change"
    version: ClassVar[int] = 1

    changes: tuple[Entry, ...]
    bins: int
    sequences: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return self.changes

    def passes(self, length: int) -> Passes:
        """An option's outputs are a matmul of each layer: they count as one more forward pass."""
        options = max(Counter(layer for layer, _ in self.changes).values(), default=0)
        return Passes(forward_tokens=(1 + options) * length)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        deltas = Deltas(evaluator.live)
        changes = np.zeros((stop - start, len(self.changes)))
        for row, number in enumerate(range(start, stop)):
            self._read(evaluator, deltas, number, changes[row])
            if not np.isfinite(changes[row]).all():
                raise JobError(
                    f"a layer's output on sequence {number} is NaN or infinite; "
                    f"evaluate in float32, or use score output-error"
                )
        return {"changes": changes}

    def _read(
        self,
        evaluator: Evaluator,
        deltas: Deltas,
        number: int,
        changes: np.ndarray,  # (changes,), added to
    ) -> None:
        """Each layer's entropies are taken while the model runs, so that no outputs are kept."""

        def read(layer: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            bins = _Bins.around(output, self.bins)
            dense = bins.entropy(output)
            for place, entry in enumerate(self.changes):
                if entry[0] == layer:
                    with disturbed(module, deltas.of(entry)):  # forward: calling the module would come back here
                        changes[place] += bins.entropy(module.forward(*inputs)) - dense

        model = evaluator.live.model
        layers = dict.fromkeys(layer for layer, _ in self.changes)
        hooks = [model.get_submodule(layer).register_forward_hook(partial(read, layer)) for layer in layers]
        try:
            with torch.no_grad():
                tokens = evaluator.stream.tokens[number : number + 1]
                model(input_ids=tokens.to(evaluator.live.device), use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()


@dataclass(frozen=True, kw_only=True)
class _Bins:
    """``count`` equal bins from ``low`` to ``high``."""

    low: float
    high: float
    count: int

    @classmethod
    def around(cls, values: Tensor, count: int) -> _Bins:
        wide = values.double()
        mean = float(wide.mean()) if wide.numel() else 0.0
        spread = float(wide.std(correction=0)) if wide.numel() else 0.0
        reach = REACH * (spread or 1.0)  # constant values fill one bin of any width
        return cls(low=mean - reach, high=mean + reach, count=count)

    def entropy(self, values: Tensor) -> float:
        """Of the histogram, in nats; NaN where a value is NaN or infinite."""
        if not bool(values.isfinite().all()) or not np.isfinite(self.low + self.high):
            return float("nan")
        clamped = widened(values).clamp(self.low, self.high)
        counts = torch.histc(clamped, self.count, self.low, self.high).double()
        shares = counts / max(1, values.numel())
        return float(torch.special.entr(shares).sum())
