"""Configurations at other budgets, solved from what the bank recorded: the front around an answer, for little."""

from __future__ import annotations

from dataclasses import replace

from search.scores.errors import OutputError
from search.solvers.allocation import solve_knapsack
from search.strategy import Problem
from spaces.budget import BUDGETS, Budget
from spaces.errors import InputError
from spaces.option import KEEP
from spaces.space import Levels


def check_sweep(problem: Problem) -> None:
    """Refuse a sweep that has no scores or no single budget to vary.

    Raises:
        InputError: the space offers drops, or the budget has several limits.
    """
    if len(problem.budget.limits) > 1:
        raise InputError(f"front_points needs a budget of one limit to vary, got {problem.budget}; leave it out")
    OutputError().check(problem)


def sweep(problem: Problem, num_points: int) -> list[tuple[str, Levels]]:
    """(name, levels) at ``num_points`` budgets spread evenly between the smallest and the largest compressed size.

    Each is the exact least sum of relative output errors under its budget (``output-error`` x ``knapsack``); those that
    break a constraint of the job are left out.
    """
    space, limit = problem.space, problem.budget.limits[0]
    compressed = [[n for n, option in enumerate(unit.options) if option != KEEP] or [0] for unit in space.units]
    ends = [tuple(levels[end] for levels in compressed) for end in (0, -1)]
    low, high = (int(getattr(space.measure(levels), limit.measure)) for levels in ends)
    scores = OutputError().table(problem)
    found: dict[Levels, str] = {}
    for number in range(num_points):
        value = low + (high - low) * (number + 1) // (num_points + 1)
        budget = Budget(limits=(replace(limit, limit=value),))
        at_budget = replace(problem, budget=budget)
        levels = solve_knapsack(at_budget, scores)
        if at_budget.holds(levels):
            found.setdefault(levels, f"output-error x knapsack at {BUDGETS[limit.name].show(value, space)}")
    return [(name, levels) for levels, name in found.items()]
