"""Round to nearest: every weight takes the nearest value that its group's grid has."""

from __future__ import annotations

import pytest
import torch

from compressors.rtn import rtn
from compressors.solvers import solve, solver_version
from spaces.errors import InputError
from spaces.option import Quantize


def option(bits: int, group_size: int | None = 32, symmetric: bool = False) -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group_size, symmetric=symmetric, solver="rtn")


@pytest.mark.parametrize("group_size", [32, None])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 5])
def test_no_value_of_the_grid_is_nearer(bits: int, symmetric: bool, group_size: int | None) -> None:
    weight = torch.randn(5, 96, generator=torch.Generator().manual_seed(bits), dtype=torch.float64)
    [[stored]] = rtn([weight], None, [option(bits, group_size, symmetric)])
    width = 96 // stored.num_groups
    steps = stored.scales.double().repeat_interleave(width, dim=1)
    zeros = stored.unpacked_zeros().double().repeat_interleave(width, dim=1)
    values = torch.stack([steps * (code - zeros) for code in range(2**bits)])
    nearest = (values - weight).abs().amin(0)
    assert torch.allclose((stored.dequantize(torch.float64) - weight).abs(), nearest, rtol=0, atol=1e-12)


def test_the_order_asked_for_is_the_order_given() -> None:
    weights = [torch.randn(4, 64, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    asked = [option(5), option(2), option(5, 64)]
    found = solve(weights, None, asked)
    assert [[(form.bits, form.group_size) for form in row] for row in found] == [[(5, 32), (2, 32), (5, 64)]] * 2
    assert torch.equal(found[1][1].codes, rtn([weights[1]], None, [option(2)])[0][0].codes)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    weight = torch.zeros(3, 32)
    weight[1, 7] = bad
    with pytest.raises(InputError, match=rf"finite numbers, got {bad} at \(1, 7\) \(1 of 96\)"):
        rtn([weight], None, [option(4)])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="group_size 32 of rtn-int4-g32-asym does not divide the 33 inputs"):
        rtn([torch.zeros(3, 33)], None, [option(4)])
    with pytest.raises(InputError, match=r"must have 32 columns, got shape \(3, 64\)"):
        rtn([torch.zeros(3, 32), torch.zeros(3, 64)], None, [option(4)])
    with pytest.raises(InputError, match=r"must be 32x32, got shape \(3, 3\)"):
        rtn([torch.zeros(3, 32)], torch.eye(3), [option(4)])


def test_every_solver_states_a_version_and_others_are_refused() -> None:
    assert solver_version("rtn") >= 1
    with pytest.raises(InputError, match="unknown quantize solver 'gtpq'; did you mean 'gptq'"):
        solver_version("gtpq")
