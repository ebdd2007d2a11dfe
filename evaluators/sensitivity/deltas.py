"""How far each entry of the bank moves its layer's weight, kept in memory within a limit."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from compressors.weights import weight_of
from evaluators.live import LiveModel
from evaluators.statistic import Entry

MEMORY_BYTES = 1 << 30


class Deltas:
    """Weight changes of a live model, which stays dense as long as they are asked for.

    Beyond ``memory_bytes`` the least recently used ones are forgotten, and read again when they are asked for again.
    """

    def __init__(self, live: LiveModel, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._live = live
        self._memory_bytes = memory_bytes
        self._kept: OrderedDict[Entry, Tensor] = OrderedDict()  # the least recently used first
        self._kept_bytes = 0

    def of(self, entry: Entry) -> Tensor:  # (out, in), float32 or wider, on the model's device
        """What the layer's weight changes by when it takes on the option, as the model's dtype holds it.

        Raises:
            JobError: the bank lacks the entry.
        """
        if entry in self._kept:
            self._kept.move_to_end(entry)
            return self._kept[entry]
        delta = self._read(entry)
        self._keep(entry, delta)
        return delta

    def _read(self, entry: Entry) -> Tensor:
        layer, option = entry
        dense = weight_of(self._live.model.get_submodule(layer))
        quantized = self._live.bank.read(layer, option).to(dense.device).dequantize(torch.float32)
        return widened(quantized.to(dense.dtype)) - widened(dense)

    def _keep(self, entry: Entry, delta: Tensor) -> None:
        self._kept[entry] = delta
        self._kept_bytes += delta.nbytes
        while self._kept_bytes > self._memory_bytes:
            _, forgotten = self._kept.popitem(last=False)
            self._kept_bytes -= forgotten.nbytes


def widened(values: Tensor) -> Tensor:
    """In float32, or wider where they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
