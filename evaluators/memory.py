"""Things kept in memory within a limit of bytes; what was used least recently is forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Values by key. A limit of 0 keeps nothing; a value larger than the limit is never kept."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.num_bytes = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()  # the least recently used first

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None where it was never kept, or is forgotten."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: K, value: V, num_bytes: int) -> None:
        """Keep a value that takes ``num_bytes``, in place of what was there under its key."""
        if key in self._kept:
            self.num_bytes -= self._kept.pop(key)[1]
        if num_bytes > self.limit_bytes:
            return
        self._kept[key] = (value, num_bytes)
        self.num_bytes += num_bytes
        while self.num_bytes > self.limit_bytes:
            _, (_, freed) = self._kept.popitem(last=False)
            self.num_bytes -= freed

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.num_bytes = 0
