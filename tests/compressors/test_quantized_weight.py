"""The stored form: its bytes are those the option costs, and its values those of the codes."""

from __future__ import annotations

import pytest
import torch

from compressors.quantized import QuantizedWeight
from spaces.errors import InputError
from spaces.option import Quantize


def option(bits: int, group_size: int | None, symmetric: bool) -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group_size, symmetric=symmetric, solver="rtn")


def random_weight(rows: int, columns: int, how: Quantize, dtype: torch.dtype = torch.float16) -> QuantizedWeight:
    generator = torch.Generator().manual_seed(rows * columns + how.bits_per_code)
    groups, top = how.num_groups(columns), 2**how.bits_per_code
    return QuantizedWeight.from_codes(
        torch.randint(0, top, (rows, columns), dtype=torch.uint8, generator=generator),
        torch.rand(rows, groups, generator=generator).to(dtype),
        torch.randint(0, top, (rows, groups), dtype=torch.uint8, generator=generator),
        how,
    )


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(
    ("rows", "columns", "group_size"),
    [(256, 256, 128), (1, 32, 32), (33, 96, 32), (127, 192, 64), (7, 101, None), (65, 1, None), (50, 160, 32)],
)
def test_bytes_are_exactly_what_the_option_costs(
    bits: int, symmetric: bool, rows: int, columns: int, group_size: int | None
) -> None:
    how = option(bits, group_size, symmetric)
    assert random_weight(rows, columns, how).size_bytes * 8 == how.bits(rows, columns, 16).stored


@pytest.mark.parametrize("scales", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_values_equal_a_plain_loop(bits: int, symmetric: bool, scales: torch.dtype) -> None:
    how = option(bits, 32, symmetric)
    stored = random_weight(6, 64, how, scales)
    codes, zeros = stored.unpacked_codes().tolist(), stored.unpacked_zeros().tolist()
    steps = stored.scales.double().tolist()
    expected = [
        [steps[row][column // 32] * (codes[row][column] - zeros[row][column // 32]) for column in range(64)]
        for row in range(6)
    ]
    assert stored.dequantize(torch.float64).tolist() == expected
    assert torch.equal(stored.dequantize(torch.bfloat16), torch.tensor(expected).to(torch.bfloat16))


def test_the_zero_point_of_a_symmetric_weight_is_implied() -> None:
    stored = random_weight(4, 32, option(3, 32, True))
    assert stored.symmetric
    assert sorted(stored.tensors()) == ["codes", "scales"]
    assert stored.unpacked_zeros().tolist() == [[4]] * 4


def test_moving_keeps_every_tensor() -> None:
    stored = random_weight(4, 32, option(3, 32, False))
    moved = stored.to("cpu")
    assert all(torch.equal(tensor, moved.tensors()[name]) for name, tensor in stored.tensors().items())


def test_tensors_that_do_not_fit_the_shape_are_refused() -> None:
    stored = random_weight(4, 64, option(3, 32, True))
    with pytest.raises(InputError, match=r"scales of a 4x64 weight.*\(4, 2\), got torch.float32 \(4, 2\)"):
        QuantizedWeight(
            codes=stored.codes, scales=stored.scales.float(), zeros=None, bits=3, group_size=32, shape=(4, 64)
        )
    with pytest.raises(InputError, match="divide the 65 inputs, got 32"):
        QuantizedWeight(codes=stored.codes, scales=stored.scales, zeros=None, bits=3, group_size=32, shape=(4, 65))
