"""What a solver is: it picks levels from scores under the budget."""

from __future__ import annotations

from typing import Protocol

from search.scores.score import Scores
from search.strategy import Problem, Search

SOLVERS = {
    "knapsack": "search.solvers.exact:Knapsack",
    "integer-program": "search.solvers.integer_program:IntegerProgram",
    "pareto": "search.solvers.pareto:Pareto",
    "min-max": "search.solvers.min_max:MinMax",
    "greedy": "search.solvers.greedy:Greedy",
    "quadratic": "search.solvers.quadratic:Quadratic",
    "bisection": "search.solvers.bisection:Bisection",
}


class Solver(Protocol):
    """Settings are the fields of a frozen dataclass. Most solvers ask nothing; ``bisection`` measures on the way."""

    def check(self, problem: Problem) -> None:
        """Refuse, before any score is computed, what no scores could make solvable.

        Raises:
            InputError: names what does not fit and the way out.
        """

    def planned_tokens(self, problem: Problem) -> int:
        """Tokens that it will ask to be read."""

    def solve(self, problem: Problem, scores: Scores) -> Search:
        """The levels that it picks; they meet the budget."""
