"""One packed weight, four containers: the tensors that compressed-tensors, GPTQ, AutoRound and MLX store for it.

All four hold the bank's own dense little-endian bit stream of unsigned codes (`compressors.packing`) and differ
in names, in which way the words run, and in what they keep of the zero point. Axes: o outputs, i inputs, g groups,
b bits of a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import torch
from torch import Tensor

from compressors.packing import num_words, pack
from compressors.quantized import QuantizedWeight
from exporters.plan import Plan
from spaces.errors import InputError
from spaces.option import SCALE_BITS, WORD_BITS, Quantize

Container = Literal["compressed-tensors", "gptq", "mlx"]
_WAY_OUT = "keep the layer, or export as torchao, which also holds bfloat16"
_SHAPE_BITS = 128  # of compressed-tensors' weight_shape: two 64-bit integers


@dataclass(frozen=True, kw_only=True)
class ZeroPoints:
    """How a GPTQ container holds zero points: as they are, or less one (GPTQ's first form)."""

    minus: Literal[0, 1]


AS_THEY_ARE, LESS_ONE = ZeroPoints(minus=0), ZeroPoints(minus=1)


def compressed_tensors(weight: QuantizedWeight) -> dict[str, Tensor]:
    """compressed-tensors 0.18 and later, ``pack-quantized``; a symmetric weight has no zero-point tensor."""
    tensors = {
        "weight_packed": weight.codes,  # int32 (o, words of i)
        "weight_scale": weight.scales,  # (o, g)
        "weight_shape": torch.tensor(weight.shape, dtype=torch.int64),
    }
    return tensors if weight.zeros is None else tensors | {"weight_zero_point": weight.zeros}


def gptq(weight: QuantizedWeight, zero_points: ZeroPoints, layer: str) -> dict[str, Tensor]:
    """GPTQ's container, which AutoRound shares; ``layer`` is named in errors.

    Raises:
        InputError: a scale lies outside float16, or a zero point of 0 cannot be held less one.
    """
    _, columns = weight.shape
    group = weight.group_size or columns
    return {
        "qweight": weight.codes.T.contiguous(),  # int32 (words of i, o)
        "qzeros": pack(_zeros(weight, zero_points, layer), weight.bits),  # int32 (g, words of o)
        "scales": half_scales(weight, layer).T.contiguous(),  # float16 (g, o)
        "g_idx": torch.arange(columns, dtype=torch.int32) // group,
    }


def _zeros(weight: QuantizedWeight, zero_points: ZeroPoints, layer: str) -> Tensor:  # uint8 (g, o)
    zeros = weight.unpacked_zeros().T.contiguous()
    if zero_points.minus and bool((zeros == 0).any()):
        # it would wrap to the largest code, and a reader that adds one to whole words carries into its neighbour
        raise InputError(
            f"{layer}: GPTQ's first form stores zero points less one and has no place for 0; use its second form"
        )
    return zeros - zero_points.minus


def mlx(weight: QuantizedWeight, dtype: torch.dtype, layer: str) -> dict[str, Tensor]:
    """MLX's affine mode, ``scale * code + bias``, whose scales and biases have the ``dtype`` of the model around.

    Raises:
        InputError: float16 does not hold a scale, or a bias.
    """
    scales = half_scales(weight, layer) if dtype == torch.float16 else weight.scales.to(dtype)
    # from the rounded scale, so that the code at the zero point stays nearest to nothing
    biases = -scales.to(torch.float32) * weight.unpacked_zeros().to(torch.float32)
    if not biases.to(dtype).isfinite().all():
        raise InputError(
            f"{layer}: MLX's biases must fit {str(dtype).removeprefix('torch.')}, got {float(biases.min()):.3g}; "
            f"{_WAY_OUT}"
        )
    return {
        "weight": weight.codes.view(torch.uint32),  # (o, i * b / 32)
        "scales": scales,  # (o, g)
        "biases": biases.to(dtype).contiguous(),  # (o, g)
    }


def size_bytes(plan: Plan, container: Container) -> int:
    """The bytes of all tensors of a checkpoint whose quantized layers are stored in ``container``."""
    packed = sum(size_bits(container, each.option, each.layer.rows, each.layer.columns) for each in plan.quantized)
    dense = plan.removal.kept_parameters - sum(each.layer.num_weights for each in plan.quantized)
    return -(-(packed + dense * plan.anatomy.dense_bits) // 8)


def size_bits(container: Container, option: Quantize, rows: int, columns: int) -> int:
    """The bits of the tensors that ``container`` stores for one layer, exactly."""
    groups, bits = option.num_groups(columns), option.bits_per_code
    codes = WORD_BITS * rows * ceil(columns * bits / WORD_BITS)
    scales = SCALE_BITS * rows * groups
    zeros = WORD_BITS * groups * num_words(rows, bits)
    if container == "compressed-tensors":
        return codes + scales + _SHAPE_BITS + (0 if option.symmetric else zeros)
    if container == "mlx":
        return codes + 2 * scales
    return codes + scales + zeros + WORD_BITS * columns


def half_scales(weight: QuantizedWeight, layer: str) -> Tensor:  # float16 (o, g)
    """The scales as float16.

    Raises:
        InputError: it does not hold every one of them exactly.
    """
    half = weight.scales.to(torch.float16)
    if not torch.equal(half.to(torch.float32), weight.scales.to(torch.float32)):
        extremes = weight.scales.to(torch.float32)
        raise InputError(
            f"{layer}: the scales must fit float16, got {float(extremes.min()):.3g} to {float(extremes.max()):.3g}; "
            f"{_WAY_OUT}"
        )
    return half
