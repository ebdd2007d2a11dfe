"""Several budgets and side constraints at once, by an integer program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.scores.score import Scores
from search.solvers.allocation import check_allocation, solve_knapsack
from search.solvers.decisions import make_decisions
from search.strategy import Problem, Search, check_budget_alone
from spaces.budget import check_together
from spaces.errors import JobError
from spaces.feasibility import Bound, cheapest_with
from spaces.space import Levels


@dataclass(frozen=True, kw_only=True)
class IntegerProgram:
    """The least total score under any number of limits and constraints (HAWQ-V3, Yao et al. 2021, arXiv 2011.10680).

    HAWQ-V3 hands its program to PuLP; this one goes to HiGHS, its answer is checked in whole numbers, and where one
    limit alone settles the matter the exact knapsack answers instead.
    """

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver integer-program", takes=("constraints",))
        check_allocation(problem, "global")
        check_together(problem.budget.limits, problem.constraints, problem.space)

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def solve(self, problem: Problem, scores: Scores) -> Search:
        yield from ()
        return solve_program(problem, scores.costs)


def solve_program(problem: Problem, costs: Sequence[np.ndarray]) -> Levels:
    """The levels of least total ``costs[unit][level]`` that meet every limit and constraint, in whole numbers.

    Exact for one limit without constraints; otherwise as near to the least as ``spaces.program.Program`` comes.

    Raises:
        JobError: what the costs leave open meets them not all at once.
    """
    limits = problem.budget.limits
    for limit in limits:
        make_decisions(problem.space, costs, limit.measure).check_fit(limit)
    if len(limits) == 1 or not problem.constraints:
        without = solve_knapsack(replace(problem, constraints=()), costs)
        if problem.holds(without):  # the best of more is the best of fewer, if it is among them
            return without
    bounds: list[Bound] = [(limit.measure, limit.limit) for limit in limits]
    found = cheapest_with(problem.space, costs, [*bounds, *problem.constraints])
    if found is None:
        rules = ", ".join(map(str, problem.constraints))
        raise JobError(
            f"nothing that the scores leave open meets {problem.budget} and {rules} together; relax one of them, "
            f"or choose a score that has a number for more options"
        )
    return found
