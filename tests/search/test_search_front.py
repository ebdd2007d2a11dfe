"""The front equals the definition, point by point."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from search.front import non_dominated

LOSSES = st.one_of(st.integers(0, 4).map(float), st.just(math.inf), st.just(math.nan))


@given(st.lists(st.tuples(st.integers(0, 5), LOSSES), max_size=12))
def test_the_front_is_what_nothing_else_dominates(points: list[tuple[int, float]]) -> None:
    def dominates(left: int, right: int) -> bool:
        (size, loss), (other_size, other_loss) = points[left], points[right]
        if size > other_size or not loss <= other_loss:
            return False
        return size < other_size or loss < other_loss or left < right  # of equal points the first

    expected = [
        index
        for index, (_, loss) in enumerate(points)
        if math.isfinite(loss) and not any(dominates(other, index) for other in range(len(points)) if other != index)
    ]
    found = non_dominated([size for size, _ in points], [loss for _, loss in points])
    assert sorted(found) == expected
    assert [points[index][0] for index in found] == sorted(points[index][0] for index in found)


def test_sizes_beyond_float_precision_are_told_apart() -> None:
    sizes = [2**60 + 1, 2**60]
    assert non_dominated(sizes, [1.0, 2.0]) == [1, 0]
    assert non_dominated(sizes, [2.0, 2.0]) == [1]
