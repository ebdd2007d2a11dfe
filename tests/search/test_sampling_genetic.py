"""NSGA-II on a predictor: its ranks and crowding against plain loops, and the optimum of an additive loss."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from synthetic_search import SyntheticLoss, all_levels, make_problem, quantize, tiny_space

from search.sampling.fitting import drawn
from search.sampling.genetic import crowded, evolve, ranked
from search.sampling.rules import Rules

POINTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=15)


def dominates(first: tuple[int, int, int], second: tuple[int, int, int]) -> bool:
    if first[2] != second[2]:
        return first[2] < second[2]
    return first[0] <= second[0] and first[1] <= second[1] and first[:2] != second[:2]


@given(POINTS)
def test_ranks_are_fronts_peeled_one_after_another(points: list[tuple[int, int, int]]) -> None:
    table = np.array(points, dtype=float)
    found = ranked(table[:, :2], table[:, 2])
    left, rank = set(range(len(points))), 0
    while left:
        front = {n for n in left if not any(dominates(points[m], points[n]) for m in left)}
        assert {n for n in left if found[n] == rank} == front
        left, rank = left - front, rank + 1


def test_crowding_is_the_gap_between_neighbours_over_the_width() -> None:
    values = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [5.0, 0.0], [9.0, 9.0]])
    found = crowded(values, np.array([0, 0, 0, 0, 1]))
    assert found.tolist() == [np.inf, 4 / 5 + 5 / 10, 4 / 5 + 6 / 10, np.inf, np.inf]


def test_it_finds_the_least_predicted_loss_of_a_small_space() -> None:
    space = tiny_space(1, quantize(2, 3, 4, 6, layers=["*.q_proj", "*.v_proj", "*.down_proj", "*.up_proj"]))
    problem = make_problem(space, {"nominal_bits_per_weight": 3.4})
    loss, rules, rng = SyntheticLoss(space=space), Rules.of(problem), np.random.default_rng(0)
    start = np.array([drawn(rules, rng) for _ in range(6)])
    # keeps 24 of 256: all of this front fit in
    found = evolve(
        start,
        lambda table: np.array([loss.exact(tuple(row)) for row in table]),
        rules,
        size=24,
        generations=30,
        rng=rng,
    )
    best = min((levels for levels in all_levels(space) if problem.holds(levels)), key=loss.exact)
    assert best in {tuple(row) for row in found.tolist()}
    assert all(problem.holds(tuple(row)) for row in found.tolist())
