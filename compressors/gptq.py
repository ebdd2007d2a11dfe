"""GPTQ: rounds one input column after another and lets the columns still open make up for the error.

Frantar et al. 2023, arXiv:2210.17323, algorithm 1, without act-order.
Axes: k inputs, n lanes (a row of one layer under one option), b columns of a lazy block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compressors.grid import Grid, Lanes, fit_grid, scale_dtype
from compressors.quantized import QuantizedWeight
from compressors.solvers import check_problem, computation_dtype
from spaces.errors import InputError, JobError
from spaces.option import Quantize

VERSION = 1
BLOCK = 128  # columns whose error is handed on to the later ones in one matrix product
DAMPINGS = (0.01, 0.1, 1.0)  # of the mean diagonal: the published value, then two for a Hessian that fails


def gptq(
    weights: Sequence[Tensor],  # each (out, in): layers that are fed the same input
    hessian: Tensor | None,  # (in, in)
    options: Sequence[Quantize],
) -> list[list[QuantizedWeight]]:  # for each weight, for each option
    """Quantize by GPTQ: a `compressors.solvers.Solver`.

    Rows are independent given the Hessian, so the rows of all weights, under all options of one group size,
    are lanes of a single column loop, and one factorisation serves everything.

    Raises:
        InputError: there is no Hessian, besides what every solver raises.
        JobError: the Hessian is not positive definite, even when damped.
    """
    if hessian is None:
        raise InputError("gptq needs the Hessian of the layer's inputs, got None; use rtn for this layer")
    check_problem(weights, hessian, options)
    dtype = computation_dtype(weights)
    cast = [weight.to(dtype) for weight in weights]
    factor = inverse_factor(hessian).to(dtype)
    solved: dict[Quantize, list[QuantizedWeight]] = {}
    for group_size in dict.fromkeys(option.group_size for option in options):
        same = list(dict.fromkeys(option for option in options if option.group_size == group_size))
        solved.update(zip(same, _solve(cast, factor, same), strict=True))
    return [[solved[option][index] for option in options] for index in range(len(weights))]


def inverse_factor(hessian: Tensor) -> Tensor:  # (in, in) -> float64 (in, in)
    """The upper triangular U with ``U^T U`` the inverse of the damped Hessian.

    With J the reversal of the order, ``J H J = L L^T`` gives ``H = R R^T`` for the upper triangular
    ``R = J L J``, hence ``U = R^-1``: one Cholesky, and the inverse itself is never formed.
    An input that is always zero is decoupled from the rest, so it is rounded to nearest. (The paper's
    code sets its weights to zero; other text may use them.)
    """
    wide = hessian.to(torch.float64).clone()
    diagonal = wide.diagonal()
    mean = float(diagonal.abs().mean()) or 1.0
    diagonal[diagonal == 0] = mean
    for damping in DAMPINGS:
        damped = wide + damping * mean * torch.eye(len(wide), dtype=wide.dtype, device=wide.device)
        lower, failed = torch.linalg.cholesky_ex(damped.flip(0, 1))
        if not int(failed):
            identity = torch.eye(len(wide), dtype=wide.dtype, device=wide.device)
            factor: Tensor = torch.linalg.solve_triangular(lower.flip(0, 1), identity, upper=True)
            return factor
    raise JobError(
        f"the Hessian of the layer's inputs must be positive definite, but is not when {DAMPINGS[-1]} of its mean "
        f"diagonal ({mean:.3g}) is added; calibrate on other text, or use rtn for this layer"
    )


@dataclass(frozen=True, kw_only=True)
class _Solution:
    codes: Tensor  # uint8 (k, n)
    scales: Tensor  # (groups, n)
    zeros: Tensor  # (groups, n)


def _solve(
    weights: Sequence[Tensor],  # each (out, k)
    factor: Tensor,  # (k, k)
    options: Sequence[Quantize],  # all of one group size
) -> Iterator[list[QuantizedWeight]]:  # for each option, for each weight
    columns = factor.shape[0]
    lanes = Lanes.of(options, weights)
    stacked = torch.cat(list(weights)).T.repeat(1, len(options))  # (k, n): a column is contiguous
    solution = _solve_lanes(stacked, factor, lanes, options[0].group_size or columns)
    start = 0
    for option in options:
        results = []
        for weight in weights:
            own = slice(start, start + weight.shape[0])
            results.append(
                QuantizedWeight.from_codes(
                    solution.codes[:, own].T,
                    solution.scales[:, own].T.to(scale_dtype(weight, option)),
                    solution.zeros[:, own].T.to(torch.uint8),
                    option,
                )
            )
            start = own.stop
        yield results


def _solve_lanes(
    weights: Tensor,  # (k, n), overwritten
    factor: Tensor,  # (k, k)
    lanes: Lanes,
    group_size: int,
) -> _Solution:
    columns, num_lanes = weights.shape
    codes = torch.empty(columns, num_lanes, dtype=torch.uint8, device=weights.device)
    grids: list[Grid] = []
    block = min(BLOCK, group_size)
    for start in range(0, columns, block):
        stop = min(start + block, columns)
        if start % group_size == 0:
            grids.append(fit_grid(weights[start : start + group_size], lanes))
        errors = _solve_block(
            weights[start:stop], factor[start:stop, start:stop], grids[-1], lanes.top, codes[start:stop]
        )
        weights[stop:].addmm_(factor[start:stop, stop:].T, errors, alpha=-1)
    return _Solution(
        codes=codes,
        scales=torch.stack([grid.scale for grid in grids]),
        zeros=torch.stack([grid.zero for grid in grids]),
    )


def _solve_block(
    weights: Tensor,  # (b, n), overwritten
    factor: Tensor,  # (b, b)
    grid: Grid,  # (n,)
    top: Tensor,  # (n,)
    codes: Tensor,  # uint8 (b, n), written
) -> Tensor:  # (b, n): each column's error over its diagonal entry of the factor
    """Round the columns of one block, each error taken out of the block's later columns at once."""
    errors = torch.empty_like(weights)
    pivots = factor.diagonal().tolist()
    for column, pivot in enumerate(pivots):
        weight, error = weights[column], errors[column]
        code = torch.div(weight, grid.divisor).round_().add_(grid.zero).clamp_(min=0)
        torch.minimum(code, top, out=code)
        codes[column] = code
        torch.sub(weight, code.sub_(grid.zero).mul_(grid.scale), out=error).div_(pivot)
        weights[column + 1 :].addr_(factor[column, column + 1 :], error, alpha=-1)
    return errors
