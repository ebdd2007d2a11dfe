"""Min-max allocation: the least largest score within the budget (ALDS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.scores.score import Scores, Table
from search.solvers.allocation import solve_knapsack
from search.solvers.decisions import check_one_limit, make_decisions
from search.solvers.families import families
from search.strategy import Problem, Search, check_budget_alone
from spaces.space import Space


@dataclass(frozen=True, kw_only=True)
class MinMax:
    """Makes the largest score of any unit as small as the budget allows; then, within that, their sum.

    ALDS (Liebenwein et al. 2021, arXiv 2107.11442) spreads its budget so that the largest relative error of any layer
    is least, by bisection on that error. Here the bisection runs over the scores there are, so that it is exact, and
    what the budget leaves goes into the least sum (the exact knapsack), where ALDS takes the smallest ranks.
    """

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver min-max")
        check_one_limit(problem, "solver min-max")

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def solve(self, problem: Problem, scores: Scores) -> Search:
        yield from ()
        largest = least_largest(problem, scores.costs)
        return solve_knapsack(problem, _closed_above(scores.costs, largest))


def least_largest(problem: Problem, costs: Sequence[np.ndarray]) -> float:
    """The least value that no unit's cost need exceed within the budget; what lies in a dropped part costs nothing.

    Raises:
        JobError: the costs leave nothing open that fits the budget.
    """
    (limit,) = problem.budget.limits
    make_decisions(problem.space, costs, limit.measure).check_fit(limit)
    room = limit.limit - int(getattr(problem.space.kept_measures, limit.measure))
    finite = np.concatenate(costs)
    thresholds = np.unique(finite[np.isfinite(finite)])

    def fits(number: int) -> bool:
        size = _smallest(problem.space, _closed_above(costs, float(thresholds[number])), limit.measure)
        return size is not None and size <= room

    low, high = -1, len(thresholds) - 1  # the highest fits, or the check above would have failed
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return float(thresholds[high])


def _closed_above(costs: Sequence[np.ndarray], threshold: float) -> Table:
    return [np.where(unit <= threshold, unit, np.inf) for unit in costs]


def _smallest(space: Space, costs: Sequence[np.ndarray], measure: str) -> int | None:
    """The size, from the dense model's, of the smallest configuration that is open; None where a unit has no option.

    With every open option at cost 0, a part and what lies in it come down to one choice each.
    """
    sizes = 0
    for family in families(space, [np.where(np.isfinite(unit), 0.0, np.inf) for unit in costs], measure):
        is_open = np.isfinite(family.costs)
        if not is_open.any():
            return None
        sizes += int(family.sizes[is_open].min())
    return sizes
