"""The weight of a layer's module as a matrix (out, in), whichever way the module stores it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spaces.errors import InputError


def weight_of(module: nn.Module) -> Tensor:  # (out, in), a view: writing to it writes to the module
    """The module's weight, one row for each output (for an embedding: for each token).

    Raises:
        InputError: the module is no linear layer and no embedding.
    """
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor) and weight.ndim == 2:
        if isinstance(module, nn.Linear | nn.Embedding):
            return weight.detach()
        if _is_conv1d(module):
            return weight.detach().T
    raise InputError(
        f"a layer must be a Linear, Conv1D or Embedding with a matrix of weights, got {type(module).__name__}; "
        f"exclude it from the space"
    )


def write_weight(
    module: nn.Module,
    weight: Tensor,  # (out, in), any dtype and device
) -> None:
    """Overwrite the module's weight in place, so tied modules and optimizers keep seeing it.

    Raises:
        InputError: the shapes differ, or the module is no layer.
    """
    target = weight_of(module)
    if target.shape != weight.shape:
        raise InputError(f"the weight must have shape {tuple(target.shape)}, got {tuple(weight.shape)}")
    with torch.no_grad():
        target.copy_(weight)


def _is_conv1d(module: nn.Module) -> bool:
    # by name: numerics import no transformers, whose GPT-2 layer this is; it stores (in, out)
    return any(base.__name__ == "Conv1D" for base in type(module).__mro__)
