"""How far each entry of the bank moves its layer's weight, kept in memory within a limit."""

from __future__ import annotations

import torch
from torch import Tensor

from compressors.weights import weight_of
from evaluators.live import LiveModel
from evaluators.memory import Memory
from evaluators.statistic import Entry

MEMORY_BYTES = 1 << 30


class Deltas:
    """Weight changes of a live model, which stays dense as long as they are asked for.

    Beyond ``memory_bytes`` the least recently used ones are forgotten, and read again when they are asked for again.
    """

    def __init__(self, live: LiveModel, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._live = live
        self._kept: Memory[Entry, Tensor] = Memory(memory_bytes)

    def of(self, entry: Entry) -> Tensor:  # (out, in), float32 or wider, on the model's device
        """What the layer's weight changes by when it takes on the option, as the model's dtype holds it.

        Raises:
            JobError: the bank lacks the entry.
        """
        delta = self._kept.get(entry)
        if delta is None:
            delta = self._read(entry)
            self._kept.keep(entry, delta, delta.nbytes)
        return delta

    def _read(self, entry: Entry) -> Tensor:
        layer, option = entry
        dense = weight_of(self._live.model.get_submodule(layer))
        quantized = self._live.bank.read(layer, option).to(dense.device).dequantize(torch.float32)
        return widened(quantized.to(dense.dtype)) - widened(dense)


def widened(values: Tensor) -> Tensor:
    """In float32, or wider where they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
