"""The solver knapsack: the exact least sum of scores under a budget, or the smallest size at a given sum."""

from __future__ import annotations

from dataclasses import dataclass

from search.mutation import GROUPS, Groups
from search.scores.score import Scores
from search.solvers.allocation import check_allocation, solve_knapsack
from search.solvers.decisions import check_one_limit
from search.solvers.smallest import smallest_under
from search.strategy import Problem, Search, check_budget_alone
from spaces.errors import InputError
from spaces.tables import check_name


@dataclass(frozen=True, kw_only=True)
class Knapsack:
    """The exact multiple-choice knapsack: see ``solve_knapsack``. ``groups`` may hold the budget in each group.

    With ``max_total`` in the other direction, as L-GreCo and SPDY ask it: the smallest size within the budget whose
    scores add up to at most so much (``smallest_under``).
    """

    groups: Groups = "global"
    max_total: float | None = None

    def __post_init__(self) -> None:
        check_name(self.groups, GROUPS, "grouping")
        if self.max_total is not None and self.groups != "global":
            raise InputError(f"max_total {self.max_total} cannot be held in groups: {self.groups}; leave one out")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver knapsack")
        check_allocation(problem, self.groups)
        if self.max_total is not None:
            check_one_limit(problem, "max_total")

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def solve(self, problem: Problem, scores: Scores) -> Search:
        yield from ()
        if self.max_total is not None:
            return smallest_under(problem, scores, self.max_total)
        return solve_knapsack(problem, scores.costs, self.groups)
