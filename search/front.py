"""Fronts of size against loss: what no other beats, the best of each size, and how much several fronts cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

NUM_BINS = 64
LEAST_LOSS = 1e-6  # nats: below it float32 logits tell losses from rounding no more, and a logarithm has no end
QUARTILES = (0.25, 0.5, 0.75)
ROUNDING = 1e-9  # of a share times a number of fronts: 0.2 of 5 is the first front, whatever floats make of it

T = TypeVar("T")


def non_dominated(sizes: Sequence[int] | NDArray[np.int64], losses: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """Indices of the non-dominated points, smallest first; of equal points only the first.

    A point is dominated when another is no larger and no worse, and better in one. Infinite losses never belong.
    """
    size, loss = np.asarray(sizes, dtype=np.int64), np.asarray(losses, dtype=np.float64)
    order = np.lexsort((np.arange(len(size)), loss, size))
    best = np.inf
    front = []
    for index in order:
        if loss[index] < best:
            best = loss[index]
            front.append(int(index))
    return front


def non_dominated_in_all(
    values: NDArray[np.float64],  # (points, objectives), less is better in each
) -> list[int]:
    """The same of several objectives, in the order of the first, then of the second, and so on."""
    order = np.lexsort((np.arange(len(values)), *values.T[::-1]))
    kept = np.empty_like(values)
    front: list[int] = []
    for index in order:  # what beats a point, or equals it, comes before it
        point = values[index]
        if np.isfinite(point).all() and not (kept[: len(front)] <= point).all(axis=1).any():
            kept[len(front)] = point
            front.append(int(index))
    return front


@dataclass(frozen=True, kw_only=True)
class Elite(Generic[T]):
    """The best of a bin."""

    size: int
    loss: float
    what: T


class Bins(Generic[T]):
    """The configuration of least loss in each of equal stretches from the smallest to the largest size of a space.

    A quality-diversity archive with size as the only trait (MAP-Elites: Mouret and Clune 2015, arXiv:1504.04909). It
    holds what was measured at one fidelity: losses on fewer tokens are losses on other text, and stay outside. The
    order of updates does not matter, but for configurations of one size and one loss, of which the first stays.
    """

    def __init__(self, smallest: int, largest: int, count: int = NUM_BINS) -> None:
        self.smallest = smallest
        self.largest = largest
        self.count = count
        self._elites: dict[int, Elite[T]] = {}

    def update(self, size: int, loss: float, what: T) -> bool:
        """Take ``what`` in where it is the best of its bin so far; a loss that is not finite is not."""
        number = self.number_of(size)
        held = self._elites.get(number)
        if not np.isfinite(loss) or (held is not None and (held.loss, held.size) <= (loss, size)):
            return False
        self._elites[number] = Elite(size=size, loss=loss, what=what)
        return True

    def number_of(self, size: int) -> int:
        """The bin of a size, from 0.

        Raises:
            ValueError: the size is not one of the space.
        """
        if not self.smallest <= size <= self.largest:
            raise ValueError(f"size must be from {self.smallest} to {self.largest}, got {size}")
        return (size - self.smallest) * self.count // (self.largest - self.smallest + 1)

    def elites(self) -> list[Elite[T]]:
        """The best of each bin that has one, smallest first."""
        return [self._elites[number] for number in sorted(self._elites)]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The corner that a front is measured from: nothing larger, and nothing worse, covers anything."""

    size: float
    loss: float


def hypervolume(sizes: Sequence[float], losses: Sequence[float], reference: Reference) -> float:
    """The area between a front and its reference over (size, log loss): units of size times nats of log loss.

    Larger is better, and no two fronts are comparable but from one reference. Losses are positive as people quote them
    (KL, perplexity); what is under ``LEAST_LOSS`` counts as that. Zitzler and Thiele 1998, "Multiobjective
    optimization using evolutionary algorithms".
    """
    size, loss = np.asarray(sizes, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    covers = (size < reference.size) & (loss < reference.loss)  # NaN and infinity do not
    order = np.argsort(size[covers], kind="stable")
    size = np.append(size[covers][order], reference.size)
    gain = np.log(reference.loss) - np.log(np.maximum(loss[covers][order], LEAST_LOSS))
    return float((np.diff(size) * np.maximum.accumulate(gain)).sum()) if len(gain) else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Attainment:
    """The loss that a share of the fronts attain within each size."""

    sizes: NDArray[np.float64]  # (points,), rising: each size at which some front falls
    losses: NDArray[np.float64]  # (shares, points), infinite where too few fronts have anything as small


def attainment(
    fronts: Sequence[tuple[Sequence[float], Sequence[float]]],  # (sizes, losses) of each, in any order
    shares: Sequence[float] = QUARTILES,
) -> Attainment:
    """The empirical attainment surfaces of several fronts, say of one search with several seeds.

    A front attains (size, loss) with a point no larger and no worse. At each size, the surface of share q is the least
    loss that at least q of the fronts attain: the middle one is the median, or the better of two in the middle. Nothing
    is interpolated. Fonseca and Fleming 1996, "On the performance assessment of stochastic multiobjective optimizers".

    Raises:
        ValueError: there is no front, or a share is not above 0 and at most 1.
    """
    if not fronts or not all(0 < share <= 1 for share in shares):
        raise ValueError(f"attainment needs a front and shares above 0 up to 1, got {len(fronts)} and {list(shares)}")
    grid = np.unique(np.concatenate([np.asarray(sizes, dtype=np.float64) for sizes, _ in fronts]))
    attained = np.sort([_least_within(grid, sizes, losses) for sizes, losses in fronts], axis=0)  # (fronts, points)
    ranks = [ceil(share * len(fronts) - ROUNDING) - 1 for share in shares]
    return Attainment(sizes=grid, losses=attained[ranks])


def _least_within(
    grid: NDArray[np.float64],  # (points,), rising
    sizes: Sequence[float],
    losses: Sequence[float],
) -> NDArray[np.float64]:  # (points,)
    """The least loss of one front within each size; infinite before its first point."""
    size, loss = np.asarray(sizes, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    least = np.full(len(grid), np.inf)
    np.fmin.at(least, np.searchsorted(grid, size), loss)
    return np.minimum.accumulate(least)
