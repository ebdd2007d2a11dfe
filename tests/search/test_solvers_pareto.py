"""The front of a score against the lower hull of every configuration, and its largest point within a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import (
    SPACES,
    answer_of,
    cost_of,
    cost_tables,
    limit_on,
    limits,
    open_levels,
    problem_of,
    sizes_of,
    space_named,
)
from synthetic_search import all_levels, make_problem

from search.solvers.allocation import solve_knapsack
from search.solvers.pareto import Pareto, make_front
from spaces.budget import extremes
from spaces.errors import InputError, JobError

MEASURES = ("stored_bits", "nominal_bits", "parameters")


def lower_hull(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The vertices that some price of size makes the one best point: sizes rising, costs falling."""
    best: list[tuple[int, float]] = []
    for size, cost in sorted(points):
        if best and best[-1][1] <= cost:
            continue
        while len(best) > 1 and _is_above(best[-2], best[-1], (size, cost)):
            best.pop()
        if best and best[-1][0] == size:
            best.pop()
        best.append((size, cost))
    return best


def _is_above(a: tuple[int, float], b: tuple[int, float], c: tuple[int, float]) -> bool:
    """Whether b lies on or above the line from a to c; in whole numbers, since the tests' costs are whole."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_front_is_the_lower_hull_of_every_configuration(name: str, measure: str, data: st.DataObject) -> None:
    space = space_named(name)
    costs = data.draw(cost_tables(space, closed=data.draw(st.booleans())))
    configurations = zip(sizes_of(name, measure), all_levels(space), strict=True)
    points = [(size, cost_of(space, costs, levels)) for size, levels in configurations]
    hull = lower_hull([(size, cost) for size, cost in points if np.isfinite(cost)])
    if not hull:
        with pytest.raises(JobError, match=r"the scores leave model\.layers\.\d.* no option: all cost infinity"):
            make_front(space, costs, measure)
        return
    front = make_front(space, costs, measure)
    found = list(zip(front.sizes.tolist(), front.costs.tolist(), strict=True))
    assert set(hull) <= set(found)  # each vertex
    ends = np.interp([size for size, _ in found], *zip(*hull, strict=True))
    assert [cost for _, cost in found] == pytest.approx(ends, abs=1e-9)  # and nothing off the hull
    for point, (size, cost) in enumerate(found):
        levels = front.levels(point)
        assert getattr(space.measure(levels), measure) == size
        assert cost_of(space, costs, levels) == cost


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_answer_is_the_cheapest_supported_configuration_within_the_budget(name: str, data: st.DataObject) -> None:
    space = space_named(name)
    problem = problem_of(space, data.draw(limits(space, "stored_bits")))
    costs = data.draw(cost_tables(space))
    answer = answer_of(Pareto(), problem, costs)
    assert problem.holds(answer)
    front = make_front(space, costs, "stored_bits")
    within = [
        cost for size, cost in zip(front.sizes, front.costs, strict=True) if size <= problem.budget.limits[0].limit
    ]
    assert cost_of(space, costs, answer) == min(within, default=np.inf)
    assert cost_of(space, costs, answer) >= cost_of(space, costs, solve_knapsack(problem, costs))


@pytest.mark.parametrize("measure", MEASURES)
def test_at_the_size_of_each_of_its_points_nothing_is_cheaper(measure: str) -> None:
    space = space_named("nested")
    rng = np.random.default_rng(3)
    costs = [rng.random(len(unit.options)) for unit in space.units]
    front = make_front(space, costs, measure)
    for point in range(len(front)):
        problem = problem_of(space, limit_on(measure, int(front.sizes[point])))
        assert answer_of(Pareto(), problem, costs) == front.levels(point)
        best = cost_of(space, costs, solve_knapsack(problem, costs))
        assert cost_of(space, costs, front.levels(point)) == pytest.approx(best, rel=1e-12)


def test_a_closed_front_above_the_budget_says_what_it_needs() -> None:
    space = space_named("weights")
    low, high = extremes(space, "nominal_bits")
    problem = problem_of(space, limit_on("nominal_bits", low))
    costs = [np.where(np.arange(len(unit.options)) == 0, np.inf, 0.0) for unit in space.units]
    with pytest.raises(JobError, match=rf"must be at least 3\.0000 for the options .* leave open, got {low} bits"):
        answer_of(Pareto(), problem, costs)
    assert low < high
    assert not list(open_levels(problem, costs))


@pytest.mark.parametrize("solver", ["pareto", "min-max", "greedy"])
def test_several_limits_are_refused_with_the_solver_that_takes_them(solver: str) -> None:
    from search.settings import make_solver

    problem = make_problem(space_named("weights"), {"nominal_bits_per_weight": 3, "size": "1MB"})
    with pytest.raises(InputError, match=f"solver {solver} takes .* one limit, got .*, size 1MB; .*integer-program"):
        make_solver(solver).check(problem)
