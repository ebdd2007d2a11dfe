"""What a search that is stopped ends with: the best that was known by then, which meets the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.strategy import Problem
from spaces.errors import JobError
from spaces.feasibility import Bound, cheapest_with, unit_costs
from spaces.space import Levels


def best_known(problem: Problem, incumbent: Levels | None, measured: Mapping[Levels, float]) -> Levels:
    """What the strategy would have answered; else the best among ``measured``, nats by levels; else what just fits.

    Raises:
        JobError: nothing that fits is known.
    """
    if incumbent is not None and problem.holds(incumbent):
        return incumbent
    fitting = {levels: loss for levels, loss in measured.items() if problem.holds(levels) and np.isfinite(loss)}
    return _best(problem, fitting) if fitting else _largest(problem)


def best_of_each(
    problems: Sequence[Problem], incumbent: Levels | None, measured: Mapping[Levels, float]
) -> list[Levels]:
    """The same for each budget of a front. What was measured comes first: an incumbent was one budget's alone."""
    found = []
    for problem in problems:
        is_known = any(problem.holds(levels) and np.isfinite(loss) for levels, loss in measured.items())
        found.append(best_known(problem, None if is_known else incumbent, measured))
    return found


def _best(problem: Problem, fitting: Mapping[Levels, float]) -> Levels:
    """The least loss; where the job asks for the smallest size under a loss, the smallest that keeps it, if any."""

    def size(levels: Levels) -> int:
        return problem.space.measure(levels).stored_bits

    keeping = [] if problem.max_loss is None else [each for each, loss in fitting.items() if loss <= problem.max_loss]
    if keeping:
        return min(keeping, key=lambda levels: (size(levels), fitting[levels], levels))
    return min(fitting, key=lambda levels: (fitting[levels], size(levels), levels))


def _largest(problem: Problem) -> Levels:
    """The configuration of most bytes within the budget: where nothing was measured, more bits are the better guess."""
    space = problem.space
    gains = [-np.array(unit_costs(space, number, "stored_bits"), dtype=float) for number in range(len(space.units))]
    bounds: list[Bound] = [(limit.measure, limit.limit) for limit in problem.budget.limits]
    levels = cheapest_with(space, gains, [*bounds, *problem.constraints])
    if levels is None or not problem.holds(levels):
        raise JobError(
            f"the search was stopped before anything within the budget ({problem.budget}) was known; resume it"
        )
    return levels
