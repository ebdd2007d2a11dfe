"""Our codes as ggml's blocks, read back by the gguf package."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compressors.rtn import rtn
from exporters.gguf_blocks import block_bytes, num_bytes, type_of, zero_bytes
from spaces.errors import InputError
from spaces.option import BIT_WIDTHS, DROP, KEEP, Quantize

gguf = pytest.importorskip("gguf")


def option(bits: int, group: int | None, *, symmetric: bool) -> Quantize:
    return Quantize(bits_per_code=bits, group_size=group, symmetric=symmetric, solver="rtn")


def decoded(blocks: np.ndarray, type_name: str) -> torch.Tensor:
    kind = gguf.GGMLQuantizationType[type_name.upper()]
    return torch.from_numpy(gguf.quants.dequantize(blocks, kind))


@pytest.mark.parametrize("bits", BIT_WIDTHS)
@pytest.mark.parametrize("group", [32, 64, 128, None])
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_weight_survives_to_the_bit_or_within_the_bound(bits: int, group: int | None, symmetric: bool) -> None:
    weight = torch.randn(5, 256, generator=torch.Generator().manual_seed(bits)) + 0.3
    asked = option(bits, group, symmetric=symmetric)
    [[quantized]] = rtn([weight], None, [asked])
    name = type_of(asked, 256, "f32")
    blocks = block_bytes(quantized, name, "layer")
    assert blocks.nbytes == num_bytes(name, 5, 256)
    moved = (decoded(blocks, name) - quantized.dequantize(torch.float32)).abs()
    if symmetric or bits not in (4, 5, 8):
        assert not moved.any()
    else:
        assert moved.max() <= weight.abs().max() / 2048


def test_every_code_is_placed_where_ggml_reads_it() -> None:
    """All codes of a block differ where they can, so that none can change places with another."""
    for bits, name in ((4, "q4_0"), (5, "q5_0"), (8, "q8_0")):
        top = 2 ** (bits - 1)
        weight = (torch.arange(64).reshape(2, 32) * 7 % (2 * top) - top).to(torch.float32)
        weight[:, 0] = top - 1
        weight[:, 1] = -top
        [[quantized]] = rtn([weight], None, [option(bits, 32, symmetric=True)])
        assert torch.equal(decoded(block_bytes(quantized, name, "layer"), name), quantized.dequantize(torch.float32))


def test_rows_that_blocks_do_not_fill_and_dropped_layers() -> None:
    assert type_of(option(4, None, symmetric=True), 40, "bf16") == "f16"
    assert (type_of(KEEP, 40, "bf16"), type_of(DROP, 64, "bf16"), type_of(DROP, 40, "bf16")) == ("bf16", "q4_0", "f16")
    assert not decoded(zero_bytes("q4_0", 3, 64), "q4_0").any()


def test_scales_that_float16_does_not_hold_are_refused() -> None:
    [[quantized]] = rtn([torch.randn(4, 64) * 1e30], None, [option(4, 32, symmetric=True)])
    with pytest.raises(InputError, match=r"layer x: GGUF holds scales in float16, which does not hold .*e\+2"):
        block_bytes(quantized, "q4_0", "layer x")
    [[wide]] = rtn([torch.randn(4, 64) * 1e30], None, [option(8, 32, symmetric=False)])
    with pytest.raises(InputError, match=r"layer x: weights up to .* do not fit f16"):
        block_bytes(wide, "f16", "layer x")
