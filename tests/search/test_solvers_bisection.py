"""Bisection against a measurement of every point of its front, with a loss that falls and with one that jumps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log

import numpy as np
import pytest
from small_spaces import Known, limit_on, problem_of
from synthetic_search import MAX_TOKENS, Run, drive, make_problem, quantize, tiny_space

from search.baselines import baselines
from search.scores.score import Scores, Table
from search.settings import make_solver, make_strategy
from search.solvers.bisection import Bisection
from search.solvers.pareto import Front, make_front
from search.strategies.allocate import Allocate
from search.strategy import Problem
from spaces.errors import InputError, JobError
from spaces.space import Levels, Space

SPACE = tiny_space(2, quantize(2, 3, 4, 6))


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss that falls along the front of ``costs``, but for the noise. Only the mean over the sequences counts."""

    space: Space
    costs: Table
    noise: float = 0.0

    def mean(self, levels: Levels) -> float:
        total = float(sum(self.costs[unit][level] for unit, level in enumerate(levels)))
        rng = np.random.default_rng([int(self.space.configure(levels).hash[:8], 16)])
        return total * (1 + self.noise * float(rng.uniform(-1, 1)))

    def __call__(self, levels: Levels, num_tokens: int) -> np.ndarray:
        return self.mean(levels) * np.array([0.5, 1.5, 1.0, 1.0])


def costs_of(seed: int) -> Table:
    """Convex in the bits for each unit, as errors are."""
    rng = np.random.default_rng(seed)
    return [rng.lognormal() * np.array([1.0, 0.25, 0.06, 0.004, 0.0]) for _ in SPACE.units]


def run(problem: Problem, loss: Loss, **settings: int) -> Run:
    strategy = Allocate(score=Known(scores=Scores(costs=loss.costs)), solver=Bisection(**settings))
    strategy.check(problem)
    return drive(strategy, problem, loss)  # type: ignore[arg-type]


def problem_with(max_loss: float, bits: float = 32) -> Problem:
    return replace(make_problem(SPACE, {"nominal_bits_per_weight": bits}), max_loss=max_loss)


def kept_points(front: Front, loss: Loss, problem: Problem) -> list[int]:
    """Every point within the budget that keeps the largest loss, measured one and all."""
    limit = problem.budget.limits[0].limit
    assert problem.max_loss is not None
    means = [loss.mean(front.levels(point)) for point in range(len(front)) if front.sizes[point] <= limit]
    return [point for point, mean in enumerate(means) if mean <= problem.max_loss]


@pytest.mark.parametrize("points", [1, 2, 3, 7])
@pytest.mark.parametrize("max_loss", [20.0, 5.0, 1.0, 0.3, 0.01, 1e-4])
@pytest.mark.parametrize("seed", range(3))
def test_with_a_loss_that_falls_it_finds_the_smallest_point_that_keeps_it(
    seed: int, max_loss: float, points: int
) -> None:
    loss = Loss(space=SPACE, costs=costs_of(seed))
    front = make_front(SPACE, loss.costs, "nominal_bits")
    problem = problem_with(max_loss)
    found = run(problem, loss, points=points)
    assert found.answer == front.levels(kept_points(front, loss, problem)[0])
    assert problem.holds(found.answer)
    rounds = ceil(log(len(front)) / log(points + 1))
    assert len(found.asks) <= 1 + rounds + 1  # the first cut, the rest of them, and the points just below
    assert found.num_tokens <= Bisection(points=points).planned_tokens(problem)


@pytest.mark.parametrize("noise", [0.05, 0.5])
@pytest.mark.parametrize("seed", range(12))
def test_with_a_loss_that_jumps_it_ends_at_a_measured_point_below_which_none_of_the_next_keeps_it(
    seed: int, noise: float
) -> None:
    loss = Loss(space=SPACE, costs=costs_of(seed), noise=noise)
    front = make_front(SPACE, loss.costs, "nominal_bits")
    problem = problem_with(1.0, bits=6)
    found = run(problem, loss)
    asked = {levels for ask in found.asks for levels in ask.candidates}
    point = next(point for point in range(len(front)) if front.levels(point) == found.answer)
    kept = kept_points(front, loss, problem)
    assert found.answer in asked
    assert point in kept
    assert not set(range(point - 3, point)) & set(kept)
    assert all(front.levels(lower) not in asked for lower in kept if lower < point)


def test_jumps_do_lead_it_below_where_halving_ends() -> None:
    """For some of the seeds above the points just below an answer matter; otherwise measuring them tests nothing."""
    went_on = 0
    for seed in range(12):
        loss = Loss(space=SPACE, costs=costs_of(seed), noise=0.5)
        found = run(problem_with(1.0, bits=6), loss)
        kept = [np.mean(told) <= 1.0 for ask in found.told[-2:] for told in ask]
        went_on += any(kept)
    assert went_on > 0


@pytest.mark.parametrize("bits", [3, 3.7, 6])
def test_without_a_limit_it_loses_no_more_than_the_best_plain_choice(bits: float) -> None:
    loss = Loss(space=SPACE, costs=costs_of(1))
    problem = make_problem(SPACE, {"nominal_bits_per_weight": bits})
    found = run(problem, loss)
    plain = min(loss.mean(each.levels) for each in baselines(problem))
    as_told = run(replace(problem, max_loss=plain), loss)
    assert found.answer == as_told.answer
    assert loss.mean(found.answer) <= plain
    assert found.num_tokens <= Bisection().planned_tokens(problem)


def test_no_point_above_the_budget_is_measured() -> None:
    loss = Loss(space=SPACE, costs=costs_of(0))
    problem = problem_with(5.0, bits=4.5)
    found = run(problem, loss)
    assert all(problem.holds(levels) for ask in found.asks for levels in ask.candidates)
    assert len(found.asks[0].candidates) == 4  # three cuts and the largest
    assert {len(ask.candidates) for ask in found.asks[1:]} <= {1, 2, 3}


def test_it_measures_on_all_tokens_or_as_many_as_it_is_told_to() -> None:
    loss = Loss(space=SPACE, costs=costs_of(0))
    assert {ask.tokens for ask in run(problem_with(1.0), loss).asks} == {MAX_TOKENS}
    assert {ask.tokens for ask in run(problem_with(1.0), loss, tokens=512).asks} == {512}
    assert {ask.tokens for ask in run(problem_with(1.0), loss, tokens=10**6).asks} == {MAX_TOKENS}


def test_a_loss_that_nothing_within_the_budget_keeps_ends_the_job_with_what_was_measured() -> None:
    loss = Loss(space=SPACE, costs=costs_of(0))
    front = make_front(SPACE, loss.costs, "nominal_bits")
    problem = problem_with(1e-6, bits=4)
    largest = loss.mean(front.levels(front.last_within(problem.budget.limits[0])))
    message = rf"within the budget measures a loss of {largest:.6g} on 4,096 tokens, and max_loss is 1e-06, .*; raise"
    with pytest.raises(JobError, match=message):
        run(problem, loss)


def test_a_front_of_one_point_is_measured_once() -> None:
    space = tiny_space(1, quantize(4, layers=["*.q_proj"]))
    low = space.measure((0,)).nominal_bits
    problem = replace(problem_of(space, limit_on("nominal_bits", low)), max_loss=1.0)
    loss = Loss(space=space, costs=[np.array([0.5, 0.0])])
    found = run(problem, loss)
    assert [ask.candidates for ask in found.asks] == [((0,),)]
    assert found.answer == (0,)


def test_what_the_job_must_give_and_what_the_settings_refuse() -> None:
    strategy = make_strategy({"name": "allocate", "solver": "bisection"})
    strategy.check(make_problem(SPACE, {"nominal_bits_per_weight": 4}))
    rest = ("*.k_proj", "*.v_proj", "*.o_proj", "*.mlp.*")
    no_option_is_everywhere = tiny_space(1, quantize(2, layers=("*.q_proj",)), quantize(8, layers=rest))
    with pytest.raises(InputError, match=r"no plain choice meets the budget .* 8\) .*write max_loss: 0\.05 in the job"):
        strategy.check(make_problem(no_option_is_everywhere, {"nominal_bits_per_weight": 8}))
    several = replace(make_problem(SPACE, {"nominal_bits_per_weight": 4, "size": "1MB"}), max_loss=0.05)
    with pytest.raises(InputError, match=r"solver bisection takes a budget of one limit, got .* size 1MB"):
        strategy.check(several)
    for name in ("tokens", "points"):
        with pytest.raises(InputError, match=f"{name} of bisection must be at least 1, got 0"):
            make_solver({"name": "bisection", name: 0})
