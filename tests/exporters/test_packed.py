"""One weight in four containers: each decodes, element by element in float64, to ``scale * (code - zero)``."""

from __future__ import annotations

import pytest
import torch
import twins
from torch import Tensor

from compressors.packing import unpack
from compressors.quantized import QuantizedWeight
from compressors.rtn import rtn
from exporters import packed
from exporters.export import export
from exporters.source import Source
from spaces.option import Quantize

ROWS, COLUMNS = 32, 64
SYMMETRIES = (True, False)


def quantized(bits: int, group_size: int | None, symmetric: bool, rows: int = ROWS) -> tuple[Quantize, QuantizedWeight]:
    option = Quantize(bits_per_code=bits, group_size=group_size, symmetric=symmetric, solver="rtn")
    weight = torch.randn(rows, COLUMNS, generator=torch.Generator().manual_seed(bits)) + (0 if symmetric else 0.1)
    return option, rtn([weight], None, [option])[0][0]


def code(words: Tensor, position: int, bits: int) -> int:
    """Code ``position`` of one row's stream, bit after bit: the definition, by another way than ours."""
    stream = [int(words[bit // 32]) >> (bit % 32) & 1 for bit in range(position * bits, (position + 1) * bits)]
    return sum(bit << place for place, bit in enumerate(stream))


def element(container: str, held: dict[str, Tensor], row: int, column: int, bits: int, group: int) -> float:
    """One weight as the container's runtime reads it."""
    lane = column // group
    if container == "compressed-tensors":
        zero = code(held["weight_zero_point"][:, lane], row, bits) if "weight_zero_point" in held else 2 ** (bits - 1)
        return (code(held["weight_packed"][row], column, bits) - zero) * float(held["weight_scale"][row, lane])
    if container == "mlx":
        bias = float(held["biases"][row, lane])
        return code(held["weight"].view(torch.int32)[row], column, bits) * float(held["scales"][row, lane]) + bias
    shift = 1 if container == "gptq" else 0
    lane = int(held["g_idx"][column])
    zero = code(held["qzeros"][lane], row, bits) + shift
    return (code(held["qweight"][:, row], column, bits) - zero) * float(held["scales"][lane, row])


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("group_size", [32, None])
@pytest.mark.parametrize("symmetric", SYMMETRIES)
@pytest.mark.parametrize("container", ["compressed-tensors", "gptq", "gptq_v2", "mlx"])
def test_each_element_is_ours(container: str, bits: int, group_size: int | None, symmetric: bool) -> None:
    _, weight = quantized(bits, group_size, symmetric)
    held = {
        "compressed-tensors": lambda: packed.compressed_tensors(weight),
        "gptq": lambda: packed.gptq(weight, packed.LESS_ONE, "layer"),
        "gptq_v2": lambda: packed.gptq(weight, packed.AS_THEY_ARE, "layer"),
        "mlx": lambda: packed.mlx(weight, torch.float32, "x"),
    }[container]()
    wanted = weight.dequantize(torch.float64)
    for row, column in [(0, 0), (1, 33), (ROWS - 1, COLUMNS - 1), (17, 31), (30, 10)]:
        decoded = element(container, held, row, column, bits, group_size or COLUMNS)
        assert decoded == pytest.approx(float(wanted[row, column]), abs=1e-6 if container == "mlx" else 0)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("group_size", [32, None])
@pytest.mark.parametrize("symmetric", SYMMETRIES)
def test_the_sizes_are_exact(bits: int, group_size: int | None, symmetric: bool) -> None:
    option, weight = quantized(bits, group_size, symmetric, rows=48)
    for container, held in (
        ("compressed-tensors", packed.compressed_tensors(weight)),
        ("gptq", packed.gptq(weight, packed.AS_THEY_ARE, "layer")),
        ("mlx", packed.mlx(weight, torch.float16, "x")),
    ):
        size = packed.size_bits(container, option, 48, COLUMNS)  # type: ignore[arg-type]
        assert size == 8 * sum(tensor.nbytes for tensor in held.values()), container


def test_padding_behind_the_last_code_of_a_row_is_zero() -> None:
    weight = torch.randn(40, 96)
    option = Quantize(bits_per_code=3, group_size=None, symmetric=False, solver="rtn")
    held = packed.gptq(rtn([weight], None, [option])[0][0], packed.AS_THEY_ARE, "layer")
    assert held["qzeros"].shape == (1, 4)
    assert code(held["qzeros"][0], 40, 3) == 0
    assert unpack(held["qweight"].T.contiguous(), 3, 96).shape == (40, 96)


REFERENCE_MIX = {
    "*.self_attn.*": "rtn-int4-g128-sym",
    "*.mlp.*": "rtn-int3-g64-sym",
    "*.11.mlp.*": "rtn-int8-g32-sym",
    "*.0.mlp.down_proj": "keep",
}


@pytest.mark.parametrize("format_", ["compressed-tensors", "auto-round", "gptq", "mlx"])
def test_files_of_a_real_model_are_as_large_as_predicted(made: twins.Made, tmp_path, format_: str) -> None:  # type: ignore[no-untyped-def]
    source: Source = made("reference", REFERENCE_MIX)
    exported = export(source, format_, tmp_path / "export")
    assert exported.predicted_bytes > 4_000_000
    assert exported.deviation is not None
    assert 0 <= exported.deviation < 0.01
