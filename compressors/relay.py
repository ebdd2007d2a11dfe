"""Runs calibration batches through a model leg by leg, so that no block is computed twice on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import torch
from torch import Tensor, nn

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
        self._tuple_lengths = [0] * len(blocks)  # 0: the block answers with a bare tensor
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
            for block, length in zip(self._blocks[: self.start], self._tuple_lengths, strict=False):
                state = self._states[index]
                undo.callback(_restore_forward, block, vars(block).get("forward"))
                vars(block)["forward"] = _handing_on(state, length)
            yield

    @contextmanager
    def _finish(self, stop: int | None, ends: list[Tensor] | None) -> Iterator[None]:
        """Note what the leg's blocks answer, keep the last answer in ``ends``, and leave the forward there."""

        def note(position: int) -> Callable[[nn.Module, object, Tensor | tuple[Tensor, ...]], None]:
            def hook(block: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
                self._tuple_lengths[position] = len(output) if isinstance(output, tuple) else 0
                if stop is not None and position == stop - 1:
                    if ends is not None:
                        ends.append((output[0] if isinstance(output, tuple) else output).detach())
                    raise _LegDone

            return hook

        with ExitStack() as hooks:
            for position in range(self.start, len(self._blocks) if stop is None else stop):
                hooks.callback(self._blocks[position].register_forward_hook(note(position)).remove)
            yield


def _handing_on(state: Tensor, length: int) -> Callable[..., Tensor | tuple[Tensor | None, ...]]:
    """A block's forward that answers with ``state``, alone or at the head of a tuple whose rest nobody reads."""

    def forward(*_: object, **__: object) -> Tensor | tuple[Tensor | None, ...]:
        copy = state.clone()  # some blocks add to their input in place
        return (copy, *[None] * (length - 1)) if length else copy

    return forward


def _restore_forward(block: nn.Module, own: object) -> None:
    if own is None:
        del block.__dict__["forward"]
    else:
        block.__dict__["forward"] = own


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
