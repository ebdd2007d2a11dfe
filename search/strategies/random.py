"""Random search: the plain rival that any other strategy has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.repair import draw
from search.selection import Stage, check_stages, select, stage_tokens
from search.strategy import Problem, Search, check_budget_alone
from spaces.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Random:
    """Draws configurations that meet the budget and narrows them down by stages.

    A draw gives every unit a random level, lowers random units until the budget holds, and raises what still fits.
    """

    samples: int = 64
    stages: tuple[Stage, ...] = (Stage(tokens=2048, survivors=8), Stage(tokens=16384, survivors=1))

    def __post_init__(self) -> None:
        check_stages(self.stages)
        if self.samples < 1:
            raise InputError(f"samples must be at least 1, got {self.samples}")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "strategy random")

    def fidelity(self, problem: Problem) -> int:
        return problem.tokens(self.stages[-1].tokens)

    def planned_tokens(self, problem: Problem) -> int:
        return stage_tokens(self.samples, self.stages, problem)

    def search(self, problem: Problem) -> Search:
        rng = np.random.default_rng([problem.seed, 0])
        drawn = [draw(problem, rng) for _ in range(self.samples)]
        return (yield from select(drawn, self.stages, problem, f"{len(drawn)} random configurations"))
