"""Allocation in one shot: a score for every option, then a solver under the budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from search.scores.gram import Gram
from search.scores.inter_layer import InterLayer
from search.scores.measured import MeasuredKL
from search.scores.score import Score
from search.solvers.bisection import Bisection
from search.solvers.exact import Knapsack
from search.solvers.solver import Solver
from search.strategy import FINAL_TOKENS, Problem, Search
from spaces.errors import InputError
from spaces.space import Levels


@dataclass(frozen=True, kw_only=True)
class Allocate:
    """The literature's allocation methods are compositions of a score and a solver."""

    score: Score = field(default_factory=MeasuredKL)
    solver: Solver = field(default_factory=Knapsack)

    def check(self, problem: Problem) -> None:
        self.score.check(problem)
        self.solver.check(problem)

    def check_front(self) -> None:
        if isinstance(self.solver, Bisection):
            raise InputError(
                "solver bisection looks for the smallest size that loses little, and a budget of several values asks "
                "for the least loss at each; give the budget one value, its upper end, or use solver knapsack"
            )

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(FINAL_TOKENS)

    def planned_tokens(self, problem: Problem) -> int:
        return self.score.planned_tokens(problem) + self.solver.planned_tokens(problem)

    def search(self, problem: Problem) -> Search:
        scores = yield from self.score.score(problem)
        return (yield from self.solver.solve(problem, scores))

    def planned_front_tokens(self, problems: tuple[Problem, ...]) -> int:
        """A score is the same at every budget, or at every budget whose nearest uniform choice is the same."""
        bases = {_base(self.score, problem): problem for problem in problems}
        scores = sum(self.score.planned_tokens(problem) for problem in bases.values())
        return scores + sum(self.solver.planned_tokens(problem) for problem in problems)


def _base(score: Score, problem: Problem) -> Levels | None:
    """What the score measures changes of, where that depends on the budget."""
    if isinstance(score, InterLayer):
        return _base(score.singles, problem)
    if isinstance(score, Gram):
        return score.base_levels(problem)
    return score.base(problem) if isinstance(score, MeasuredKL) else None


def _composed(score: str, solver: str | dict[str, Any]) -> dict[str, Any]:
    return {"score": score, "solver": solver}


# The literature's methods as compositions, written as a job file writes them. What each follows and where it differs
# stands with its score and in docs/methods.md.
PRESETS: dict[str, dict[str, Any]] = {
    "hawq": _composed("hessian-eigenvalue", "greedy"),
    "hawq-v2": _composed("hessian-trace", "pareto"),
    "hawq-v3": _composed("hessian-trace", "integer-program"),
    "q-bert": _composed("hessian-eigenvalue-spread", "greedy"),
    "adaquant": _composed("measured-kl", "integer-program"),
    "higgs": _composed("linearity", "knapsack"),
    "l-greco": _composed("output-error", "knapsack"),
    "alds": _composed("spectral-error", "min-max"),
    "clado-gram": _composed("gram", "quadratic"),
    "autoquantize": _composed("gradient-output", "integer-program"),
    "autoscheme": _composed("delta-loss", "knapsack"),
    "augmented-hessian": _composed("inter-layer", {"name": "bisection", "tokens": 16_384}),
}
