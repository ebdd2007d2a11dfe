"""GPTQ: its codes are those of the textbook's loop, and it beats rounding wherever inputs are correlated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from compressors.gptq import gptq, inverse_factor
from compressors.measure import measure_errors
from compressors.rtn import rtn
from spaces.errors import InputError, JobError
from spaces.option import Quantize


def option(bits: int, group_size: int | None = 32, symmetric: bool = False, solver: str = "gptq") -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group_size, symmetric=symmetric, solver=solver)


def problem(rows: int, columns: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """A random weight, and the Hessian of correlated inputs."""
    generator = torch.Generator().manual_seed(rows * columns)
    mixing = torch.randn(columns, columns, generator=generator, dtype=torch.float64)
    inputs = torch.randn(4 * columns, columns, generator=generator, dtype=torch.float64) @ mixing
    weight = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return weight.to(dtype), (inputs.T @ inputs / len(inputs)).to(dtype)


def textbook(weight: Tensor, hessian: Tensor, how: Quantize) -> list[list[int]]:
    """Algorithm 1 of the paper, one scalar at a time, with the explicit inverse and no blocks."""
    columns = weight.shape[1]
    group, top = how.group_size or columns, 2**how.bits_per_code - 1
    damped = hessian.numpy() + 0.01 * np.mean(np.diag(hessian.numpy())) * np.eye(columns)
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    codes = []
    for row in weight.tolist():
        open_row, row_codes = list(row), []
        scale = zero = 0.0
        for column in range(columns):
            if column % group == 0:
                low, high = min(0, *open_row[column : column + group]), max(0, *open_row[column : column + group])
                exact = (2 * max(high, -low) if how.symmetric else high - low) / top
                scale = float(np.float16(exact))
                if scale < exact:
                    scale = float(np.nextafter(np.float16(exact), np.float16(np.inf)))
                zero = (top + 1) / 2 if how.symmetric else min(max(round(-low / scale), 0), top)
            code = min(max(round(open_row[column] / scale) + zero, 0), top)
            row_codes.append(int(code))
            error = (open_row[column] - scale * (code - zero)) / upper[column, column]
            for later in range(column, columns):
                open_row[later] -= error * upper[column, later]
        codes.append(row_codes)
    return codes


@pytest.mark.parametrize(
    ("columns", "group_size"),
    [(96, 32), (192, 64), (256, 128), (200, None), (40, None)],  # 200: blocks of 128 and 72
)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_codes_equal_the_textbooks(bits: int, symmetric: bool, columns: int, group_size: int | None) -> None:
    weight, hessian = problem(6, columns)
    how = option(bits, group_size, symmetric)
    [[stored]] = gptq([weight], hessian, [how])
    assert stored.unpacked_codes().tolist() == textbook(weight, hessian, how)


def test_the_factor_is_that_of_the_damped_inverse() -> None:
    _, hessian = problem(2, 48)
    upper = inverse_factor(hessian)
    damped = hessian + 0.01 * hessian.diagonal().mean() * torch.eye(48, dtype=torch.float64)
    assert torch.equal(upper, upper.triu())
    assert torch.allclose(upper.T @ upper @ damped, torch.eye(48, dtype=torch.float64), atol=1e-9)


@pytest.mark.parametrize("bits", range(2, 9))
def test_gptq_beats_rounding_where_inputs_are_correlated(bits: int) -> None:
    weight, hessian = problem(32, 128, torch.float32)
    [[ours]] = gptq([weight], hessian, [option(bits, 64)])
    [[plain]] = rtn([weight], hessian, [option(bits, 64, solver="rtn")])
    by_gptq, by_rounding = measure_errors(weight, [ours, plain], hessian)
    assert by_gptq.output < 0.9 * by_rounding.output


def test_independent_inputs_leave_nothing_to_gain() -> None:
    weight, _ = problem(8, 128)
    [[ours]] = gptq([weight], torch.eye(128), [option(3, 64)])
    [[plain]] = rtn([weight], None, [option(3, 64, solver="rtn")])
    assert torch.equal(ours.codes, plain.codes)
    assert torch.equal(ours.scales, plain.scales)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_solving_together_equals_solving_apart(dtype: torch.dtype) -> None:
    first, hessian = problem(24, 128, dtype)
    second = problem(10, 128, dtype)[0] * 1e-6  # its scales are bfloat16
    asked = [option(2, 64), option(3, None, True), option(4, 64, True), option(8, 32), option(3, 64)]
    for weight, together in zip([first, second], gptq([first, second], hessian, asked), strict=True):
        for how, form in zip(asked, together, strict=True):
            [[alone]] = gptq([weight], hessian, [how])
            assert all(torch.equal(tensor, alone.tensors()[name]) for name, tensor in form.tensors().items())


def test_an_input_that_is_always_zero_is_rounded_to_nearest() -> None:
    weight, hessian = problem(8, 64)
    hessian[5], hessian[:, 5] = 0, 0
    [[stored]] = gptq([weight], hessian, [option(4, 64)])
    moved = (stored.dequantize(torch.float64) - weight)[:, 5].abs()
    assert (moved <= stored.scales[:, 0].double() / 2 * (1 + 1e-9)).all()


def test_inputs_that_are_all_zero_mean_plain_rounding() -> None:
    weight, _ = problem(8, 64)
    [[ours]] = gptq([weight], torch.zeros(64, 64), [option(4)])
    [[plain]] = rtn([weight], None, [option(4, solver="rtn")])
    assert torch.equal(ours.codes, plain.codes)


def test_damping_grows_until_the_hessian_is_definite() -> None:
    hessian = torch.diag(torch.tensor([1.0, 1.0, 1.0, -0.05]))  # mean magnitude 0.7625: 0.01 fails, 0.1 does
    upper = inverse_factor(hessian)
    damped = hessian.double() + 0.1 * 0.7625 * torch.eye(4, dtype=torch.float64)
    assert torch.allclose(upper.T @ upper, damped.inverse(), rtol=1e-6)


def test_a_hessian_beyond_damping_is_refused() -> None:
    with pytest.raises(JobError, match=r"positive definite.*diagonal \(3\)"):
        inverse_factor(torch.diag(torch.tensor([1.0, -5.0])))


def test_what_gptq_cannot_work_on_is_refused() -> None:
    weight, hessian = problem(4, 64)
    with pytest.raises(InputError, match="Hessian of the layer's inputs, got None; use rtn"):
        gptq([weight], None, [option(4)])
    hessian[3, 4] = float("nan")
    with pytest.raises(InputError, match=r"the Hessian must hold finite numbers, got nan at \(3, 4\)"):
        gptq([weight], hessian, [option(4)])
