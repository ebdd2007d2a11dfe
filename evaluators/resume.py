"""A live model's forward pass that goes on behind a block, from the hidden state that another pass left there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compressors.answers import Shape, give_forward, hidden_of, shaped
from evaluators.bypasses import pass_on
from evaluators.live import LiveModel
from spaces.configuration import Configuration

logger = logging.getLogger(__name__)

TRIAL_TOKENS = 4
TRIAL_ROUNDINGS = 16  # of the largest logit: the same kernels read the same numbers, but a GPU may split a sum anew
# what a block comes upon that needs more of those before it than their hidden state, when they did not run
MISSED = (RuntimeError, TypeError, ValueError, LookupError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a forward pass begins: behind the first ``depth`` blocks, with the hidden state that they made."""

    depth: int
    state: Tensor  # (B, S, ...)


def forward(
    live: LiveModel,
    tokens: Tensor,  # (B, S)
    start: Start | None,
    keep: int,
) -> tuple[Tensor, Mapping[int, Tensor]]:  # logits (B, S, V) in the model's dtype
    """Run what is loaded, and return the states behind those of the first ``keep`` blocks that ran, by their number.

    Embedding, positions and masks are made anew: they cost next to nothing.
    """
    states: dict[int, Tensor] = {}
    with (
        torch.inference_mode(),
        _taken_over(live, start),
        _noted(live, range(start.depth if start else 0, keep), states),
    ):
        logits: Tensor = live.model(input_ids=tokens.to(live.device), use_cache=False).logits
    return logits, states


def state_bytes(live: LiveModel) -> int | None:
    """What one token's hidden state takes, or None where passes of this model cannot go on behind its blocks.

    Tried on a short text behind every block: some models hand on more than a hidden state from block to block.
    """
    live.apply(Configuration.of({}))
    tokens = torch.arange(TRIAL_TOKENS)[None]
    whole, states = forward(live, tokens, None, len(live.anatomy.blocks))
    for number, name in enumerate(live.anatomy.blocks):
        fault = _fault(live, tokens, states.get(number), number + 1, whole)
        if fault is not None:
            logger.warning("every candidate is computed from its first block on: behind %s, %s", name, fault)
            return None
    return states[0].nbytes // TRIAL_TOKENS


def _fault(live: LiveModel, tokens: Tensor, state: Tensor | None, depth: int, whole: Tensor) -> str | None:
    """What goes wrong when a pass goes on behind the first ``depth`` blocks, if anything does."""
    if state is None:
        return "which did not run, there is nothing to go on from"
    try:
        logits, _ = forward(live, tokens, Start(depth=depth, state=state), 0)
    except MISSED as error:
        return f"the next lack something that it hands on ({type(error).__name__}: {error})"
    moved = float((logits - whole).abs().max())
    limit = TRIAL_ROUNDINGS * torch.finfo(whole.dtype).eps * float(whole.abs().max())
    return None if moved <= limit else f"the logits of a pass that goes on there move by {moved:.2g}"


@contextmanager
def _taken_over(live: LiveModel, start: Start | None) -> Iterator[None]:
    """Within, the blocks before the start pass on what they get, and the last of them answers with its state."""
    with ExitStack() as undo:
        if start is not None:
            for name in live.anatomy.blocks[: start.depth]:
                block = live.model.get_submodule(name)
                undo.callback(give_forward, block, vars(block).get("forward"))
                block.forward = pass_on(live.shapes[name])
            block.forward = _answer(start.state, live.shapes[name])
        yield


@contextmanager
def _noted(live: LiveModel, wanted: range, states: dict[int, Tensor]) -> Iterator[None]:
    """Within, the states behind the ``wanted`` blocks are copied as they come."""
    with ExitStack() as hooks:
        for number in wanted:
            block = live.model.get_submodule(live.anatomy.blocks[number])
            hooks.callback(block.register_forward_hook(_note(states, number)).remove)
        yield


def _answer(state: Tensor, shape: Shape) -> Callable[..., Any]:
    def forward(*inputs: object, **named: object) -> Any:
        return shaped(state.clone(), shape)  # some blocks add to their input in place

    return forward


def _note(states: dict[int, Tensor], number: int) -> Callable[[nn.Module, object, Any], None]:
    def hook(module: nn.Module, inputs: object, output: Any) -> None:
        states[number] = hidden_of(output).clone()

    return hook
