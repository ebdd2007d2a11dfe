"""Parts of a live model that can be dropped by degrees, for the derivative of a loss by how far each is.

Axes: ``B`` sequences, ``S`` tokens in each, ``H`` the width of the residual stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from compressors.answers import hidden_of
from evaluators.bypasses import given, place_of_residual, residual
from evaluators.live import LiveModel
from evaluators.sensitivity.deltas import widened


@contextmanager
def gates(live: LiveModel, parts: Sequence[str]) -> Iterator[tuple[Tensor, ...]]:
    """For each part a scalar t of 0, by which to differentiate what the model computes within.

    A part answers with a + t (b - a), where a is what it answers by itself and b what it would once dropped. So t = 0
    is the model as it is and t = 1 the model without the part, for the inputs that it has here. Where a norm follows,
    of that answer alone, a and b are what comes out of the norm: of a smaller answer it makes the same.
    """
    kinds = {part.name: part.part for part in live.anatomy.parts}
    with ExitStack() as hooks:
        opened = []
        for name in parts:
            module = live.model.get_submodule(live.anatomy.modules_of[name][-1])
            norms = [live.model.get_submodule(norm) for norm in live.norms[name]]
            gate = torch.zeros((), dtype=_wide_dtype(live), device=live.device, requires_grad=True)
            hook = _behind(gate, norms) if norms else _opening(gate, is_block=kinds[name] == "block")
            last = norms[-1] if norms else module
            hooks.callback(last.register_forward_hook(hook, with_kwargs=True).remove)
            opened.append(gate)
        yield tuple(opened)


def _wide_dtype(live: LiveModel) -> torch.dtype:
    return torch.promote_types(next(live.model.parameters()).dtype, torch.float32)


def _opening(gate: Tensor, *, is_block: bool) -> Callable[..., Any]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], answer: Any) -> Any:
        whole = hidden_of(answer)  # (B, S, H)
        if is_block:
            without: Tensor | None = given(inputs, named)
        else:
            without = residual(place_of_residual(module), inputs, named)
        hidden = _mixed(whole, without, gate)
        return type(answer)((hidden, *answer[1:])) if isinstance(answer, tuple | list) else hidden

    return hook


def _behind(gate: Tensor, norms: Sequence[nn.Module]) -> Callable[..., Any]:
    def hook(_module: nn.Module, _inputs: object, _named: object, whole: Tensor) -> Tensor:  # (B, S, H)
        without = torch.zeros_like(whole)
        for norm in norms:
            without = norm.forward(without)  # calling it would come back to the hook
        return _mixed(whole, without, gate)

    return hook


def _mixed(whole: Tensor, without: Tensor | None, gate: Tensor) -> Tensor:
    change = -widened(whole) if without is None else widened(without) - widened(whole)
    return (widened(whole) + gate * change).to(whole.dtype)
