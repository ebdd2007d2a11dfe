"""The grid of values that one group of weights may take: a 16-bit scale and a zero point, fitted to their range.

Axes: g weights of a group, n lanes (one output row of one layer under one option); leading axes are free.
A weight becomes ``scale * (code - zero)`` with an unsigned code of at most ``top = 2**bits - 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.option import Quantize

# GPTQ moves weights before it fits their group: a scale near float16's largest could leave its range meanwhile
_HEADROOM = 2.0


@dataclass(frozen=True, kw_only=True)
class Lanes:
    """What each lane's grid may hold."""

    top: Tensor  # (n,) the largest code, in the dtype of computation
    is_symmetric: Tensor  # bool (n,)
    is_wide: Tensor  # bool (n,) scales are stored in bfloat16, not float16

    @classmethod
    def of(cls, options: Sequence[Quantize], weights: Sequence[Tensor]) -> Lanes:
        """The lanes of every row of every weight (out, in), for the first option, then for the next."""
        like = weights[0]
        rows = torch.tensor([weight.shape[0] for weight in weights], device=like.device)
        wide = [[scale_dtype(weight, option) is torch.bfloat16 for weight in weights] for option in options]
        tops = like.new_tensor([2.0**option.bits_per_code - 1 for option in options])
        symmetric = torch.tensor([option.symmetric for option in options], device=like.device)
        return cls(
            top=tops.repeat_interleave(int(rows.sum())),
            is_symmetric=symmetric.repeat_interleave(int(rows.sum())),
            is_wide=torch.tensor(wide, device=like.device).repeat_interleave(rows, dim=1).flatten(),
        )


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The scale and zero point of every group, in the dtype of computation."""

    scale: Tensor  # (..., n) exactly representable in 16 bits
    zero: Tensor  # (..., n) whole numbers in [0, top]
    divisor: Tensor  # (..., n) the scale, or 1 where it is zero


def fit_grid(
    weights: Tensor,  # (..., g, n)
    lanes: Lanes,
) -> Grid:
    """The grid that spans each group's range and zero.

    Asymmetric: the range is ``[min(0, lowest), max(0, highest)]`` and zero itself is on the grid.
    Symmetric: the range is twice the largest magnitude, over all ``2**bits`` codes, zero at ``2**(bits-1)``.
    The scale is rounded *up* to its 16 bits before any code is computed. So no weight of the group moves by
    more than half the stored scale, which exceeds the exact one by at most one part in 2**10 for float16 (its
    subnormals apart) and in 2**7 for bfloat16. A group of zeros has scale 0 and stays exactly zero.
    """
    low = weights.amin(-2).clamp(max=0)
    exact = _exact_scale(weights, lanes.top, lanes.is_symmetric)
    scale = torch.where(lanes.is_wide, _round_up(exact, torch.bfloat16), _round_up(exact, torch.float16))
    divisor = torch.where(scale > 0, scale, 1.0)
    zero = (-low / divisor).round().clamp(min=0).minimum(lanes.top)
    return Grid(scale=scale, zero=torch.where(lanes.is_symmetric, (lanes.top + 1) / 2, zero), divisor=divisor)


def scale_dtype(
    weight: Tensor,  # (out, in)
    option: Quantize,
) -> torch.dtype:
    """The type in which ``option`` stores the scales of ``weight``.

    float16, or bfloat16 where a scale that is not zero lies outside float16's normal range: it has three
    significant bits less and all of float32's exponents, so weights of 1e-30 or 1e30 survive.
    """
    groups = weight.reshape(weight.shape[0], option.num_groups(weight.shape[1]), -1).transpose(-1, -2)
    top = groups.new_tensor(2.0**option.bits_per_code - 1)
    scale = _exact_scale(groups, top, torch.tensor(option.symmetric, device=weight.device))
    limits = torch.finfo(torch.float16)
    is_outside = (scale > limits.max / _HEADROOM) | ((scale < limits.tiny) & (scale > 0))
    return torch.bfloat16 if bool(is_outside.any()) else torch.float16


def _exact_scale(weights: Tensor, top: Tensor, is_symmetric: Tensor) -> Tensor:  # (..., g, n) -> (..., n)
    low, high = weights.amin(-2).clamp(max=0), weights.amax(-2).clamp(min=0)
    extent = torch.where(is_symmetric, 2 * torch.maximum(high, -low), high - low)
    return extent / top


def _round_up(scale: Tensor, dtype: torch.dtype) -> Tensor:
    """The smallest value of ``dtype`` that is not below ``scale``, in the scale's own dtype."""
    bounded = scale.clamp(max=torch.finfo(dtype).max)
    near = bounded.to(dtype)
    above = (near.view(torch.int16) + 1).view(dtype)  # positive floats are ordered as their bits
    return torch.where(near.to(scale.dtype) < bounded, above, near).to(scale.dtype)
