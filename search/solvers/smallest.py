"""The question of the knapsack turned round: the smallest configuration at a given total score (L-GreCo)."""

from __future__ import annotations

import numpy as np

from search.scores.score import Scores
from search.solvers.decisions import check_one_limit, make_decisions
from search.solvers.items import Item
from search.solvers.knapsack import smallest
from search.strategy import Problem
from spaces.budget import BUDGETS
from spaces.errors import BudgetError
from spaces.space import Levels


def smallest_under(problem: Problem, scores: Scores, max_cost: float) -> Levels:
    """The levels of least size whose scores add up to at most ``max_cost``; exact, and within the budget.

    Size is what the budget's one limit measures. L-GreCo (Alimohammadi et al. 2023, arXiv 2210.17357) asks it so, of a
    dynamic program over rounded errors; here neither sum is rounded.

    Raises:
        InputError: the budget has several limits.
        BudgetError: no configuration, or none within the budget, has so small a total.
        JobError: the scores close every option of a unit.
    """
    check_one_limit(problem, "the smallest size at a given total score")
    (limit,) = problem.budget.limits
    decisions = make_decisions(problem.space, scores.costs, limit.measure)
    choices, starts = decisions.choices, decisions.smallest
    sizes = np.split(choices.excess, starts[1:])
    costs = np.split(choices.value, starts[1:])
    items = [Item(sizes=size, costs=cost.astype(float)) for size, cost in zip(sizes, costs, strict=True)]
    picks = starts + np.array(smallest(items, max_cost), dtype=np.int64)
    if (size := decisions.size(picks)) > limit.limit:
        least = BUDGETS[limit.name].show(size, problem.space)
        raise BudgetError(
            f"a total score of {max_cost:.9g} needs {limit.name} {least} at least, above the budget of "
            f"{limit.written}; raise the budget or the total"
        )
    return decisions.levels(picks)
