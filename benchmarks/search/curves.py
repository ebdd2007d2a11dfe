"""Loss against tokens: what a method would have answered, had it been stopped there. Nothing is interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-9  # of a mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One run. From ``tokens[i]`` on, and until the next, its answer would lose ``loss[i]``; before, it has none."""

    tokens: np.ndarray  # float64 (points,), rising
    loss: np.ndarray  # float64 (points,)
    has_gaps: bool = False  # between its points it had answers that nobody looked at

    def at(self, tokens: float) -> float:
        """The loss of the answer after so many tokens; NaN before the first."""
        place = self.place(tokens)
        return float("nan") if place is None else float(self.loss[place])

    def place(self, tokens: float) -> int | None:
        """The number of the last point that so many tokens have reached."""
        place = int(np.searchsorted(self.tokens, tokens, side="right")) - 1
        return place if place >= 0 else None

    def reach(self, target: float) -> Reach | None:
        """The first point at or below ``target``, which may be the mean of several equal losses."""
        below = np.flatnonzero(self.loss <= target * (1 + ROUNDING))
        if not len(below):
            return None
        first = int(below[0])
        return Reach(after=float(self.tokens[max(0, first - self.has_gaps)]), by=float(self.tokens[first]))


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Tokens to a target: more than ``after`` and at most ``by``, or both alike where every answer is known."""

    after: float
    by: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Band:
    """Several runs at the same token counts; NaN where one of them has no answer yet."""

    tokens: np.ndarray  # (points,)
    low: np.ndarray
    middle: np.ndarray  # the median
    high: np.ndarray


def band(curves: Sequence[Curve]) -> Band:
    """The least, the median and the largest loss of the runs wherever one of them changes."""
    tokens = np.unique(np.concatenate([curve.tokens for curve in curves]))
    losses = np.array([[curve.at(each) for each in tokens] for curve in curves])
    return Band(tokens=tokens, low=losses.min(axis=0), middle=np.median(losses, axis=0), high=losses.max(axis=0))


def median_reach(curves: Sequence[Curve], target: float) -> Reach | None:
    """The median over runs of the tokens to the target; None unless more than half of them reach it.

    A run that never gets there counts as later than all others. With an even number, the later of the two in the
    middle: half a run is none.
    """
    reached = [reach for curve in curves if (reach := curve.reach(target)) is not None]
    middle = len(curves) // 2
    if middle >= len(reached):
        return None
    after, by = (sorted(bounds)[middle] for bounds in zip(*((each.after, each.by) for each in reached), strict=True))
    return Reach(after=after, by=by)


def checkpoints(tokens: Sequence[int], end: int, count: int, also: Sequence[int] = ()) -> list[int]:
    """The places in ``tokens``, which rise, of the answers to be looked at: all, if they are no more than ``count``.

    Otherwise those in force at ``count`` token counts from the first to ``end``, evenly spread on a logarithmic
    scale, and at the counts ``also``.
    """
    if len(tokens) <= count:
        return list(range(len(tokens)))
    grid = [tokens[0], *np.geomspace(max(1, tokens[0]), end, count)[1:-1], end, *also]
    places = np.searchsorted(np.asarray(tokens), np.asarray(grid), side="right") - 1
    return sorted({int(place) for place in places if place >= 0})


def in_force_near(tokens: Sequence[int], count: float, near: float) -> range:
    """The places in ``tokens``, which rise, of the answers in force within a share ``near`` of ``count``."""
    first, last = np.searchsorted(np.asarray(tokens), [count * (1 - near), count * (1 + near)], side="right") - 1
    return range(max(0, int(first)), int(last) + 1)
