"""The quadratic solver against brute force: never worse than the knapsack, and the optimum nearly always.

How often it finds the optimum is measured at fixed seeds: these tests have no chance in them.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import SPACES, answer_of, cost_of, cost_tables, limit_on, limits, problem_of, space_named
from synthetic_search import all_levels, quantize, tiny_space

from search.scores.score import Interactions, Scores, Table
from search.settings import make_solver
from search.solvers.allocation import solve_knapsack
from search.solvers.quadratic import Quadratic, descend
from search.solvers.quadratic_form import quadratic_form
from search.solvers.quadratic_steps import steps_from
from search.strategy import Problem
from spaces.budget import extremes
from spaces.errors import InputError
from spaces.option import DROP
from spaces.space import Levels, Space
from spaces.spec import DropSpec

MIXED = tiny_space(2, DropSpec(), quantize(2, 4, layers=["*.q_proj", "*.down_proj"]))


def solved(problem: Problem, scores: Scores, *, restarts: int = 8) -> Levels:
    solver = Quadratic(restarts=restarts)
    solver.check(problem)
    search = solver.solve(problem, scores)
    with pytest.raises(StopIteration) as stop:
        next(search)
    answer: Levels = stop.value.value
    return answer


def num_moves(space: Space) -> int:
    return sum(len(unit.options) for unit in space.units)


def gram(space: Space, rng: np.random.Generator, strength: float) -> Interactions:
    """Inner products of shifts: positive semidefinite, of either sign."""
    shifts = rng.standard_normal((num_moves(space), 5)) * rng.lognormal(0, 0.7, (num_moves(space), 1))
    return Interactions(matrix=strength * shifts @ shifts.T / 5)


def anything(space: Space, rng: np.random.Generator, strength: float) -> Interactions:
    matrix = strength * rng.standard_normal((num_moves(space), num_moves(space)))
    return Interactions(matrix=(matrix + matrix.T) / 2)


def repelling(space: Space, rng: np.random.Generator, strength: float) -> Interactions:
    return Interactions(matrix=np.abs(anything(space, rng, strength).matrix))


def falling_costs(space: Space, rng: np.random.Generator) -> Table:
    return [np.sort(rng.lognormal(0, 1, len(unit.options)))[::-1].copy() for unit in space.units]


def random_problem(space: Space, rng: np.random.Generator, measure: str = "stored_bits") -> Problem:
    low, high = extremes(space, measure)
    return problem_of(space, limit_on(measure, int(low + (high - low) * rng.uniform(0.02, 0.7))))


def optimum(problem: Problem, scores: Scores) -> float:
    return min(scores.predict(problem.space, each) for each in all_levels(problem.space) if problem.holds(each))


@pytest.mark.parametrize("make", [gram, anything, repelling])
@pytest.mark.parametrize("name", [*SPACES, "mixed"])
def test_it_is_the_optimum_nearly_always_and_never_worse_than_the_knapsack(name: str, make: type) -> None:
    space = MIXED if name == "mixed" else space_named(name)
    found, count = 0, 12
    for seed in range(count):
        rng = np.random.default_rng([seed, len(name)])
        problem = random_problem(space, rng)
        scores = Scores(costs=falling_costs(space, rng), interactions=make(space, rng, 0.5))
        answer = solved(problem, scores)
        assert problem.holds(answer)
        value = scores.predict(space, answer)
        assert value <= scores.predict(space, solve_knapsack(problem, scores.costs)) + 1e-9
        found += value <= optimum(problem, scores) + 1e-9
    assert found >= count - 1


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_without_interactions_it_is_the_knapsack(name: str, data: st.DataObject) -> None:
    space = space_named(name)
    problem = problem_of(space, data.draw(limits(space, "stored_bits")))
    costs = data.draw(cost_tables(space))
    exact = solve_knapsack(problem, costs)
    assert answer_of(Quadratic(), problem, costs) == exact
    zero = Scores(costs=costs, interactions=Interactions(matrix=np.zeros((num_moves(space),) * 2)))
    assert cost_of(space, costs, solved(problem, zero)) == cost_of(space, costs, exact)


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_closed_options_stay_closed_and_whole_numbers_with_ties_end(name: str, data: st.DataObject) -> None:
    space = space_named(name)
    costs = data.draw(cost_tables(space))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    closed = [rng.random(len(unit.options)) < 0.3 for unit in space.units]
    for row, shut in zip(costs, closed, strict=True):
        row[1:][shut[1:]] = np.inf  # the smallest stay open, so that an answer exists
    matrix = np.round(2 * anything(space, rng, 1.0).matrix)
    problem = problem_of(space, data.draw(limits(space, "nominal_bits")))
    scores = Scores(costs=costs, interactions=Interactions(matrix=matrix))
    answer = solved(problem, scores, restarts=2)
    assert problem.holds(answer)
    assert np.isfinite(scores.predict(space, answer))
    assert scores.predict(space, answer) <= scores.predict(space, solve_knapsack(problem, costs)) + 1e-9


def test_limits_hold_together_with_drops_and_bits() -> None:
    low, high = extremes(MIXED, "stored_bits")
    for seed in range(3):
        rng = np.random.default_rng(seed)
        size = limit_on("stored_bits", low + int((high - low) * 0.6))
        problem = problem_of(MIXED, size, limit_on("attentions", 1))
        scores = Scores(costs=falling_costs(MIXED, rng), interactions=gram(MIXED, rng, 0.5))
        answer = solved(problem, scores)
        assert problem.holds(answer)
        assert scores.predict(MIXED, answer) == pytest.approx(optimum(problem, scores), abs=1e-9)


def test_two_units_trade_places_where_neither_alone_could_move() -> None:
    """Only one may have 4 bits, and the wrong one does: lowering it loses, raising the other does not fit."""
    space = tiny_space(1, quantize(2, 4, layers=["*.q_proj", "*.o_proj"]))
    problem = problem_of(space, limit_on("nominal_bits", space.measure((1, 0)).nominal_bits))
    costs = [np.array([1.0, 0.0, np.inf]), np.array([0.5, 0.0, np.inf])]
    matrix = np.zeros((6, 6))
    matrix[1, 3] = matrix[3, 1] = 2.0  # which the costs alone do not see
    scores = Scores(costs=costs, interactions=Interactions(matrix=matrix))
    assert solve_knapsack(problem, costs) == (1, 0)
    form = quadratic_form(problem, scores)
    steps = steps_from(form, np.array([1, 0]))
    assert steps.after.tolist() == [[0, 0], [1, 1]]
    assert steps.fitting().tolist() == [0]
    assert solved(problem, scores) == (0, 1)
    matrix[0, 3] = matrix[3, 0] = 9.0  # now lowering alone loses too
    form = quadratic_form(problem, scores)
    assert steps_from(form, np.array([1, 0])).gains[0] > 0
    assert descend(form, np.array([1, 0])).tolist() == [0, 1]


@pytest.mark.parametrize("chunk", [1, 1 << 20])
@pytest.mark.parametrize("name", [*SPACES, "mixed"])
def test_gains_and_sizes_of_steps_and_pairs_are_those_of_the_configurations(
    name: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the score's own prediction and the space's own measure, for every step and every pair that fits."""
    monkeypatch.setattr("search.solvers.quadratic_steps.CHUNK_ELEMENTS", chunk)
    space = MIXED if name == "mixed" else space_named(name)
    rng = np.random.default_rng(0)
    problem = random_problem(space, rng)
    scores = Scores(costs=falling_costs(space, rng), interactions=anything(space, rng, 1.0))
    form = quadratic_form(problem, scores)
    for levels in [np.array(solve_knapsack(problem, scores.costs)), np.array(space.kept)]:
        steps = steps_from(form, levels)
        before = scores.predict(space, tuple(levels))
        partners, gains = steps.best_partners()
        assert form.value(levels) == pytest.approx(before)
        for step, after in enumerate(steps.after):
            assert scores.predict(space, tuple(after)) - before == pytest.approx(steps.gains[step], abs=1e-9)
            size = space.measure(after).stored_bits - space.measure(levels).stored_bits
            assert steps.sizes[step].tolist() == [size]
            others = [other for other in steps.partners(step) if chunk > 1 or other > step]
            together = [steps.made(levels, [step, other]) for other in others]
            changes = [scores.predict(space, tuple(each)) - before for each in together]
            assert all(problem.holds(tuple(each)) for each in together)
            assert gains[step] == pytest.approx(min(changes, default=np.inf), abs=1e-9)
            assert np.isinf(gains[step]) or partners[step] in steps.partners(step)


def test_a_local_optimum_has_no_better_single_or_pair() -> None:
    rng = np.random.default_rng(4)
    space = tiny_space(1, quantize(2, 3, 4))
    problem = random_problem(space, rng)
    scores = Scores(costs=falling_costs(space, rng), interactions=anything(space, rng, 1.0))
    form = quadratic_form(problem, scores)
    found = descend(form, np.array(solve_knapsack(problem, scores.costs)))
    value = scores.predict(space, tuple(found))
    for units in itertools.combinations(range(len(space.units)), 2):
        for options in itertools.product(*(range(len(space.units[unit].options)) for unit in units)):
            changed = found.copy()
            changed[list(units)] = options
            assert scores.predict(space, tuple(changed)) >= value - 1e-9 or not problem.holds(tuple(changed))


def test_units_in_a_dropped_part_get_level_0() -> None:
    costs = [np.array([0.0 if option == DROP else 9.0 for option in unit.options]) for unit in MIXED.units]
    problem = problem_of(MIXED, limit_on("stored_bits", extremes(MIXED, "stored_bits")[1]))
    scores = Scores(costs=costs, interactions=Interactions(matrix=np.zeros((num_moves(MIXED),) * 2)))
    assert solved(problem, scores) == (0,) * len(MIXED.units)


def test_it_replays_and_more_restarts_are_never_worse() -> None:
    space, rng = tiny_space(2, quantize(2, 3, 4)), np.random.default_rng(1)
    problem = random_problem(space, rng)
    scores = Scores(costs=falling_costs(space, rng), interactions=gram(space, rng, 0.5))
    assert solved(problem, scores) == solved(problem, scores)
    values = [scores.predict(space, solved(problem, scores, restarts=count)) for count in (0, 2, 8)]
    assert values == sorted(values, reverse=True)


def test_what_does_not_fit_is_refused() -> None:
    space = space_named("weights")
    with pytest.raises(InputError, match="restarts must be at least 0, got -1"):
        make_solver({"name": "quadratic", "restarts": -1})
    problem = random_problem(space, np.random.default_rng(0))
    costs = falling_costs(space, np.random.default_rng(0))
    for matrix in (np.zeros((3, 3)), np.full((num_moves(space),) * 2, np.nan)):
        with pytest.raises(InputError, match=rf"{num_moves(space)} moves of this space, got a matrix \({len(matrix)},"):
            solved(problem, Scores(costs=costs, interactions=Interactions(matrix=matrix)))
