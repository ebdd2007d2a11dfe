"""Grids: the promised bound on every weight, at every width, dtype and size of number."""

from __future__ import annotations

import pytest
import torch

from compressors.grid import scale_dtype
from compressors.rtn import rtn
from spaces.option import Quantize

SCALE_EXCESS = {torch.float16: 2**-10, torch.bfloat16: 2**-7}  # a scale rounded up to 11 or 8 significant bits
ROUNDING = 1e-4  # float32 divides and multiplies codes of up to 255: 255 * 2**-24 of a step, with room


def option(bits: int, group_size: int | None, symmetric: bool) -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group_size, symmetric=symmetric, solver="rtn")


def random_weight(size: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return (torch.randn(8, 64, generator=torch.Generator().manual_seed(0)) + shift) * size


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("size", "shift"), [(0, 0), (1e-30, 0), (1e-6, 0), (1, 0), (1, 5), (1, -5), (1e5, 0), (1e30, 0)]
)
def test_no_weight_moves_more_than_half_the_stored_scale(
    bits: int, symmetric: bool, dtype: torch.dtype, size: float, shift: float
) -> None:
    weight = random_weight(size, shift).to(dtype)
    [[stored]] = rtn([weight], None, [option(bits, 32, symmetric)])
    groups = weight.double().reshape(8, 2, 32)
    error = (stored.dequantize(torch.float64).reshape(8, 2, 32) - groups).abs()
    step = stored.scales.double().unsqueeze(-1)
    assert (error <= step * (0.5 + ROUNDING)).all()
    low, high = groups.amin(-1).clamp(max=0), groups.amax(-1).clamp(min=0)
    extent = 2 * torch.maximum(high, -low) if symmetric else high - low
    exact = extent / (2**bits - 1)
    assert (step[..., 0] >= exact * (1 - 1e-6)).all()
    assert (step[..., 0] <= exact * (1 + SCALE_EXCESS[stored.scales.dtype]) * (1 + 1e-6)).all()


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_group_of_zeros_stays_zero_beside_others(symmetric: bool) -> None:
    weight = random_weight()
    weight[3, 32:] = 0
    [[stored]] = rtn([weight], None, [option(3, 32, symmetric)])
    dense = stored.dequantize(torch.float32)
    assert (dense[3, 32:] == 0).all()
    assert (dense[3, :32] != 0).any()


def test_weights_of_one_sign_keep_zero_on_the_grid() -> None:
    weight = random_weight().abs() + 1
    weight[0, 0] = 0
    [[stored]] = rtn([weight], None, [option(4, 64, False)])
    assert stored.dequantize(torch.float32)[0, 0] == 0
    assert (stored.unpacked_zeros() == 0).all()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1.0, torch.float16),
        (0.0, torch.float16),
        (1e-5, torch.bfloat16),
        (1e-30, torch.bfloat16),
        (1e6, torch.bfloat16),
    ],
)
def test_scales_leave_float16_only_outside_its_normal_range(size: float, expected: torch.dtype) -> None:
    assert scale_dtype(random_weight(size), option(4, 32, False)) is expected


def test_one_small_group_decides_for_its_weight_alone() -> None:
    small = random_weight()
    small[2, :32] *= 1e-7
    [[plain], [wide]] = rtn([random_weight(), small], None, [option(4, 32, True)])
    assert (plain.scales.dtype, wide.scales.dtype) == (torch.float16, torch.bfloat16)
