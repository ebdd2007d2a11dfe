"""What every solver of the table must satisfy, a new one with its defaults too: budget, replay, closed options."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_spaces import SPACES, Known, limit_on, problem_of, space_named
from synthetic_search import SyntheticLoss, drive

from search.scores.score import Interactions, Scores
from search.settings import make_solver
from search.solvers.solver import SOLVERS
from search.strategies.allocate import Allocate
from search.strategy import Problem
from spaces.budget import extremes
from spaces.option import DROP
from spaces.space import Levels

MEASURES_A_LOSS = {"bisection"}
every_solver = pytest.mark.parametrize("name", SOLVERS)
every_space = pytest.mark.parametrize("kind", SPACES)


def problem_for(name: str, kind: str, share: float, measure: str = "stored_bits") -> Problem:
    space = space_named(kind)
    low, high = extremes(space, measure)
    problem = problem_of(space, limit_on(measure, low + int(share * (high - low))))
    return replace(problem, max_loss=1e9) if name in MEASURES_A_LOSS else problem


def random_scores(problem: Problem, *, closed: float = 0.0) -> Scores:
    """Falling with the level; each option but the smallest is closed with probability ``closed``."""
    rng = np.random.default_rng(7)
    costs = [np.sort(rng.exponential(size=len(unit.options)))[::-1].copy() for unit in problem.space.units]
    for unit in costs:
        unit[1:][rng.random(len(unit) - 1) < closed] = np.inf
    moves = sum(map(len, costs))
    return Scores(costs=costs, interactions=Interactions(matrix=np.zeros((moves, moves))))


def solved(name: str, problem: Problem, scores: Scores) -> Levels:
    strategy = Allocate(score=Known(scores=scores), solver=make_solver(name))
    strategy.check(problem)
    return drive(strategy, problem, SyntheticLoss(space=problem.space)).answer


@every_solver
@every_space
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_the_answer_meets_the_budget_and_is_the_same_again(name: str, kind: str, share: float) -> None:
    problem = problem_for(name, kind, share)
    scores = random_scores(problem)
    answer = solved(name, problem, scores)
    assert problem.holds(answer)
    assert problem.space.levels(problem.space.configure(answer)) is not None  # options that are open, ties kept
    assert solved(name, problem, scores) == answer


@every_solver
@every_space
def test_a_closed_option_is_never_chosen(name: str, kind: str) -> None:
    problem = problem_for(name, kind, 0.7)
    scores = random_scores(problem, closed=0.5)
    answer = solved(name, problem, scores)
    assert problem.holds(answer)
    assert np.isfinite(scores.predict(problem.space, answer))


@every_solver
def test_flops_are_a_budget_like_any_other(name: str) -> None:
    problem = problem_for(name, "nested", 0.5, "flops")
    answer = solved(name, problem, random_scores(problem))
    assert problem.holds(answer)
    units = zip(problem.space.units, answer, strict=True)
    assert any(unit.options[level] == DROP for unit, level in units)  # nothing else changes them


@every_solver
def test_a_largest_loss_is_asked_for_by_the_one_solver_that_measures_it(name: str) -> None:
    problem = problem_for(name, "weights", 0.5)
    assert (make_solver(name).planned_tokens(problem) > 0) is (name in MEASURES_A_LOSS)
