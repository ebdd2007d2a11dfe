"""A compressed weight as the bank stores it, of whatever kind: the table of kinds, and what all of them can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

import torch
from torch import Tensor

from spaces.option import Banked
from spaces.tables import load

WEIGHTS = {  # by the kind of option whose weights they are
    "quantize": "compressors.quantized:QuantizedWeight",
    "ggml": "compressors.ggml:GgmlWeight",
}


class CompressedWeight(Protocol):
    """A weight of ``shape`` (out, in) in the form in which an export stores it."""

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def size_bytes(self) -> int:
        """The exact bytes of all stored tensors together."""

    def tensors(self) -> dict[str, Tensor]:
        """The stored tensors by name."""

    def dequantize(self, dtype: torch.dtype) -> Tensor:  # (out, in)
        """The weight that it stands for, exact in float32, then rounded once to ``dtype``."""

    def to(self, device: torch.device | str) -> Self:
        """The same weight with its tensors on ``device``."""


def restore(tensors: Mapping[str, Tensor], option: Banked, shape: tuple[int, int]) -> CompressedWeight:
    """The weight of which ``tensors`` were stored: the inverse of `CompressedWeight.tensors`.

    Raises:
        InputError: they do not fit ``option`` and ``shape``.
        KeyError: one is missing.
    """
    restored: CompressedWeight = load(WEIGHTS, option.kind, "option kind").restored(tensors, option, shape)
    return restored
