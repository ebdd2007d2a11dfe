"""Which of several points no other one beats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Point:
    """A candidate as its front sees it; less is better in everything."""

    size_bytes: int
    loss: float  # finite
    others: tuple[float, ...] = ()  # what else its front weighs, as many for all; infinite where it is not known
    seq: int

    @property
    def values(self) -> tuple[float, ...]:
        return (self.size_bytes, self.loss, *self.others)


def non_dominated(points: Iterable[Point]) -> list[Point]:
    """The points that no other is as good as in everything and better in something; the smallest first.

    Of equal points, all: none beats the other.
    """
    ordered = sorted(points, key=lambda point: (point.values, point.seq))  # what beats a point comes before it
    values = np.array([point.values for point in ordered], dtype=np.float64)
    kept = np.empty_like(values)
    front: list[Point] = []
    for point, own in zip(ordered, values, strict=True):
        is_equal = bool(front) and front[-1].values == point.values
        if is_equal or not (kept[: len(front)] <= own).all(axis=1).any():
            kept[len(front)] = own
            front.append(point)
    return front
