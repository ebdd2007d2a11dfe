"""Whole numbers by digest, for what grows with a search: 12 bytes each, where a dictionary takes ten times that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KEY_DIGITS = 16  # hex digits, 64 bits: the odds that two of a million contents share them are 3 in 10^8
NUM_RECENT = 1024  # wait in a dictionary before they are sorted in among the others


class Digests:
    """A number for each digest, which is the hex of a hash of content, of at least 64 bits."""

    def __init__(self) -> None:
        self._keys: NDArray[np.uint64] = np.empty(0, np.uint64)  # rising
        self._numbers: NDArray[np.int32] = np.empty(0, np.int32)  # of each key
        self._recent: dict[int, int] = {}  # none of them among the keys

    def __len__(self) -> int:
        return len(self._keys) + len(self._recent)

    def __contains__(self, digest: str) -> bool:
        return self.get(digest) is not None

    def get(self, digest: str) -> int | None:
        """Its number; None where it has none yet."""
        key = int(digest[:KEY_DIGITS], 16)
        place = self._place(key)
        return self._recent.get(key) if place is None else int(self._numbers[place])

    def put(self, digest: str, number: int) -> None:
        """Give it a number, or another one."""
        key = int(digest[:KEY_DIGITS], 16)
        place = self._place(key)
        if place is not None:
            self._numbers[place] = number
            return
        self._recent[key] = number
        if len(self._recent) >= NUM_RECENT:
            self._sort_in()

    def _place(self, key: int) -> int | None:
        place = int(np.searchsorted(self._keys, np.uint64(key)))
        return place if place < len(self._keys) and int(self._keys[place]) == key else None

    def _sort_in(self) -> None:
        keys = np.concatenate([self._keys, np.fromiter(self._recent.keys(), np.uint64)])
        numbers = np.concatenate([self._numbers, np.fromiter(self._recent.values(), np.int32)])
        order = np.argsort(keys, kind="stable")
        self._keys, self._numbers, self._recent = keys[order], numbers[order], {}
