"""How much of a layer's largest gain a compressed weight may have lost: operator norms, without a forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from compressors.weights import weight_of
from evaluators.evaluator import Evaluator
from evaluators.sensitivity.deltas import Deltas, widened
from evaluators.statistic import Entry, Passes, Samples
from spaces.configuration import Configuration
from spaces.errors import JobError

MAX_STEPS = 256  # of Lanczos: rounding errors, whose singular values crowd at the top, take 10 to 60
TOLERANCE = 1e-5  # of the relative residual; the value's own error is about its square


@dataclass(frozen=True, kw_only=True)
class OperatorErrors:
    """sigma_1(dW) / sigma_1(W) of ``changes``; a sample is one of them. Changes of one layer best stand together.

    ``ratios`` (samples,), float64. Of a weight of zeros: 0 where it stays so, else 1.
    """

    name: ClassVar[str] = "operator-error"
    version: ClassVar[int] = 1

    changes: tuple[Entry, ...]

    def num_sequences(self, length: int) -> int:
        return 0

    def entries(self) -> tuple[Entry, ...]:
        return self.changes

    def passes(self, length: int) -> Passes:
        return Passes()

    def samples(self, evaluator: Evaluator, start: int, stop: int) -> Samples:
        evaluator.live.apply(Configuration.of({}))
        deltas = Deltas(evaluator.live, memory_bytes=0)
        ratios, norms = np.zeros(stop - start), {}
        for row, (layer, option) in enumerate(self.changes[start:stop]):
            if layer not in norms:
                norms = {layer: operator_norm(weight_of(evaluator.live.model.get_submodule(layer)))}
            error = operator_norm(deltas.of((layer, option)))
            ratios[row] = _ratio(error, norms[layer])
            if not np.isfinite(ratios[row]):
                raise JobError(
                    f"the weight of {layer}, dense or as {option.slug}, has values that are NaN or infinite; "
                    f"mend the checkpoint or exclude the layer"
                )
        return {"ratios": ratios}


def operator_norm(matrix: Tensor) -> float:  # (rows, columns)
    """The largest singular value, by Lanczos bidiagonalization with full reorthogonalization.

    Golub and Kahan 1965, "Calculating the singular values and pseudo-inverse of a matrix". The start is a fixed draw,
    so that the answer is the same every time. But for rounding it never exceeds the true value. A step is two products
    with the matrix, where all its singular values would take as many steps as it has rows or columns. NaN if a value
    of the matrix is NaN or infinite.
    """
    wide = widened(matrix)
    scale = float(wide.abs().amax()) if wide.numel() else 0.0
    if scale == 0:
        return 0.0
    return scale * _lanczos(wide / scale) if np.isfinite(scale) else float("nan")  # no square over- or underflows


def _lanczos(matrix: Tensor) -> float:  # (rows, columns), of largest magnitude 1
    """Grows orthonormal rows U and V with U matrix = B V for a bidiagonal B, whose norm rises to that of the matrix."""
    rows, columns = matrix.shape
    steps = min(rows, columns, MAX_STEPS)
    lefts, rights = matrix.new_zeros(steps, rows), matrix.new_zeros(steps + 1, columns)
    bidiagonal = torch.zeros(steps, steps + 1, dtype=torch.float64)
    draw = torch.from_numpy(np.random.default_rng(0).standard_normal(columns)).to(matrix)
    rights[0] = draw / torch.linalg.vector_norm(draw)
    for step in range(steps):
        bidiagonal[step, step] = _append(lefts, step, matrix @ rights[step])
        bidiagonal[step, step + 1] = _append(rights, step + 1, matrix.T @ lefts[step])
        left, values, _ = torch.linalg.svd(bidiagonal[: step + 1, : step + 1])
        if float(bidiagonal[step, step + 1] * left[step, 0].abs()) <= TOLERANCE * float(values[0]):
            break
    return float(torch.linalg.matrix_norm(bidiagonal, 2))  # rows of steps not taken are zero


def _append(basis: Tensor, count: int, vector: Tensor) -> float:
    """Add ``vector`` as the next row, orthogonal to the first ``count`` and normalized; returns what its length was."""
    for _ in range(2):  # once leaves rounding errors along the rows, twice does not
        vector = vector - basis[:count].T @ (basis[:count] @ vector)
    length = float(torch.linalg.vector_norm(vector))
    if length > 0:
        basis[count] = vector / length
    return length


def _ratio(error: float, size: float) -> float:
    if size == 0:
        return 0.0 if error == 0 else 1.0
    return error / size
