"""Allocation with interactions: a local optimum of the quadratic model of a score, under the budget in whole bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.scores.score import Scores
from search.solvers.allocation import check_allocation, solve_knapsack
from search.solvers.quadratic_form import QuadraticForm, quadratic_form
from search.solvers.quadratic_steps import Steps, steps_from
from search.strategy import Problem, Search, check_budget_alone
from spaces.errors import InputError
from spaces.space import Levels

MAX_LINEARISATIONS = 20  # two or three are the rule
KICKED_SHARE = 8  # one pair of steps at random for so many units

Array = np.ndarray  # int64 (units,): levels


@dataclass(frozen=True, kw_only=True)
class Quadratic:
    """Least sum_i c_i + sum_{i<j} G_ij over the moves of a configuration, for scores that know interactions.

    It starts from the exact knapsack of the costs, linearises the form where it stands and solves that exactly, until
    this no longer helps; then it changes one unit, or two at once (one smaller, another larger), whichever pair gains
    most, until none does: all pairs are looked at. ``restarts`` times it goes on from the best point with a few units
    changed at random, and the best is the answer: a local optimum in all single and pair changes, and never worse than
    the knapsack on the same model. CLADO (Deng et al. 2023, arXiv 2307.05657) gives the same question to an integer
    quadratic program. Without interactions it is the knapsack.
    """

    restarts: int = 8

    def __post_init__(self) -> None:
        if self.restarts < 0:
            raise InputError(f"restarts must be at least 0, got {self.restarts}")

    def check(self, problem: Problem) -> None:
        check_budget_alone(problem, "solver quadratic")
        check_allocation(problem, "global")

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def solve(self, problem: Problem, scores: Scores) -> Search:
        yield from ()
        start = solve_knapsack(problem, scores.costs)
        if scores.interactions is None:
            return start
        form = quadratic_form(problem, scores)
        best = descend(form, _relinearised(form, problem, start))
        for number in range(self.restarts):
            found = descend(form, _kicked(form, best, np.random.default_rng([problem.seed, number])))
            if form.value(found) < form.value(best) - form.tolerance:
                best = found
        return _canonical(form, best)


def descend(form: QuadraticForm, levels: Array) -> Array:
    """The local optimum in single and pair steps that the best of them lead to; as feasible as ``levels``."""
    while True:
        steps = steps_from(form, levels)
        fitting = steps.fitting()
        best = fitting[steps.gains[fitting].argmin()] if fitting.size else None
        if best is not None and steps.gains[best] < -form.tolerance:
            levels = steps.after[best]
            continue
        improved = _best_pairs(form, steps)
        if improved is None:
            return levels
        levels = improved


def _best_pairs(form: QuadraticForm, steps: Steps) -> Array | None:
    """The best pair of steps made, and of the next ones those that still gain as they are; None where no pair gains."""
    partners, gains = steps.best_partners()
    levels, slopes, slack = steps.levels.copy(), steps.slopes.copy(), steps.slack.copy()
    is_taken = np.zeros(form.num_units, dtype=bool)
    for first in np.argsort(gains, kind="stable"):
        if gains[first] >= -form.tolerance:
            break
        pair = [first, partners[first]]
        moves, signs = steps.shift(pair)
        units, size = form.unit_of[moves], steps.sizes[pair].sum(axis=0)
        if is_taken[units].any() or (size > slack).any():
            continue
        bend = signs @ form.matrix[np.ix_(moves, moves)] @ signs / 2
        if signs @ slopes[moves] + bend < -form.tolerance:
            levels, slopes, slack = steps.made(levels, pair), slopes + signs @ form.matrix[moves], slack - size
            is_taken[units] = True
    return levels if is_taken.any() else None


def _relinearised(form: QuadraticForm, problem: Problem, start: Levels) -> Array:
    """Exact optima of the form's linearisation, each at the one before, as long as the form itself falls."""
    best = np.array(start, dtype=np.int64)
    for _ in range(MAX_LINEARISATIONS):
        found = np.array(solve_knapsack(problem, form.table(form.slopes(best))), dtype=np.int64)
        if form.value(found) >= form.value(best) - form.tolerance:
            break
        best = found
    return best


def _kicked(form: QuadraticForm, levels: Array, rng: np.random.Generator) -> Array:
    """The same after a few random pairs of steps that the limits allow."""
    for _ in range(max(2, form.num_units // KICKED_SHARE)):
        steps = steps_from(form, levels)
        first = rng.permutation(len(steps.gains))[:1]
        partners = steps.partners(int(first[0])) if first.size else first
        if partners.size:
            levels = steps.made(levels, [int(first[0]), int(rng.choice(partners))])
    return levels


def _canonical(form: QuadraticForm, levels: Array) -> Levels:
    """Level 0 for what lies in a dropped part, as the knapsack gives it."""
    return tuple(np.where(form.is_shown(levels), levels, 0).tolist())
