"""Which ggml type holds a layer's values, at how many bytes, and the bytes themselves.

Axes: o outputs, i inputs, b blocks of 32 inputs in a row.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compressors.compressed import CompressedWeight
from compressors.ggml import GgmlWeight
from compressors.quantized import QuantizedWeight
from spaces.errors import InputError
from spaces.ggml import TYPES, Ggml
from spaces.option import DROP, Option, Quantize

BLOCK = 32
NOTHING = "q4_0"  # holds the zeros of a part that adds nothing
FLOAT_BYTES = {"f32": 4, "f16": 2, "bf16": 2}
FLOATS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
OFFSETS = {"q4_0": 8, "q5_0": 16}  # what a code has to be raised by, to be stored without a sign

# bits -> type. A symmetric code less its zero point lies within 2^(bits-1) of 0, any other within 2^bits.
SYMMETRIC = {2: "q4_0", 3: "q4_0", 4: "q4_0", 5: "q5_0", 6: "q8_0", 7: "q8_0", 8: "q8_0"}
ASYMMETRIC = {2: "q4_0", 3: "q4_0", 4: "q4_1", 5: "q5_1", 6: "q8_0", 7: "q8_0", 8: "f16"}


def type_of(option: Option, columns: int, dense: str) -> str:
    """The smallest type that holds what ``option`` makes of a layer.

    Exactly, but for asymmetric codes of 4 and 5 bits, whose minimum is rounded to float16, and for those of 8 bits and
    rows that blocks of 32 do not fill, whose weights are.
    """
    if isinstance(option, Ggml):
        return option.type_name
    if not isinstance(option, Quantize):
        return dense if option != DROP else _if_filled(NOTHING, columns)
    return _if_filled((SYMMETRIC if option.symmetric else ASYMMETRIC)[option.bits_per_code], columns)


def _if_filled(name: str, columns: int) -> str:
    return "f16" if columns % BLOCK else name


def num_bytes(type_name: str, rows: int, columns: int) -> int:
    """Of a matrix in that type."""
    if type_name in FLOAT_BYTES:
        return FLOAT_BYTES[type_name] * rows * columns
    return rows * TYPES[type_name].row_bytes(columns)


def float_bytes(weight: Tensor, type_name: str, layer: str) -> NDArray[np.uint8]:  # (o, bytes of a row)
    """A dense tensor in one of the floating types.

    Raises:
        InputError: a value is too large for float16.
    """
    dtype = next(dtype for dtype, name in FLOATS.items() if name == type_name)
    stored = weight.to(dtype).contiguous()
    if not bool(torch.isfinite(stored).all()):
        raise InputError(
            f"{layer}: weights up to {float(weight.abs().max()):.3g} do not fit {type_name}; keep the layer"
        )
    return stored.view(torch.uint8).numpy()


def block_bytes(weight: CompressedWeight, type_name: str, layer: str) -> NDArray[np.uint8]:  # (o, bytes of a row)
    """A compressed weight in the type that `type_of` gave.

    Raises:
        InputError: a scale does not fit float16, which ggml's blocks have.
    """
    if isinstance(weight, GgmlWeight):
        return weight.blocks.numpy()
    if type_name in FLOAT_BYTES or not isinstance(weight, QuantizedWeight):
        return float_bytes(weight.dequantize(torch.float32), type_name, layer)
    rows, columns = weight.shape
    codes = weight.unpacked_codes().numpy().reshape(rows, columns // BLOCK, BLOCK).astype(np.int16)
    zeros = _of_blocks(weight.unpacked_zeros(), columns).numpy()[..., None]  # (o, b, 1)
    scales = _of_blocks(weight.scales.to(torch.float32), columns)  # (o, b)
    heads = [_half(scales, layer)]
    if type_name.endswith("_1"):
        heads.append(_rounded(-scales * torch.from_numpy(zeros[..., 0].astype(np.float32)), layer))
    else:
        codes = codes - zeros + OFFSETS.get(type_name, 0)
    blocks = np.concatenate([*heads, _packed(codes, type_name)], axis=-1)
    return blocks.reshape(rows, -1)


def zero_bytes(type_name: str, rows: int, columns: int) -> NDArray[np.uint8]:  # (o, bytes of a row)
    """A matrix of zeros: blocks with a scale of zero, whatever the codes."""
    return np.zeros((rows, num_bytes(type_name, rows, columns) // rows), np.uint8)


def _of_blocks(of_groups: Tensor, columns: int) -> Tensor:  # (o, groups) -> (o, b)
    """What a group has, for each of the blocks that it is cut into."""
    return of_groups.repeat_interleave(columns // BLOCK // of_groups.shape[1], dim=1)


def _packed(codes: NDArray[np.int16], type_name: str) -> NDArray[np.uint8]:  # (o, b, 32) -> (o, b, bytes)
    """ggml's order: codes ``j`` and ``j + 16`` share a byte, and fifth bits lie together before them."""
    if type_name == "q8_0":
        return codes.astype(np.int8).view(np.uint8)
    low = codes & 15
    halves = (low[..., : BLOCK // 2] | low[..., BLOCK // 2 :] << 4).astype(np.uint8)
    if type_name.startswith("q4"):
        return halves
    fifth = np.packbits((codes >> 4).astype(np.uint8), axis=-1, bitorder="little")
    return np.concatenate([fifth, halves], axis=-1)


def _half(scales: Tensor, layer: str) -> NDArray[np.uint8]:  # (o, b, 2)
    half = scales.to(torch.float16)
    if not torch.equal(half.to(torch.float32), scales):
        raise InputError(
            f"{layer}: GGUF holds scales in float16, which does not hold {float(scales.abs().min()):.3g} to "
            f"{float(scales.abs().max()):.3g}; keep the layer, or export as compressed-tensors"
        )
    return half.unsqueeze(-1).contiguous().view(torch.uint8).numpy()


def _rounded(minima: Tensor, layer: str) -> NDArray[np.uint8]:  # (o, b, 2)
    half = minima.to(torch.float16)
    if not bool(torch.isfinite(half).all()):
        raise InputError(f"{layer}: a minimum of {float(minima.min()):.3g} does not fit float16; keep the layer")
    return half.unsqueeze(-1).contiguous().view(torch.uint8).numpy()
