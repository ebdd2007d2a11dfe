"""A quantized weight as it is stored: packed codes, 16-bit scales and packed zero points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from compressors.packing import num_words, pack, unpack
from spaces.errors import InputError
from spaces.option import Quantize

SCALE_DTYPES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, kw_only=True)
class QuantizedWeight:
    """A weight of ``shape`` (out, in) whose groups of codes share a scale: ``scale * (code - zero)``.

    Codes are unsigned. Without ``zeros`` the weight is symmetric and every zero point is ``2**(bits-1)``.
    ``group_size`` counts neighbouring inputs; None is one group for each output channel.
    Zero points are packed along ``out``, as compressed-tensors stores them.
    """

    codes: Tensor  # int32 (out, ceil(in * bits / 32))
    scales: Tensor  # float16 or bfloat16 (out, groups)
    zeros: Tensor | None  # int32 (ceil(out * bits / 32), groups)
    bits: int
    group_size: int | None
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = self.shape
        if self.group_size is not None and columns % self.group_size:
            raise InputError(f"group_size must divide the {columns} inputs, got {self.group_size}")
        expected = {
            "codes": (self.codes, (rows, num_words(columns, self.bits)), (torch.int32,)),
            "scales": (self.scales, (rows, self.num_groups), SCALE_DTYPES),
        }
        if self.zeros is not None:
            expected["zeros"] = (self.zeros, (num_words(rows, self.bits), self.num_groups), (torch.int32,))
        for name, (tensor, shape, dtypes) in expected.items():
            if tuple(tensor.shape) != shape or tensor.dtype not in dtypes:
                raise InputError(
                    f"{name} of a {rows}x{columns} weight at {self.bits} bits must be {dtypes[0]} {shape}, "
                    f"got {tensor.dtype} {tuple(tensor.shape)}"
                )

    @classmethod
    def from_codes(
        cls,
        codes: Tensor,  # uint8 (out, in)
        scales: Tensor,  # float16 or bfloat16 (out, groups)
        zeros: Tensor,  # uint8 (out, groups); not kept where the option is symmetric
        option: Quantize,
    ) -> QuantizedWeight:
        """Pack what a solver found for ``option``."""
        bits = option.bits_per_code
        return cls(
            codes=pack(codes, bits),
            scales=scales.contiguous(),
            zeros=None if option.symmetric else pack(zeros.T, bits).T.contiguous(),
            bits=bits,
            group_size=option.group_size,
            shape=(codes.shape[0], codes.shape[1]),
        )

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], option: Quantize, shape: tuple[int, int]) -> QuantizedWeight:
        """See `compressors.compressed.restore`."""
        return cls(
            codes=tensors["codes"],
            scales=tensors["scales"],
            zeros=None if option.symmetric else tensors["zeros"],
            bits=option.bits_per_code,
            group_size=option.group_size,
            shape=shape,
        )

    @property
    def symmetric(self) -> bool:
        return self.zeros is None

    @property
    def num_groups(self) -> int:
        """Groups, and so scales, in one row."""
        return 1 if self.group_size is None else self.shape[1] // self.group_size

    @property
    def size_bytes(self) -> int:
        """The exact bytes of codes, scales and zero points together."""
        return sum(tensor.nbytes for tensor in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """The stored tensors by name; ``zeros`` only where there are any."""
        stored = {"codes": self.codes, "scales": self.scales}
        return stored if self.zeros is None else stored | {"zeros": self.zeros}

    def unpacked_codes(self) -> Tensor:  # uint8 (out, in)
        """The unsigned code of every weight."""
        return unpack(self.codes, self.bits, self.shape[1])

    def unpacked_zeros(self) -> Tensor:  # uint8 (out, groups)
        """The zero point of every group, the implied ones of a symmetric weight as well."""
        if self.zeros is None:
            return torch.full_like(self.scales, 1 << (self.bits - 1), dtype=torch.uint8)
        return unpack(self.zeros.T.contiguous(), self.bits, self.shape[0]).T

    def dequantize(self, dtype: torch.dtype) -> Tensor:  # (out, in)
        """``scale * (code - zero)``, exact in float32, then rounded once to ``dtype``."""
        rows, columns = self.shape
        codes = self.unpacked_codes().reshape(rows, self.num_groups, -1).to(torch.float32)
        centred = codes - self.unpacked_zeros().to(torch.float32).unsqueeze(-1)
        # 11 significant bits of a scale and 9 of a code fit the 24 of a float32: the product is exact
        return (centred * self.scales.to(torch.float32).unsqueeze(-1)).reshape(rows, columns).to(dtype)

    def to(self, device: torch.device | str) -> QuantizedWeight:
        """The same weight with its tensors on ``device``."""
        return QuantizedWeight(
            codes=self.codes.to(device),
            scales=self.scales.to(device),
            zeros=None if self.zeros is None else self.zeros.to(device),
            bits=self.bits,
            group_size=self.group_size,
            shape=self.shape,
        )
