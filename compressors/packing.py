"""Packs small unsigned codes into 32-bit words, as a dense little-endian bit stream for each row, and back."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional

from spaces.errors import InputError
from spaces.option import WORD_BITS

WIDEST_CODE_BITS = 8
_EIGHT = 8  # eight codes of b bits fill b whole bytes, and fit one 64-bit integer while they are joined


def num_words(count: int, bits: int) -> int:
    """The 32-bit words that ``count`` codes of ``bits`` bits take."""
    return ceil(count * bits / WORD_BITS)


def pack(
    codes: Tensor,  # uint8 (rows, n)
    bits: int,
) -> Tensor:  # int32 (rows, ceil(n * bits / 32))
    """Write code ``i`` of every row to bits ``[i * bits, (i + 1) * bits)`` of that row's stream.

    The stream is what compressed-tensors 0.18 and later store; the bits behind the last code are zero.
    Views of integers as bytes assume a little-endian machine.

    Raises:
        InputError: ``bits`` is not 1 to 8, or a code does not fit.
    """
    _check_bits(bits)
    rows, count = codes.shape
    if codes.numel() and int(codes.max()) >= 1 << bits:
        raise InputError(f"a code of {bits} bits must be below {1 << bits}, got {int(codes.max())}; clamp it first")
    padded = functional.pad(codes, (0, -count % WORD_BITS)).reshape(rows, -1, _EIGHT)
    joined = (padded.to(torch.int64) << _shifts(bits, codes.device)).sum(-1, keepdim=True)
    stream = joined.view(torch.uint8)[..., :bits].reshape(-1).contiguous()
    return stream.view(torch.int32).reshape(rows, -1)[:, : num_words(count, bits)].contiguous()


def unpack(
    words: Tensor,  # int32 (rows, ceil(n * bits / 32))
    bits: int,
    count: int,
) -> Tensor:  # uint8 (rows, n)
    """Read the first ``count`` codes of every row: the inverse of `pack`.

    Raises:
        InputError: ``bits`` is not 1 to 8, or the rows are not as long as ``count`` codes need.
    """
    _check_bits(bits)
    rows, length = words.shape
    if length != num_words(count, bits):
        raise InputError(
            f"{count} codes of {bits} bits take {num_words(count, bits)} words a row, got {length}; "
            f"unpack with the bits and the count that they were packed with"
        )
    whole = bits * ceil(count / WORD_BITS)  # 32 codes fill exactly `bits` words
    stream = functional.pad(words, (0, whole - length)).reshape(-1).view(torch.uint8).reshape(rows, -1, bits)
    joined = functional.pad(stream, (0, _EIGHT - bits)).view(torch.int64)
    codes = (joined >> _shifts(bits, words.device)) & ((1 << bits) - 1)
    return codes.to(torch.uint8).reshape(rows, -1)[:, :count]


def _shifts(bits: int, device: torch.device) -> Tensor:  # int64 (8,)
    return torch.arange(_EIGHT, device=device) * bits


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= WIDEST_CODE_BITS:
        raise InputError(f"bits must be a whole number from 1 to {WIDEST_CODE_BITS}, got {bits}")
