"""How much a quantized weight differs from the dense one: the errors kept with every bank entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compressors.compressed import CompressedWeight


@dataclass(frozen=True, kw_only=True)
class EntryErrors:
    """Relative squared errors of one weight W that became W + D.

    ``weight`` is ``||D||^2 / ||W||^2``; ``output`` is ``tr(D H D^T) / tr(W H W^T)``, which is the error of the
    layer's output over the calibration tokens (L-GreCo's score, Alimohammadi et al. 2023, arXiv:2210.17357).
    """

    weight: float
    output: float


def measure_errors(
    weight: Tensor,  # (out, in)
    quantized: Sequence[CompressedWeight],
    hessian: Tensor | None,  # (in, in); None: as if every input were independent and of equal size
) -> list[EntryErrors]:
    """The errors of each quantized form of ``weight``, accumulated in float64."""
    wide = weight.to(torch.float64)
    metric = None if hessian is None else hessian.to(torch.float64)
    norm, energy = _squared(wide, None), _squared(wide, metric)
    measured = []
    for form in quantized:
        change = form.dequantize(torch.float64) - wide
        measured.append(
            EntryErrors(weight=_ratio(_squared(change, None), norm), output=_ratio(_squared(change, metric), energy))
        )
    return measured


def _squared(matrix: Tensor, metric: Tensor | None) -> float:  # tr(M H M^T)
    mapped = matrix if metric is None else matrix @ metric
    # rounding can leave a tiny negative value where the true one is zero
    return max(0.0, float((mapped * matrix).sum()))


def _ratio(error: float, size: float) -> float:
    """``error / size``; of nothing, 0 where nothing was lost and 1 (all of it) otherwise."""
    if size == 0:
        return 0.0 if error == 0 else 1.0
    return error / size
