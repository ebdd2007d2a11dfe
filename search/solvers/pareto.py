"""The front of a score: every configuration that is best for some price of size (HAWQ-V2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.scores.score import Scores
from search.solvers.decisions import Decisions, check_one_limit, make_decisions
from search.solvers.relaxation import Indices, hull_steps
from search.strategy import Problem, Search, check_budget_alone
from spaces.budget import Limit
from spaces.space import Levels, Space


@dataclass(frozen=True, kw_only=True)
class Pareto:
    """The largest configuration of the score's front that fits the budget.

    HAWQ-V2 (Dong et al. 2020, arXiv 1911.03852) draws the front of size and total perturbation and takes
    its point at the target size. Here the front holds the supported points alone, which one sorted sweep of slopes
    gives, so that what is left of the budget stays unused: ``knapsack`` fills it, at the same sizes never worse.
    """

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver pareto")
        check_one_limit(problem, "solver pareto")

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def solve(self, problem: Problem, scores: Scores) -> Search:
        yield from ()
        (limit,) = problem.budget.limits
        front = make_front(problem.space, scores.costs, limit.measure)
        return front.levels(front.last_within(limit))


@dataclass(frozen=True, kw_only=True, eq=False)
class Front:
    """All supported configurations of additive costs, sizes rising and costs falling.

    A configuration is supported where it is the cheapest for some price of size: on the lower hull of all (size, cost).
    """

    sizes: NDArray[np.int64]  # (points,), the measure of the whole model
    costs: NDArray[np.float64]  # (points,)
    decisions: Decisions
    steps: Indices  # (points - 1,), the choice that each point takes up beyond the one before

    def __len__(self) -> int:
        return len(self.sizes)

    def levels(self, point: int) -> Levels:
        """The configuration of one point, put together when it is asked for."""
        picks = self.decisions.smallest.copy()
        taken = self.steps[:point]
        np.maximum.at(picks, self.decisions.choices.item[taken], taken)
        return self.decisions.levels(picks)

    def last_within(self, limit: Limit) -> int:
        """The largest point that ``limit`` holds.

        Raises:
            JobError: the limit is below the smallest point.
        """
        self.decisions.check_fit(limit)
        return int(np.searchsorted(self.sizes, limit.limit, side="right")) - 1


def make_front(space: Space, costs: Sequence[np.ndarray], measure: str) -> Front:
    """The front of ``costs[unit][level]`` and ``measure``, by one sweep over the slopes of all lower hulls.

    From the smallest configuration on, the step that saves most cost for its size comes next: O(N log N) for N options
    in all, without droppable parts.

    Raises:
        JobError: the costs close every option of a unit.
    """
    decisions = make_decisions(space, costs, measure)
    choices, smallest = decisions.choices, decisions.smallest
    before, after, _ = hull_steps(choices)
    gained = np.cumsum(choices.weight[after] - choices.weight[before])
    saved = np.cumsum(choices.value[before] - choices.value[after])
    return Front(
        sizes=decisions.size(smallest) + np.concatenate([[0], gained]),
        costs=decisions.cost(smallest) - np.concatenate([[0.0], saved]),
        decisions=decisions,
        steps=after,
    )
