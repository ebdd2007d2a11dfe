"""What a block or a part of it answers with: a hidden state, alone or at the head of a tuple or a list."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

Shape = tuple[type[list[Any]] | type[tuple[Any, ...]], int] | None  # what holds the state, and how long; None: nothing


def shape_of(answer: Any) -> Shape:
    """The form of an answer, in which `shaped` gives another."""
    if isinstance(answer, list):
        return list, len(answer)
    return (tuple, len(answer)) if isinstance(answer, tuple) else None


def hidden_of(answer: Any) -> Tensor:
    """The hidden state of an answer, or of the inputs of a block: it comes first."""
    hidden: Tensor = answer[0] if isinstance(answer, tuple | list) else answer
    return hidden


def shaped(hidden: Tensor, shape: Shape) -> Any:
    """An answer whose hidden state is ``hidden``: the rest of it is for caches, which nobody uses."""
    if shape is None:
        return hidden
    made, length = shape
    return made((hidden, *([None] * (length - 1))))


def give_forward(module: nn.Module, own: Any) -> None:
    """Give a module the forward that it had of its own, or that of its class."""
    if own is None:
        del module.__dict__["forward"]
    else:
        module.__dict__["forward"] = own
