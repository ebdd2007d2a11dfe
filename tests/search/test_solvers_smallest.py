"""The smallest size at a given total score, against every configuration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import SPACES, cost_of, cost_tables, limit_on, problem_of, sizes_of, space_named
from synthetic_search import all_levels, make_problem

from search.engine.answers import drive
from search.scores.score import Scores
from search.settings import make_solver
from search.solvers.smallest import smallest_under
from spaces.budget import extremes
from spaces.errors import BudgetError, InputError


@pytest.mark.parametrize("measure", ["stored_bits", "nominal_bits"])
@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_nothing_smaller_keeps_the_total(name: str, measure: str, data: st.DataObject) -> None:
    space = space_named(name)
    costs = data.draw(cost_tables(space))
    problem = problem_of(space, limit_on(measure, extremes(space, measure)[1]))
    totals = [cost_of(space, costs, levels) for levels in all_levels(space)]
    most = data.draw(st.sampled_from(sorted(set(totals))))
    answer = smallest_under(problem, Scores(costs=costs), most)
    kept = [size for size, total in zip(sizes_of(name, measure), totals, strict=True) if total <= most]
    assert cost_of(space, costs, answer) <= most
    assert getattr(space.measure(answer), measure) == min(kept)


def test_a_total_that_no_budget_or_no_configuration_gives_is_refused() -> None:
    space = space_named("weights")
    scores = Scores(costs=[np.array([np.inf, 2.0, 1.0, 0.5])] * 4)
    problem = problem_of(space, limit_on("nominal_bits", 3 * space.num_weights))
    assert smallest_under(problem, scores, 8.0) == (1, 1, 1, 1)
    with pytest.raises(BudgetError, match=r"total score of 4 needs nominal_bits_per_weight 4\.0000 at least, above"):
        smallest_under(problem, scores, 4.0)
    with pytest.raises(BudgetError, match=r"cost_limit must be at least 2, .* got 1\.5"):
        smallest_under(problem, scores, 1.5)


def test_several_limits_are_refused() -> None:
    problem = make_problem(space_named("weights"), {"nominal_bits_per_weight": 3, "size": "1MB"})
    with pytest.raises(InputError, match="smallest size at a given total score takes a budget of one limit, got"):
        smallest_under(problem, Scores(costs=[np.zeros(4)] * 4), 1.0)


def test_the_solver_knapsack_turns_round_where_it_is_given_a_total() -> None:
    space = space_named("weights")
    scores = Scores(costs=[np.array([4.0, 2.0, 1.0, 0.0])] * 4)
    problem = problem_of(space, limit_on("nominal_bits", 8 * space.num_weights))
    for total in (16.0, 9.5, 5.0, 4.0):
        solver = make_solver({"name": "knapsack", "max_total": total})
        solver.check(problem)
        answer = drive(solver.solve(problem, scores), lambda question: [])
        assert answer == smallest_under(problem, scores, total)
    with pytest.raises(InputError, match=r"max_total 5\.0 cannot be held in groups: last-name"):
        make_solver({"name": "knapsack", "max_total": 5.0, "groups": "last-name"})
    several = make_problem(space, {"nominal_bits_per_weight": 3, "size": "1MB"})
    with pytest.raises(InputError, match="max_total takes a budget of one limit, got"):
        make_solver({"name": "knapsack", "max_total": 5.0}).check(several)
