"""How far a block, an attention or an MLP turns the residual stream, token by token.

Axes: ``B`` sequences, ``S`` tokens in each, ``H`` the width of the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from compressors.answers import hidden_of
from evaluators.bypasses import given
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import DROP

Around = tuple[Tensor, Tensor]  # what enters a part and what leaves it, each (B, S, H)


@dataclass(frozen=True, kw_only=True)
class ResidualTurns:
    """1 - mean over tokens of cos(x, y) for each of ``parts``, at the dense model; a sample is one sequence.

    x is the residual stream as it enters the part, before any norm, and y the stream with what the part adds, after
    the addition. Where attention and MLP both read the block's input (parallel residuals), x is that input for both.

    ``distances`` (samples, parts), float64.
    """

    name: ClassVar[str] = "residual-turn"
    version: ClassVar[int] = 1

    parts: tuple[str, ...]
    sequences: int

    def num_sequences(self, length: int) -> int:
        return self.sequences

    def entries(self) -> tuple[Entry, ...]:
        return ()

    def passes(self, length: int) -> Passes:
        """Blocks run again without their attention, and without their MLP: together one more forward pass."""
        return Passes(forward_tokens=2 * length)

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        live = evaluator.live
        live.apply(Configuration.of({}))
        distances = np.zeros((stop - start, len(self.parts)))
        for row, number in enumerate(range(start, stop)):
            tokens = evaluator.stream.tokens[number : number + 1].to(live.device)
            with torch.no_grad(), _recording(live, self.parts) as found:
                live.model(input_ids=tokens, use_cache=False)
            distances[row] = [found[part] for part in self.parts]
            if not np.isfinite(distances[row]).all():
                raise JobError(
                    f"the dense model's residual stream on sequence {number} is NaN or infinite; "
                    f"evaluate in float32, or use score measured-kl"
                )
        return {"distances": distances}


@contextmanager
def _recording(live: LiveModel, parts: tuple[str, ...]) -> Iterator[dict[str, float]]:
    """The distance of every part of the blocks that hold ``parts``, as far as the model has run."""
    distances: dict[str, float] = {}

    def record(
        branches: Mapping[str, str], block: str, module: nn.Module, inputs: tuple[Any, ...], named: Any, output: Any
    ) -> None:
        run = _Run(live=live, module=module, inputs=inputs, named=named, output=output)
        distances[block] = _distance(run.entering, hidden_of(output))
        for part, around in run.branches(branches).items():
            distances[part] = _distance(*around)

    hooks = []
    for index, block in enumerate(live.anatomy.blocks):
        held = {str(part.part): part.name for part in live.anatomy.parts if part.block == index and part.name != block}
        if not {block, *held.values()}.isdisjoint(parts):
            module = live.model.get_submodule(block)
            hooks.append(module.register_forward_hook(partial(record, held, block), with_kwargs=True))
    try:
        yield distances
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run of a block in the dense model; a model overwrites no input, as training needs them too."""

    live: LiveModel
    module: nn.Module
    inputs: tuple[Any, ...]
    named: Mapping[str, Any]
    output: Any

    @property
    def entering(self) -> Tensor:  # (B, S, H)
        return given(self.inputs, self.named)

    def branches(self, names: Mapping[str, str]) -> dict[str, Around]:
        """By name: the stream around the attention and the MLP, whatever norms and scales stand between.

        Without its MLP the block puts out what the attention leaves. The MLP reads that too, unless its input is the
        same without the attention. Empty where one of the two was not found: what turns the stream is not known then.
        """
        if len(names) < 2:
            return {}
        attention, mlp = names["attention"], names["mlp"]
        after_attention, read = self._without(mlp, mlp)
        after_mlp, read_alone = self._without(attention, mlp)
        is_parallel = torch.equal(read, read_alone)
        return {
            attention: (self.entering, after_attention),
            mlp: (self.entering, after_mlp) if is_parallel else (after_attention, hidden_of(self.output)),
        }

    def _without(self, part: str, reader: str) -> tuple[Tensor, Tensor]:
        """What the block puts out with ``part`` dropped, and what ``reader`` is then called with."""
        read: list[Tensor] = []

        def see(_module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> None:
            read.append(given(inputs, named))

        first = self.live.model.get_submodule(self.live.anatomy.modules_of[reader][0])
        hook = first.register_forward_pre_hook(see, with_kwargs=True)
        try:
            self.live.apply(Configuration.of({part: DROP}))
            output = self.module.forward(*self.inputs, **self.named)  # calling it would come back to the hook
        finally:
            self.live.apply(Configuration.of({}))
            hook.remove()
        return hidden_of(output), read[0]


def _distance(
    entering: Tensor,  # (B, S, H)
    leaving: Tensor,  # (B, S, H)
) -> float:
    """In float64: what little the stream turns would drown in the rounding of 1."""
    return float(1 - torch.cosine_similarity(entering.double(), leaving.double(), dim=-1).mean())
