"""Greedy against its own rule by exhaustive steps, and against the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import SPACES, answer_of, cost_of, cost_tables, limit_on, limits, problem_of, space_named

from search.solvers.allocation import solve_knapsack
from search.solvers.families import families
from search.solvers.greedy import Greedy
from search.strategy import Problem
from spaces.errors import JobError


def by_the_rule(problem: Problem, costs: list[np.ndarray]) -> float:
    """The cost of the answer, every step chosen among all moves of all families."""
    (limit,) = problem.budget.limits
    table = families(problem.space, costs, limit.measure)
    choices = [sorted(zip(family.sizes.tolist(), family.costs.tolist(), strict=True)) for family in table]
    room = limit.limit - getattr(problem.space.measure(problem.space.kept), limit.measure)
    at = [rows[0] for rows in choices]
    while True:
        left = room - sum(size for size, _ in at)
        moves = [
            ((now[1] - cost) / (size - now[0]), -family, size, cost)
            for family, (now, rows) in enumerate(zip(at, choices, strict=True))
            for size, cost in rows
            if now[0] < size <= now[0] + left and cost < now[1]
        ]
        if not moves:
            return sum(cost for _, cost in at)
        slope, family = max(moves)[:2]
        # of moves of one family that are as steep, the shorter one
        size, cost = min((size, cost) for s, f, size, cost in moves if (s, f) == (slope, family))
        at[-family] = (size, cost)


@pytest.mark.parametrize("measure", ["stored_bits", "nominal_bits", "parameters"])
@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_each_step_is_the_steepest_that_fits(name: str, measure: str, data: st.DataObject) -> None:
    space = space_named(name)
    problem = problem_of(space, data.draw(limits(space, measure)))
    costs = data.draw(cost_tables(space))
    answer = answer_of(Greedy(), problem, costs)
    assert problem.holds(answer)
    assert cost_of(space, costs, answer) == by_the_rule(problem, costs)
    assert cost_of(space, costs, answer) >= cost_of(space, costs, solve_knapsack(problem, costs))


def test_it_goes_on_with_smaller_steps_where_the_steepest_does_not_fit() -> None:
    space = space_named("weights")
    sizes = [space.layers[unit.layers[0]].num_weights for unit in space.units]
    costs = [np.array([9.0, 8.9, 0.0, 0.0])] + [np.array([1.0, 0.999, 0.998, 0.997])] * 3
    one_bit_more = problem_of(space, limit_on("nominal_bits", 2 * space.num_weights + max(sizes)))
    answer = answer_of(Greedy(), one_bit_more, costs)
    assert answer[0] == 1  # two bits more of it, the steepest move of all, do not fit: one bit is next
    assert one_bit_more.holds(answer)


def test_closed_options_are_never_taken() -> None:
    space = space_named("weights")
    costs = [np.array([np.inf, 2.0, np.inf, 1.0])] * 4
    loose = problem_of(space, limit_on("nominal_bits", 32 * space.num_weights))
    assert answer_of(Greedy(), loose, costs) == (3, 3, 3, 3)
    tight = problem_of(space, limit_on("nominal_bits", 3 * space.num_weights))
    assert answer_of(Greedy(), tight, costs) == (1, 1, 1, 1)
    with pytest.raises(JobError, match=r"must be at least 3\.0000 for the options that the scores leave open"):
        answer_of(Greedy(), problem_of(space, limit_on("nominal_bits", 3 * space.num_weights - 1)), costs)
