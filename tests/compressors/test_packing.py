"""Packing: the stream equals a numpy reference bit for bit, and comes back whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from compressors.packing import pack, unpack
from spaces.errors import InputError


def reference_pack(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int32]:
    """Bit by bit through numpy's own packer."""
    bit = codes[..., None] >> np.arange(bits, dtype=np.uint8) & 1
    flat = bit.reshape(len(codes), -1)
    flat = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 32)))
    return np.packbits(flat, axis=1, bitorder="little").view("<i4")


def random_codes(rows: int, count: int, bits: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(bits * 1000 + count)
    return torch.randint(0, 2**bits, (rows, count), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("count", [1, 7, 31, 32, 33, 100, 256])
def test_the_stream_equals_numpys_and_comes_back(bits: int, count: int) -> None:
    codes = random_codes(5, count, bits)
    words = pack(codes, bits)
    assert words.dtype == torch.int32
    assert np.array_equal(words.numpy(), reference_pack(codes.numpy(), bits))
    assert torch.equal(unpack(words, bits, count), codes)


def test_a_transposed_view_packs_as_its_copy() -> None:
    codes = random_codes(40, 24, 3)
    assert torch.equal(pack(codes.T, 3), pack(codes.T.contiguous(), 3))
    words = pack(codes, 3)
    assert torch.equal(unpack(words.T.contiguous().T, 3, 24), codes)


def test_a_code_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="below 8, got 9"):
        pack(torch.tensor([[1, 9]], dtype=torch.uint8), 3)


@pytest.mark.parametrize("bits", [0, 9])
def test_widths_beyond_a_byte_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match=f"from 1 to 8, got {bits}"):
        pack(torch.zeros(1, 4, dtype=torch.uint8), bits)


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="32 codes of 3 bits take 3 words a row, got 4"):
        unpack(torch.zeros(2, 4, dtype=torch.int32), 3, 32)
