"""Fronts, size bins, hypervolume and attainment equal their definitions, point by point."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.front import (
    LEAST_LOSS,
    Bins,
    Reference,
    attainment,
    hypervolume,
    non_dominated,
    non_dominated_in_all,
)

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


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[LOSSES] * width), min_size=1, max_size=12)))
def test_the_front_of_several_objectives_is_what_nothing_else_dominates(points: list[tuple[float, ...]]) -> None:
    def dominates(left: int, right: int) -> bool:
        if not all(ours <= theirs for ours, theirs in zip(points[left], points[right], strict=True)):
            return False
        return points[left] != points[right] or left < right  # of equal points the first

    expected = [
        index
        for index, point in enumerate(points)
        if all(map(math.isfinite, point))
        and not any(dominates(other, index) for other in range(len(points)) if other != index)
    ]
    found = non_dominated_in_all(np.array(points))
    assert sorted(found) == expected
    assert [points[index] for index in found] == sorted(points[index] for index in found)


def test_sizes_beyond_float_precision_are_told_apart() -> None:
    sizes = [2**60 + 1, 2**60]
    assert non_dominated(sizes, [1.0, 2.0]) == [1, 0]
    assert non_dominated(sizes, [2.0, 2.0]) == [1]


@given(st.integers(0, 20), st.integers(0, 30), st.integers(1, 8), st.data())
def test_a_bin_holds_the_least_loss_of_its_stretch(low: int, span: int, count: int, data: st.DataObject) -> None:
    sizes = st.integers(low, low + span)
    updates = data.draw(st.lists(st.tuples(sizes, LOSSES), max_size=15))
    bins: Bins[int] = Bins(low, low + span, count)
    for number, (size, loss) in enumerate(updates):
        bins.update(size, loss, number)

    def stretch(size: int) -> int:  # exactly: the stretches are equal parts of span + 1 whole sizes
        part = Fraction(span + 1, count)
        return next(number for number in range(count) if number * part <= size - low < (number + 1) * part)

    expected = {}
    for number, (size, loss) in enumerate(updates):
        if math.isfinite(loss):
            ranked = (loss, size, number)
            expected[stretch(size)] = min(expected.get(stretch(size), ranked), ranked)
    found = {bins.number_of(elite.size): (elite.loss, elite.size, elite.what) for elite in bins.elites()}
    assert found == expected
    assert [elite.size for elite in bins.elites()] == sorted(elite.size for elite in bins.elites())


def test_an_update_says_whether_it_was_taken() -> None:
    bins: Bins[str] = Bins(0, 9, 2)
    assert bins.update(3, 1.0, "first")
    assert not bins.update(3, 1.0, "the same again")
    assert not bins.update(2, math.inf, "broken")
    assert bins.update(2, 1.0, "smaller")
    assert bins.update(7, 5.0, "another bin")
    assert [elite.what for elite in bins.elites()] == ["smaller", "another bin"]
    with pytest.raises(ValueError, match="from 0 to 9, got 10"):
        bins.update(10, 1.0, "too large")


def inclusion_exclusion(points: list[tuple[float, float]], reference: Reference) -> float:
    """The area of a union of boxes by the definition: all intersections, with alternating signs."""
    total = 0.0
    for number in range(1, len(points) + 1):
        for chosen in combinations(points, number):
            width = reference.size - max(size for size, _ in chosen)
            height = math.log(reference.loss) - math.log(max(loss for _, loss in chosen))
            total -= (-1) ** number * max(0.0, width) * max(0.0, height)
    return total


@given(
    st.lists(st.tuples(st.integers(1, 9).map(float), st.integers(1, 9).map(float)), max_size=6),
    st.integers(2, 8),
    st.integers(2, 8),
)
def test_hypervolume_is_the_area_of_the_union_of_boxes(points: list[tuple[float, float]], size: int, loss: int) -> None:
    reference = Reference(size=float(size), loss=float(loss))
    found = hypervolume([size for size, _ in points], [loss for _, loss in points], reference)
    assert found == pytest.approx(inclusion_exclusion(points, reference), abs=1e-12)


def test_hypervolume_by_hand() -> None:
    reference = Reference(size=4.0, loss=math.e)
    assert hypervolume([2.0, 3.0], [1.0, math.exp(-2)], reference) == pytest.approx(1 * 1 + 1 * 3)
    assert hypervolume([], [], reference) == 0
    assert hypervolume([1.0, 1.0, 5.0], [math.inf, math.nan, 0.1], reference) == 0
    assert hypervolume([3.0], [0.0], reference) == pytest.approx(1 - math.log(LEAST_LOSS))  # the dense model: no end


FRONT = st.lists(st.tuples(st.integers(0, 6), LOSSES), min_size=1, max_size=5)


@given(st.lists(FRONT, min_size=1, max_size=6), st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75, 1.0]))
def test_attainment_is_the_least_loss_that_enough_fronts_attain(
    fronts: list[list[tuple[int, float]]], share: float
) -> None:
    found = attainment([([s for s, _ in front], [loss for _, loss in front]) for front in fronts], (share,))
    assert list(found.sizes) == sorted({size for front in fronts for size, _ in front})
    for size, least in zip(found.sizes, found.losses[0], strict=True):

        def attains(front: list[tuple[int, float]], loss: float, size: float = size) -> bool:
            return any(own_size <= size and own <= loss for own_size, own in front)

        candidates = {loss for front in fronts for _, loss in front if math.isfinite(loss)}
        enough = [
            loss
            for loss in candidates
            if sum(attains(front, loss) for front in fronts) >= Fraction(str(share)) * len(fronts)
        ]
        assert least == min(enough, default=math.inf)


def test_quartiles_of_five_seeds_are_the_second_third_and_fourth() -> None:
    fronts = [([1.0, 2.0], [10.0 * seed, float(seed)]) for seed in (3, 1, 5, 2, 4)]
    surfaces = attainment(fronts)
    np.testing.assert_array_equal(surfaces.losses, [[20, 2], [30, 3], [40, 4]])


@pytest.mark.parametrize(("fronts", "shares"), [([], (0.5,)), ([([1.0], [1.0])], (0.0,)), ([([1.0], [1.0])], (1.5,))])
def test_attainment_of_nothing_is_refused(
    fronts: list[tuple[list[float], list[float]]], shares: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=rf"got {len(fronts)} and \[{shares[0]}"):
        attainment(fronts, shares)
