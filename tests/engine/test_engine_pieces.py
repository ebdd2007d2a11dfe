"""Tasks: whole batches, each candidate's own and once; few enough to share, many enough for every worker."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.engine.pieces import LARGEST, Piece, cut


def batches_of(start: int, stop: int, batch: int) -> list[tuple[int, int]]:
    """As ``Stream.batches`` has them."""
    edges = sorted({start, *(edge for edge in range(0, stop, batch) if edge > start), stop})
    return list(pairwise(edges))


@given(
    starts=st.lists(st.integers(0, 40), min_size=1, max_size=40),
    stop=st.integers(0, 40),
    batch=st.integers(1, 9),
    workers=st.integers(1, 5),
)
def test_each_candidate_runs_its_own_batches_once_and_in_order(
    starts: list[int], stop: int, batch: int, workers: int
) -> None:
    starts = [min(start, stop) for start in starts]
    pieces = cut(starts, stop, batch, workers)
    for number, start in enumerate(starts):
        own = [piece for piece in pieces if number in piece.numbers]
        run = [bounds for piece in own for bounds in batches_of(piece.start, piece.stop, batch)]
        assert run == batches_of(start, stop, batch)
    for piece in pieces:
        assert list(piece.numbers) == sorted(set(piece.numbers))
        assert len(piece.numbers) * len(batches_of(piece.start, piece.stop, batch)) <= LARGEST


@pytest.mark.parametrize(
    ("count", "num_batches", "workers", "expected"),
    [
        (64, 1, 1, [(16, 1)] * 4),
        (64, 1, 2, [(8, 1)] * 8),
        (16, 8, 2, [(16, 1)] * 8),  # enough batches: nobody is parted
        (4, 8, 2, [(4, 2)] * 4),
        (8, 1, 2, [(4, 1)] * 2),  # every worker has something to do
        (1, 32, 2, [(1, 8)] * 4),
        (1, 1, 4, [(1, 1)]),
        (50, 1, 1, [(12, 1), (13, 1), (12, 1), (13, 1)]),  # evenly
        (48, 1, 4, [(12, 1)] * 4),  # as many for each worker: no one waits while others have another
    ],
)
def test_tasks_are_cut_between_batches_rather_than_between_candidates(
    count: int, num_batches: int, workers: int, expected: list[tuple[int, int]]
) -> None:
    pieces = cut([0] * count, 4 * num_batches, 4, workers)
    assert [(len(piece.numbers), (piece.stop - piece.start) // 4) for piece in pieces] == expected
    for piece in pieces:  # neighbours stay together
        assert piece.numbers[-1] - piece.numbers[0] == len(piece.numbers) - 1


def test_extended_candidates_join_those_that_begin_where_they_go_on() -> None:
    assert cut([0, 8, 8], 16, 4, 1) == [Piece((0,), 0, 8), Piece((0, 1, 2), 8, 16)]


def test_a_piece_splits_into_its_candidates() -> None:
    assert Piece((3, 5), 4, 8).split() == [Piece((3,), 4, 8), Piece((5,), 4, 8)]
    assert Piece((3, 5), 4, 8).num_sequences == 8
