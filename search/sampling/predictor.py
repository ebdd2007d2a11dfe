"""A cheap guess of the loss from levels, fitted to what was measured.

A layer's loss grows about linearly with the squared error of its output (HIGGS, arXiv:2411.17525), which the bank
recorded for every option. So each unit is one feature, its recorded error, and the weights are learned: far fewer than
one for every option.

Axes: n configurations, u units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from search.strategy import Problem
from spaces.option import DROP, Banked, Option
from spaces.space import Levels

Kind = Literal["ridge", "rbf"]
KINDS = ("ridge", "rbf")
Floats: TypeAlias = NDArray[np.float64]
Predict: TypeAlias = Callable[[NDArray[np.int64]], Floats]  # (n, u) levels -> (n,) losses

PENALTIES = np.logspace(-7, 0, 15)  # tried by cross-validation, relative to the largest squared singular value
SMOOTHING = 0.1  # of the radial basis, in units of the losses' variance: they are means of a few sequences
DROPPED_ERROR = 1.0  # a dropped part loses all of its output


class Features:
    """Levels as numbers that the loss is nearly linear in."""

    def __init__(self, problem: Problem) -> None:
        space = problem.space

        def error(layer: str, option: Option) -> float:
            if isinstance(option, Banked):
                return problem.errors(layer, option).output
            return DROPPED_ERROR if option == DROP else 0.0

        self._errors = [  # for each unit (options,)
            np.array([sum(error(space.layers[index].name, option) for index in unit.layers) for option in unit.options])
            for unit in space.units
        ]

    def of(self, levels: Sequence[Levels] | NDArray[np.int64]) -> Floats:  # (n, u)
        """Recorded errors of the chosen options, each unit's scaled to a largest of 1."""
        table = np.asarray(levels, dtype=np.int64)
        columns = [errors[table[:, unit]] / max(errors.max(), 1e-300) for unit, errors in enumerate(self._errors)]
        return np.stack(columns, axis=1)


def fit(kind: Kind, features: Features, levels: Sequence[Levels], losses: Sequence[float]) -> Predict:
    """A predictor of the loss. Broken candidates, whose loss is infinite, count as the worst that is not."""
    target = np.array(losses, dtype=np.float64)
    finite = target[np.isfinite(target)]
    target = np.where(np.isfinite(target), target, finite.max(initial=0.0))
    inputs = features.of(levels)
    learned = _ridge(inputs, target) if kind == "ridge" else _radial(inputs, target)
    return lambda table: learned(features.of(table))


def _ridge(inputs: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Linear, with the penalty of the least generalised cross-validation error (Golub et al. 1979)."""
    centre, mean = inputs.mean(axis=0), target.mean()
    left, values, right = np.linalg.svd(inputs - centre, full_matrices=False)
    along = left.T @ (target - mean)
    scale = float(values[0]) ** 2 or 1.0

    def error(penalty: float) -> float:
        kept = values**2 / (values**2 + penalty * scale)
        rest = target - mean - left @ (kept * along)
        freedom = max(1e-12, 1 - (float(kept.sum()) + 1) / len(target))
        return float(rest @ rest) / freedom**2

    penalty = min(PENALTIES, key=error) * scale
    weights = right.T @ (values / (values**2 + penalty) * along)
    return lambda new: mean + (new - centre) @ weights


def _radial(inputs: Floats, target: Floats) -> Callable[[Floats], Floats]:
    """Radial basis functions, smoothed, on the residual of the linear model."""
    linear = _ridge(inputs, target)
    rest = target - linear(inputs)
    deviation = float(rest.std()) or 1.0
    around = RBFInterpolator(inputs, rest / deviation, kernel="linear", smoothing=SMOOTHING)
    return lambda new: linear(new) + deviation * around(new)
