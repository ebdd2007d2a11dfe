"""What a dropped part answers with: a block what it was given, an attention or MLP nothing of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from compressors.answers import Shape, hidden_of, shaped

RESIDUAL = "residual"  # the parameter of an attention or MLP that adds to the stream itself


def pass_on(shape: Shape) -> Callable[..., Any]:
    """A block's forward that returns the hidden state as it came, in the form that ``LiveModel.shapes`` gives."""

    def forward(*inputs: Any, **named: Any) -> Any:
        return shaped(given(inputs, named), shape)

    return forward


def add_nothing(shape: Shape, place: int | None) -> Callable[..., Any]:
    """The forward of an attention or MLP that adds nothing to the residual stream; ``place`` as found there."""

    def forward(*inputs: Any, **named: Any) -> Any:
        stream = residual(place, inputs, named)
        return shaped(torch.zeros_like(given(inputs, named)) if stream is None else stream, shape)

    return forward


def place_of_residual(part: nn.Module) -> int | None:
    """Where an attention or MLP takes the residual stream, to add to it itself (BLOOM, MPT); most leave that to
    their block."""
    names = list(inspect.signature(type(part).forward).parameters)
    return names.index(RESIDUAL) - 1 if RESIDUAL in names else None


def residual(place: int | None, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor | None:
    """The residual stream that a part was given to add to, if it was."""
    if place is None:
        return None
    stream: Tensor = named[RESIDUAL] if RESIDUAL in named else inputs[place]
    return stream


def given(inputs: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor:
    """The hidden state that a block or a part of it was called with."""
    return hidden_of(inputs or named["hidden_states"])
