"""A table that grows row by row in blocks: nothing is copied, and no row takes more than its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spaces.space import Space

ROWS_IN_BLOCK = 4096


class Rows:
    """Records of one structured NumPy type, by number."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._blocks: list[NDArray[np.void]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Any:  # np.void: its fields are read and written by name
        """A view of one record.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= number < self._count:
            raise IndexError(f"row must be from 0 to {self._count - 1}, got {number}")
        return self._blocks[number // ROWS_IN_BLOCK][number % ROWS_IN_BLOCK]

    def append(self, *values: object) -> int:
        """Add a record, one value for each field; its number."""
        if self._count == len(self._blocks) * ROWS_IN_BLOCK:
            self._blocks.append(np.empty(ROWS_IN_BLOCK, self._dtype))
        number, self._count = self._count, self._count + 1
        self._blocks[-1][number % ROWS_IN_BLOCK] = values
        return number

    def column(self, field: str) -> NDArray[Any]:
        """A copy of one field of all records."""
        return np.concatenate([np.empty(0, self._dtype), *self._blocks])[field][: self._count].copy()


def levels_type(space: Space) -> np.dtype[Any]:
    """Of a field that holds one level for each unit of a space: a byte each, unless a unit has options beyond 256."""
    most = max((len(unit.options) for unit in space.units), default=1)
    return np.dtype((np.min_scalar_type(most - 1), (len(space.units),)))
