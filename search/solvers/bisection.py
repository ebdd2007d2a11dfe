"""How small can it get: the smallest configuration of a score's front whose measured loss stays under a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np

from search.baselines import baselines
from search.scores.score import Scores
from search.solvers.decisions import check_one_limit
from search.solvers.pareto import Front, make_front
from search.strategy import Asking, Problem, Search, check_budget_alone, measured
from spaces.errors import InputError, JobError


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """Bisects over the front of the score, by measurement, for the smallest point that keeps ``max_loss``.

    The search of Schaefer et al. 2023 (arXiv 2306.04879), who lower the precision of layers in the order of their
    sensitivity as far as the measured accuracy allows. Here the order is the front of ``pareto``, which ends at the
    budget; a round measures several points at once, for as many workers; and since a measured loss need not fall with
    size, the points just below the answer are measured too, and the search goes on from there if one of them does.

    A job without ``max_loss`` asks how small it can get and lose no more than the best plain choice within the budget.
    """

    tokens: int | None = None  # on which each candidate is measured; None: the whole calibration text
    points: int = 3  # measured at once: 3 quarter the front, 1 halves it

    def __post_init__(self) -> None:
        for name in ("tokens", "points"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} of bisection must be at least 1, got {value}")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver bisection", takes=("max_loss",))
        check_one_limit(problem, "solver bisection")
        if problem.max_loss is None and not baselines(problem):
            raise InputError(
                f"solver bisection needs a loss to stay under, and no plain choice meets the budget ({problem.budget}) "
                f"to take one from; write max_loss: 0.05 in the job, or use solver knapsack"
            )

    def planned_tokens(self, problem: Problem) -> int:
        longest = 1 + sum(len(unit.options) - 1 for unit in problem.space.units)
        rounds = ceil(log(longest, self.points + 1))
        plain = len(baselines(problem)) if problem.max_loss is None else 0
        return (plain + 1 + (rounds + 1) * self.points) * self._tokens(problem)

    def solve(self, problem: Problem, scores: Scores) -> Search:
        (limit,) = problem.budget.limits
        front = make_front(problem.space, scores.costs, limit.measure)
        max_loss = problem.max_loss
        if max_loss is None:
            max_loss = yield from self._least_plain_loss(problem)
        search = _Bisection(front, front.last_within(limit), max_loss, self._tokens(problem))
        point = yield from search.run(self.points)
        return front.levels(point)

    def _least_plain_loss(self, problem: Problem) -> Asking[float]:
        plain = tuple(each.levels for each in baselines(problem))
        losses = yield from measured(plain, self._tokens(problem), "plain choices")
        return min(float(np.mean(loss)) for loss in losses)

    def _tokens(self, problem: Problem) -> int:
        return problem.max_tokens if self.tokens is None else problem.tokens(self.tokens)


class _Bisection:
    """One search over the points 0 to ``last``."""

    def __init__(self, front: Front, last: int, max_loss: float, tokens: int) -> None:
        self.front = front
        self.last = last
        self.max_loss = max_loss
        self.tokens = tokens
        self.losses: dict[int, float] = {}  # of every point measured

    def run(self, num_points: int) -> Asking[int]:
        """The smallest point found that keeps the limit; it was measured, and so were those just below it."""
        yield from self._measure([*_between(-1, self.last, num_points), self.last])
        while True:
            high = self._smallest_kept()
            low = max((point for point in self.losses if point < high), default=-1)  # fails, as all measured below
            beside = [point for point in range(max(0, high - num_points), high) if point not in self.losses]
            asked = _between(low, high, num_points) or beside
            if not asked:
                return high
            yield from self._measure(asked)

    def _measure(self, points: Sequence[int]) -> Asking[None]:
        candidates = tuple(self.front.levels(point) for point in points)
        label = f"sizes {points[0] + 1} to {points[-1] + 1} of {self.last + 1}"
        losses = yield from measured(candidates, self.tokens, label)
        self.losses |= {point: float(np.mean(loss)) for point, loss in zip(points, losses, strict=True)}

    def _smallest_kept(self) -> int:
        kept = [point for point, loss in self.losses.items() if loss <= self.max_loss]
        if kept:
            return min(kept)
        raise JobError(
            f"the largest configuration of the front within the budget measures a loss of {self.losses[self.last]:.6g} "
            f"on {self.tokens:,} tokens, and max_loss is {self.max_loss:.6g}, in nats per token; raise max_loss or "
            f"the budget, or offer larger options"
        )


def _between(low: int, high: int, num_points: int) -> list[int]:
    """At most so many whole numbers between the two, spread evenly."""
    steps = range(1, num_points + 1)
    return sorted({low + (high - low) * step // (num_points + 1) for step in steps} - {low})
