"""Squared gradients times squared output changes, layer by layer.

Axes: ``S`` tokens of a sequence, ``I`` and ``O`` a layer's inputs and outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.deltas import Deltas, widened
from evaluators.sensitivity.gradients import WeightedModel, next_token_loss
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError


@dataclass(frozen=True, kw_only=True)
class GradientOutputSquares:
    """sum (g_y dy)^2 for each of ``changes``, at the dense model; a sample is one sequence.

    y are the layer's outputs, g_y the gradient of the sequence's next-token loss, summed over its positions, and dy
    what y changes by when this layer alone takes on the option and its input stays. A layer whose matrix another
    module shares (an embedding tied to the head) has the outputs of both.

    ``squares`` (samples, changes), float64.
    """

    name: ClassVar[str] = "gradient-output"
    version: ClassVar[int] = 1

    changes: tuple[Entry, ...]
    sequences: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return self.changes

    def passes(self, length: int) -> Passes:
        """An option's output changes are a matmul of each layer: they count as one more forward pass."""
        options = max(map(len, self._by_layer().values()), default=0)
        return Passes(forward_tokens=(1 + options) * length, backward_tokens=length)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        deltas = Deltas(evaluator.live)
        squares = np.zeros((stop - start, len(self.changes)))
        for row, number in enumerate(range(start, stop)):
            tokens = evaluator.stream.tokens[number : number + 1]
            squares[row] = self._squares(evaluator.live.model, deltas, tokens).numpy(force=True)
            if not np.isfinite(squares[row]).all():
                raise JobError(
                    f"the dense model's gradient on sequence {number}, or a layer's change there, is NaN or infinite; "
                    f"evaluate in float32, or use score output-error, which needs no gradient"
                )
        return {"squares": squares}

    def _squares(
        self,
        model: nn.Module,
        deltas: Deltas,
        tokens: Tensor,  # (1, S)
    ) -> Tensor:  # (changes,)
        places = self._by_layer()
        weighted = WeightedModel(model, list(places))
        with _recorded(model, list(places)) as calls:
            logits = weighted.logits(weighted.weights(), tokens)
        loss = next_token_loss(logits, tokens) * (tokens.numel() - 1)
        slopes = torch.autograd.grad(loss, [call.output for call in calls], allow_unused=True)
        squares = torch.zeros(len(self.changes), dtype=torch.float64, device=weighted.device)
        for call, slope in zip(calls, slopes, strict=True):
            if slope is not None:  # the loss depends on this output
                for place in places[call.layer]:
                    change = call.change(deltas.of(self.changes[place]))
                    squares[place] += (widened(slope) * widened(change)).square().sum(dtype=torch.float64)
        return squares

    def _by_layer(self) -> Mapping[str, list[int]]:
        """The places in ``changes`` of each layer."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, (layer, _) in enumerate(self.changes):
            places[layer].append(place)
        return places


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One use of a layer's matrix in a forward pass.

    ``inputs`` can be kept as they are: training needs them too, so a model overwrites them nowhere.
    """

    layer: str
    module: nn.Module
    inputs: Tensor  # (..., I); token ids (...) of an embedding
    output: GradientEdge  # where (..., O) came from: some models add to it in place later

    def change(self, delta: Tensor) -> Tensor:  # (O, I) -> (..., O)
        """What the output changes by with the weight: a layer is linear in it, and a bias stays."""
        if isinstance(self.module, nn.Embedding):  # called itself: some scale what they look up
            change: Tensor = functional_call(self.module, {"weight": delta}, (self.inputs,))
            return change
        return nn.functional.linear(self.inputs.detach(), delta.to(self.inputs.dtype))


@contextmanager
def _recorded(model: nn.Module, layers: Sequence[str]) -> Iterator[list[_Call]]:
    """The calls of these layers within."""
    calls: list[_Call] = []

    def record(layer: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        edge = get_gradient_edge(output)
        calls.append(_Call(layer=layer, module=module, inputs=inputs[0], output=edge))

    hooks = []
    for layer in layers:
        for module in _sharing(model, layer):
            hooks.append(module.register_forward_hook(partial(record, layer)))
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _sharing(model: nn.Module, layer: str) -> list[nn.Module]:
    """The layer's module, and those that share its weight."""
    weight = model.get_submodule(layer).weight
    return [module for module in model.modules() if getattr(module, "weight", None) is weight]
