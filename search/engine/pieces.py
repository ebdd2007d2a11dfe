"""How the measuring of several candidates is cut into tasks: neighbours that share blocks stay together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

PIECES_PER_WORKER = 4  # so that no worker waits long for the last one
SMALLEST, LARGEST = 8, 16  # batches times candidates of a piece: enough to share what they have in common, and no wait


class Piece(NamedTuple):
    """One task: some candidates on some sequences, which are whole batches."""

    numbers: tuple[int, ...]  # the candidates' places among those asked for
    start: int
    stop: int

    @property
    def num_sequences(self) -> int:
        """Of all candidates together."""
        return len(self.numbers) * (self.stop - self.start)

    def split(self) -> list[Piece]:
        """Each candidate alone."""
        return [Piece((number,), self.start, self.stop) for number in self.numbers]


def cut(starts: Sequence[int], stop: int, batch: int, num_workers: int) -> list[Piece]:
    """Pieces that cover the sequences from each candidate's start to ``stop``.

    Candidates come in the order in which they share the most. Batches end at multiples of ``batch``, counted from
    sequence 0, so a candidate that begins within one has that batch to itself. Cutting between batches separates
    nobody, so candidates are parted only where the batches are too few.
    """
    shared = _same_batches(starts, stop, batch)
    total = sum(len(numbers) * len(bounds) for numbers, bounds in shared)
    size = max(1, _ceil(total, num_workers * _pieces_per_worker(total, num_workers)))
    return [
        Piece(group, steps[0][0], steps[-1][1])
        for numbers, bounds in shared
        for group in _evenly(numbers, size)
        for steps in _runs(bounds, max(1, size // len(group)))
    ]


def _pieces_per_worker(total: int, num_workers: int) -> int:
    """The same number for every worker, so that no one has nothing to do while others are at their last piece."""
    fewest, most = _ceil(total, num_workers * LARGEST), total // (num_workers * SMALLEST)
    return max(1, fewest, min(PIECES_PER_WORKER, most))


Bounds = tuple[int, int]  # of one batch: first sequence and the one behind its last


def _same_batches(starts: Sequence[int], stop: int, batch: int) -> list[tuple[tuple[int, ...], list[Bounds]]]:
    """Groups of candidates, each with the consecutive batches that exactly these candidates need."""
    needed: dict[Bounds, list[int]] = {}
    for number, start in enumerate(starts):
        first = start
        while first < stop:
            last = min(stop, (first // batch + 1) * batch)
            needed.setdefault((first, last), []).append(number)
            first = last
    shared: dict[tuple[int, ...], list[Bounds]] = {}
    for bounds in sorted(needed):
        shared.setdefault(tuple(needed[bounds]), []).append(bounds)
    return list(shared.items())


def _evenly(numbers: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """Runs of at most ``size``, whose lengths differ by one at most."""
    count = _ceil(len(numbers), size)
    edges = [place * len(numbers) // count for place in range(count + 1)]
    return [numbers[first:last] for first, last in pairwise(edges)]


def _runs(bounds: list[Bounds], size: int) -> list[list[Bounds]]:
    return [bounds[first : first + size] for first in range(0, len(bounds), size)]


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)
