"""The front: the configurations that no other beats in both size and loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def non_dominated(sizes: Sequence[int], losses: Sequence[float]) -> list[int]:
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
