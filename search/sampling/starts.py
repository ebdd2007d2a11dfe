"""Where a search by sampling begins: configurations that hold for sure."""

from __future__ import annotations

import numpy as np

from search.baselines import baselines
from search.sampling.fitting import drawn
from search.sampling.rules import Rules
from search.solvers.integer_program import solve_program
from search.strategy import Problem
from spaces.space import Levels


def plain_starts(problem: Problem, rules: Rules, rng: np.random.Generator) -> list[Levels]:
    """The plain choices that hold; without one, a random configuration, or what an integer program finds."""
    plain = [baseline.levels for baseline in baselines(problem)]
    if plain:
        return plain
    found = drawn(rules, rng)
    if found is not None:
        return [found]
    # large options cost nothing, so that the program uses the budget
    costs = [np.arange(len(unit.options), 0, -1, dtype=float) for unit in problem.space.units]
    return [solve_program(problem, costs)]
