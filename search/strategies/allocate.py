"""Allocation in one shot: a score for every option, then a solver under the budget."""

from __future__ import annotations

from dataclasses import dataclass, field

from search.mutation import GROUPS, Groups
from search.scores.measured import MeasuredKL
from search.scores.score import Score
from search.solvers.allocation import SOLVERS, check_allocation
from search.strategy import Problem, Search
from spaces.space import Levels
from spaces.tables import check_name, load


@dataclass(frozen=True, kw_only=True)
class Allocate:
    """The literature's allocation methods are compositions of a score and a solver."""

    score: Score = field(default_factory=MeasuredKL)
    solver: str = "knapsack"
    groups: Groups = "global"

    def __post_init__(self) -> None:
        check_name(self.solver, SOLVERS, "solver")
        check_name(self.groups, GROUPS, "grouping")

    def check(self, problem: Problem) -> None:
        self.score.check(problem)
        check_allocation(problem, self.groups)

    def fidelity(self, problem: Problem) -> int:
        return problem.max_tokens

    def planned_tokens(self, problem: Problem) -> int:
        return self.score.planned_tokens(problem)

    def search(self, problem: Problem) -> Search:
        costs = yield from self.score.score(problem)
        levels: Levels = load(SOLVERS, self.solver, "solver")(problem, costs, self.groups)
        return levels
