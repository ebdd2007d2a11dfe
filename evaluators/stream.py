"""The one fixed stream of sequences that every candidate of a job is measured on, and the keys of its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from spaces.errors import InputError


class Stream:
    """Sequences of one length in one fixed order; a fidelity is a prefix of them, so fidelities nest."""

    def __init__(self, tokens: Tensor) -> None:  # (num_sequences, length) whole numbers
        if tokens.dim() != 2 or tokens.numel() == 0:
            raise InputError(
                f"a stream is a table of sequences by tokens with at least one of each, "
                f"got shape {tuple(tokens.shape)}; give it text that fills a sequence"
            )
        self.tokens = tokens.to(torch.int64)
        self._hash = _began(self.length)
        self._keys: list[str] = []  # of the first 1, 2, ... sequences, as far as anyone asked

    @property
    def num_sequences(self) -> int:
        return self.tokens.shape[0]

    @property
    def length(self) -> int:
        """Tokens in each sequence."""
        return self.tokens.shape[1]

    @property
    def num_tokens(self) -> int:
        return self.tokens.numel()

    def sequences_for(self, num_tokens: int) -> int:
        """Whole sequences that hold ``num_tokens``: rounded up, at least one, at most all there are."""
        return max(1, min(self.num_sequences, -(-num_tokens // self.length)))

    def key(self, num_sequences: int, first: int = 0) -> str:
        """SHA-256, in hex, of ``num_sequences`` sequences from ``first`` on: their length and exact token ids.

        What surrounds them does not count: two streams that begin alike agree on the keys of that beginning.

        Raises:
            InputError: they are not all in the stream.
        """
        self._check_range(1, num_sequences)
        if first:
            self._check_range(first, first + num_sequences)
            return _hashed(_began(self.length), self.tokens[first : first + num_sequences])[-1]
        self._keys += _hashed(self._hash, self.tokens[len(self._keys) : num_sequences])
        return self._keys[num_sequences - 1]

    def batches(self, start: int, stop: int, batch_sequences: int) -> Iterator[tuple[int, Tensor]]:
        """Yield sequences ``start`` to ``stop`` as ``(first, tokens (B, length))``, in order.

        Batches end at multiples of ``batch_sequences`` counted from sequence 0, wherever they start.
        So an evaluation extended from 4 sequences to 32 runs the very batches that a fresh one of 32
        runs, and gets the same digits, whenever ``batch_sequences`` divides 4.
        """
        self._check_range(start, stop)
        if batch_sequences < 1:
            raise InputError(f"batch_sequences must be at least 1, got {batch_sequences}")
        first = start
        while first < stop:
            end = min(stop, (first // batch_sequences + 1) * batch_sequences)
            yield first, self.tokens[first:end]
            first = end

    def _check_range(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.num_sequences:
            raise InputError(
                f"sequences {start} to {stop} are not a range of this stream, which has {self.num_sequences}; "
                f"ask for fewer tokens or give more text"
            )


def _began(length: int) -> hashlib._Hash:
    return hashlib.sha256(f"tokens of length {length}:".encode())


def _hashed(
    begun: hashlib._Hash,
    tokens: Tensor,  # (num_sequences, length)
) -> list[str]:  # behind each sequence
    """Go on with a hash, which is changed."""
    keys = []
    for sequence in tokens.numpy(force=True):
        begun.update(sequence.astype("<i4").tobytes())
        keys.append(begun.hexdigest())
    return keys
