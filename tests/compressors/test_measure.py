"""Measured errors: equal to sums over the outputs themselves, and sensible where there is nothing to lose."""

from __future__ import annotations

import pytest
import torch

from compressors.measure import measure_errors
from compressors.quantized import QuantizedWeight
from compressors.rtn import rtn
from spaces.option import Quantize

OPTION = Quantize(bits_per_code=3, group_size=32, symmetric=False, solver="rtn")


def random_tensor(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_errors_equal_those_of_the_outputs() -> None:
    weight, inputs = random_tensor(6, 32), random_tensor(50, 32).double()
    [[stored]] = rtn([weight], None, [OPTION])
    change = stored.dequantize(torch.float64) - weight.double()
    lost = sum(float(x @ row) ** 2 for x in inputs for row in change)
    whole = sum(float(x @ row) ** 2 for x in inputs for row in weight.double())
    [errors] = measure_errors(weight, [stored], inputs.T @ inputs / 50)
    assert errors.output == pytest.approx(lost / whole, rel=1e-9)
    assert errors.weight == pytest.approx(float((change**2).sum() / (weight.double() ** 2).sum()), rel=1e-9)


def test_without_a_hessian_every_input_counts_alike() -> None:
    weight = random_tensor(6, 32)
    [[stored]] = rtn([weight], None, [OPTION])
    [errors] = measure_errors(weight, [stored], None)
    assert errors.output == errors.weight > 0


def test_nothing_lost_of_nothing_is_zero_and_something_is_all() -> None:
    zero = torch.zeros(6, 32)
    forms = [rtn([weight], None, [OPTION])[0][0] for weight in (zero, random_tensor(6, 32))]
    found = measure_errors(zero, forms, torch.eye(32))
    assert [(errors.weight, errors.output) for errors in found] == [(0, 0), (1, 1)]


def test_an_unheard_change_costs_no_output() -> None:
    weight = random_tensor(6, 32)
    stored: QuantizedWeight = rtn([weight], None, [OPTION])[0][0]
    [errors] = measure_errors(weight, [stored], torch.zeros(32, 32))
    assert errors.output == 0
    assert errors.weight > 0
