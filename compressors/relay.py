"""Runs calibration batches through a model leg by leg, so that no block is computed twice on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from compressors.answers import Shape, give_forward, hidden_of, shape_of, shaped
from spaces.errors import InputError


class _LegDone(Exception):
    """The last block of a leg has answered: the rest of the forward pass is not needed."""


class Relay:
    """A model, its blocks in order, and the hidden states of every batch where the next leg starts.

    Blocks in front of the start hand the kept states on instead of computing. The model's own forward still
    runs around them, so masks and rotary embeddings are the model's, whatever its architecture.
    """

    def __init__(
        self,
        model: nn.Module,
        blocks: Sequence[str],
        tokens: Tensor,  # int64 (sequences, length)
        *,
        batch_tokens: int,
    ) -> None:
        if tokens.ndim != 2 or not tokens.numel():
            raise InputError(f"calibration tokens must be (sequences, length), got shape {tuple(tokens.shape)}")
        self._model = model
        self._blocks = [model.get_submodule(name) for name in blocks]
        self._batches = torch.split(tokens, max(1, batch_tokens // tokens.shape[1]))
        self._device = next(model.parameters()).device
        self._states: list[Tensor] = []
        self._shapes: list[Shape] = [None] * len(blocks)  # of what each answers with
        self.start = 0

    def probe(self, num_tokens: int) -> None:
        """Run the whole model once over the first few tokens."""
        self._model(input_ids=self._batches[0][:1, :num_tokens].to(self._device), use_cache=False)

    def run(self, stop: int | None, *, keep: bool) -> None:
        """Run every batch from the start through block ``stop - 1``, or to the model's end where it is None.

        ``keep`` moves the start there: later legs go on from the states that this one ends with.
        """
        ends: list[Tensor] = []
        for index, batch in enumerate(self._batches):
            with self._shortcut(index), self._finish(stop, ends if keep else None), suppress(_LegDone):
                self._model(input_ids=batch.to(self._device), use_cache=False)
        if keep and stop is not None:
            self.start, self._states = stop, ends

    @contextmanager
    def _shortcut(self, index: int) -> Iterator[None]:
        """Let the blocks in front of the start answer with the kept states of one batch."""
        with ExitStack() as undo:
            for block, shape in zip(self._blocks[: self.start], self._shapes, strict=False):
                state = self._states[index]
                undo.callback(give_forward, block, vars(block).get("forward"))
                vars(block)["forward"] = _handing_on(state, shape)
            yield

    @contextmanager
    def _finish(self, stop: int | None, ends: list[Tensor] | None) -> Iterator[None]:
        """Note what the leg's blocks answer, keep the last answer in ``ends``, and leave the forward there."""

        def note(position: int) -> Callable[[nn.Module, object, Any], None]:
            def hook(block: nn.Module, inputs: object, output: Any) -> None:
                self._shapes[position] = shape_of(output)
                if stop is not None and position == stop - 1:
                    if ends is not None:
                        ends.append(hidden_of(output).detach())
                    raise _LegDone

            return hook

        with ExitStack() as hooks:
            for position in range(self.start, len(self._blocks) if stop is None else stop):
                hooks.callback(self._blocks[position].register_forward_hook(note(position)).remove)
            yield


def _handing_on(state: Tensor, shape: Shape) -> Callable[..., Any]:
    """A block's forward that answers with ``state``."""

    def forward(*_: object, **__: object) -> Any:
        return shaped(state.clone(), shape)  # some blocks add to their input in place

    return forward


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off for a while."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
