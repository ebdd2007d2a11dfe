"""Round to nearest: every weight takes the nearest value of its group's grid, whatever the inputs are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from compressors.grid import Lanes, fit_grid, scale_dtype
from compressors.quantized import QuantizedWeight
from compressors.solvers import check_problem, computation_dtype
from spaces.option import Quantize

VERSION = 1


def rtn(
    weights: Sequence[Tensor],  # each (out, in)
    hessian: Tensor | None,  # not read
    options: Sequence[Quantize],
) -> list[list[QuantizedWeight]]:  # for each weight, for each option
    """Round each weight to its grid: a `compressors.solvers.Solver`.

    No weight moves by more than half its stored scale (`compressors.grid.fit_grid`).
    """
    check_problem(weights, hessian, options)
    dtype = computation_dtype(weights)
    return [[_round_one(weight.to(dtype), option) for option in options] for weight in weights]


def _round_one(weight: Tensor, option: Quantize) -> QuantizedWeight:
    rows, columns = weight.shape
    lanes = Lanes.of([option], [weight])
    groups = weight.T.reshape(option.num_groups(columns), -1, rows)  # (groups, g, n)
    grid = fit_grid(groups, lanes)
    codes = (groups / grid.divisor.unsqueeze(1)).round_().add_(grid.zero.unsqueeze(1))
    codes = codes.clamp_(min=0).minimum(lanes.top)
    return QuantizedWeight.from_codes(
        codes.to(torch.uint8).reshape(columns, rows).T,
        grid.scale.T.to(scale_dtype(weight, option)),
        grid.zero.T.to(torch.uint8),
        option,
    )
