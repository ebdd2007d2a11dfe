"""One option everywhere: the largest that meets the budget."""

from __future__ import annotations

from dataclasses import dataclass

from search.baselines import baselines
from search.strategy import Problem, Search, check_budget_alone, measured
from spaces.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Measures every plain choice that meets the budget and returns the best."""

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "strategy uniform", takes=("constraints",))
        if not baselines(problem):
            raise InputError(
                f"no option used everywhere meets the budget ({problem.budget}); use strategy evolution or allocate"
            )

    def fidelity(self, problem: Problem) -> int:
        return problem.max_tokens

    def planned_tokens(self, problem: Problem) -> int:
        return len(baselines(problem)) * problem.max_tokens

    def search(self, problem: Problem) -> Search:
        choices = [baseline.levels for baseline in baselines(problem)]
        losses = yield from measured(tuple(choices), problem.max_tokens, "uniform choices")
        return min(zip(choices, losses, strict=True), key=lambda pair: float(pair[1].mean()))[0]
