"""Blocks that hand on what they get once their attention and their MLP add nothing: found by running them without."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from spaces.discovery import Anatomy
from spaces.skeleton import skeleton

# A part hands back its output alone, or a tuple whose first is it. The zeros of a stand-in are as good as a tuple of
# as many zeros as the batch is long, so that one of these lengths suits whoever takes it apart.
BATCHES = (2, 3, 4)
TOKENS = 3
MOST_PARAMETERS = 1 << 24  # beside attention and MLP a block has norms and biases; what has more is another kind


def hollow_blocks(anatomy: Anatomy) -> frozenset[int]:
    """The numbers of the blocks that are the identity when both their parts are dropped.

    So are blocks with norms before or after their parts, and with both parts side by side; not so where the sum is
    normed or scaled, or where something else adds to it. None where the model's config is not known.
    """
    if anatomy.config is None:
        return frozenset()
    return _found(_Model(config=anatomy.config.to_json_string(use_diff=False), anatomy=anatomy))


@dataclass(frozen=True)
class _Model:
    config: str
    anatomy: Anatomy = field(compare=False)


@lru_cache(maxsize=32)
def _found(model: _Model) -> frozenset[int]:
    anatomy = model.anatomy
    assert anatomy.config is not None
    made = skeleton(anatomy.config).eval()
    width = int(anatomy.config.get_text_config().hidden_size)
    return frozenset(
        number
        for number, name in enumerate(anatomy.blocks)
        if _is_known(anatomy, number) and _hands_on(_without_parts(made, anatomy, number), width)
    )


def _is_known(anatomy: Anatomy, number: int) -> bool:
    """Whether the block has an attention and an MLP, and no linear layer in neither."""
    block = anatomy.blocks[number]
    parts = [part for part in anatomy.parts if part.block == number]
    rest = next(part.other_parameters for part in parts if part.part == "block")
    outside = any(layer.inside == (block,) for layer in anatomy.weights)
    return len(parts) == 3 and not outside and rest <= MOST_PARAMETERS


def _without_parts(made: nn.Module, anatomy: Anatomy, number: int) -> nn.Module:
    """The block with stand-ins for its parts, and random numbers in all that is left of it."""
    for part in anatomy.parts:
        if part.block == number and part.part != "block":
            for name in anatomy.modules_of[part.name]:
                parent, _, last = name.rpartition(".")
                setattr(made.get_submodule(parent), last, _Nothing())
    block = made.get_submodule(anatomy.blocks[number]).to_empty(device="cpu").to(torch.float32)
    for tensor in (*block.parameters(), *block.buffers()):
        if tensor.is_floating_point():
            tensor.data = _random(*tensor.shape)
    return block


def _random(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(len(shape))) + 0.5


class _Nothing(nn.Module):
    """Gives zeros of the shape of what it is given."""

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        return torch.zeros_like(next(value for value in (*inputs, *named.values()) if isinstance(value, Tensor)))


def _hands_on(block: nn.Module, width: int) -> bool:
    return any(_is_same(block, _random(batch, TOKENS, width)) for batch in BATCHES)


@torch.inference_mode()
def _is_same(block: nn.Module, hidden: Tensor) -> bool:
    try:
        output = block(hidden.clone(), **dict.fromkeys(_needed(block)))
    except (TypeError, ValueError, AttributeError, RuntimeError, IndexError):  # it needs more than a hidden state
        return False
    found = output if isinstance(output, Tensor) else output[0]
    return isinstance(found, Tensor) and torch.equal(found, hidden)


def _needed(block: nn.Module) -> Iterable[str]:
    """The arguments behind the hidden state that have no default: all of them are for the attention."""
    _hidden, *others = inspect.signature(block.forward).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in others if each.default is inspect.Parameter.empty and each.kind in kinds]
