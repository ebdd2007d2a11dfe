"""The integer program on real spaces: several limits and constraints at once, against every configuration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import SPACES, answer_of, cost_of, cost_tables, limit_on, limits, open_levels, problem_of, space_named
from synthetic_search import make_problem, quantize, tiny_space

from search.scores.score import Scores
from search.settings import make_strategy
from search.solvers.allocation import solve_knapsack
from search.solvers.integer_program import IntegerProgram
from search.strategy import Problem
from spaces.constraints import Constraint, Count, NotBelow, make_constraints
from spaces.errors import BudgetError, InputError, JobError
from spaces.space import Space
from spaces.spec import DropSpec


@st.composite
def constraints(draw: st.DrawFn, space: Space) -> Constraint:
    if draw(st.booleans()):
        layer, floor = draw(st.lists(st.sampled_from(space.names), min_size=2, max_size=2, unique=True))
        return NotBelow(layer=layer, floor=floor)
    return Count(
        bound=draw(st.sampled_from(["at_most", "at_least"])),
        number=draw(st.integers(0, 3)),
        option=(draw(st.sampled_from(["*-int2-*", "keep", "drop", "*-int4-*"])),),
        layers=(draw(st.sampled_from(["*", "*.q_proj", "*self_attn*", "*.mlp*"])),),
    )


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_answer_is_the_optimum_of_brute_force(name: str, data: st.DataObject) -> None:
    space = space_named(name)
    drawn = [data.draw(limits(space, measure)) for measure in ("stored_bits", "flops", "nominal_bits")]
    rules = tuple(data.draw(st.lists(constraints(space), max_size=3)))
    problem = replace(problem_of(space, *drawn[: data.draw(st.integers(1, 3))]), constraints=rules)
    costs = data.draw(cost_tables(space, closed=data.draw(st.booleans())))
    best = min((cost_of(space, costs, levels) for levels in open_levels(problem, costs)), default=np.inf)
    try:
        answer = answer_of(IntegerProgram(), problem, costs)
    except (BudgetError, JobError) as error:
        assert best == np.inf, error  # noqa: PT017
        return
    assert problem.holds(answer)
    assert cost_of(space, costs, answer) == pytest.approx(best, abs=1e-9)


def constrained(asked: list[object], **budget: object) -> Problem:
    space = tiny_space(2, quantize(2, 4), DropSpec())
    rules = make_constraints(asked, space)
    return replace(make_problem(space, dict(budget)), constraints=rules)


def test_one_limit_alone_is_the_knapsack_s() -> None:
    problem = constrained([], nominal_bits_per_weight=3)
    rng = np.random.default_rng(0)
    costs = [rng.random(len(unit.options)) for unit in problem.space.units]
    assert answer_of(IntegerProgram(), problem, costs) == solve_knapsack(problem, costs)


def test_a_job_may_ask_for_size_and_flops_and_few_drops_and_an_order_at_once() -> None:
    rules: list[object] = [
        {"at_most": 2, "option": "drop", "layers": ["*.mlp", "*.self_attn"]},
        {"at_most": 3, "option": "*-int2-*"},
        {"layer": "model.layers.0.self_attn.v_proj", "not_below": "model.layers.0.self_attn.k_proj"},
    ]
    problem = constrained(rules, nominal_bits_per_weight=3.5, flops="60K")
    rng = np.random.default_rng(1)
    costs = [np.sort(rng.random(len(unit.options)))[::-1].copy() for unit in problem.space.units]
    answer = answer_of(IntegerProgram(), problem, costs)
    assert problem.holds(answer)
    shown = dict(problem.space.configure(answer).options)
    assert sum(shown[name].slug == "drop" for name in shown if name.endswith((".mlp", ".self_attn"))) <= 2
    assert sum("-int2-" in option.slug for option in shown.values()) <= 3
    assert problem.space.measure(answer).flops <= 60_000
    without = answer_of(IntegerProgram(), replace(problem, constraints=()), costs)
    assert not problem.holds(without)  # the rules bind


def test_contradictions_are_named_before_any_score_is_computed() -> None:
    rules: list[object] = [
        {"at_most": 9, "option": "*-int4-*"},
        {"at_least": 2, "option": "keep", "layers": "*.up_proj"},
        {"at_most": 1, "option": "keep"},
    ]
    problem = constrained(rules, nominal_bits_per_weight=32)
    strategy = make_strategy({"name": "allocate", "solver": "integer-program"})
    with pytest.raises(
        BudgetError, match=r'meets \{at_least: 2, .*"\*\.up_proj"\} and \{at_most: 1, .*\} together.*for example to'
    ):
        strategy.check(problem)


def test_scores_that_close_what_the_rules_need_end_the_job_with_the_rules() -> None:
    problem = constrained([{"at_least": 3, "option": "*-int4-*"}], nominal_bits_per_weight=8)
    costs = [
        np.array([np.inf if "-int4-" in option.slug else 1.0 for option in unit.options])
        for unit in problem.space.units
    ]
    with pytest.raises(JobError, match=r"scores leave open meets nominal_bits_per_weight 8 and \{at_least: 3, option"):
        answer_of(IntegerProgram(), problem, costs)


def test_scores_that_leave_only_large_options_end_the_job_with_the_size_they_need() -> None:
    space = space_named("weights")
    problem = problem_of(space, limit_on("nominal_bits", 4 * space.num_weights))
    costs = [np.where(np.arange(len(unit.options)) < 3, np.inf, 0.0) for unit in space.units]
    with pytest.raises(JobError, match=r"nominal_bits_per_weight must be at least 32\.0000 for the options .* bits;"):
        answer_of(IntegerProgram(), problem, costs)


def test_constraints_are_refused_by_every_other_solver_with_the_one_that_takes_them() -> None:
    problem = constrained([{"at_most": 3, "option": "*-int2-*"}], nominal_bits_per_weight=4)
    for solver in ("knapsack", "pareto", "min-max", "greedy", "bisection"):
        with pytest.raises(InputError, match=f"not by solver {solver}, got 1; write .*solver: integer-program"):
            make_strategy({"name": "allocate", "solver": solver}).check(problem)


def test_a_largest_loss_is_refused_with_the_solver_that_takes_it() -> None:
    problem = replace(constrained([], nominal_bits_per_weight=4), max_loss=0.125)
    for solver in ("integer-program", "pareto", "min-max", "greedy"):
        with pytest.raises(InputError, match=rf"solver {solver} does not look for, got 0\.125; write .*bisection"):
            make_strategy({"name": "allocate", "solver": solver}).check(problem)


def test_it_asks_nothing() -> None:
    problem = constrained([], nominal_bits_per_weight=4)
    costs = [np.zeros(len(unit.options)) for unit in problem.space.units]
    assert IntegerProgram().planned_tokens(problem) == 0
    with pytest.raises(StopIteration):
        next(IntegerProgram().solve(problem, Scores(costs=costs)))
