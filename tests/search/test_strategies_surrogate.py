"""The surrogate: better than its rivals for the same tokens, and what it closes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_search import Run, SyntheticLoss, drive, make_problem, quantize, tiny_space

from search.baselines import baselines, best_uniform
from search.settings import make_strategy
from search.strategy import Problem
from spaces.constraints import make_constraints
from spaces.errors import InputError
from spaces.space import Levels
from spaces.spec import DropSpec

QUICK = {"archive": 24, "rounds": 4, "proposals": 12, "generations": 20, "population": 40, "rungs": [512, 4096]}


def problem_with(*options: Any, bits: float = 3.0, seed: int = 0, num_blocks: int = 3) -> Problem:
    space = tiny_space(num_blocks, *(options or (quantize(2, 3, 4, 5, 6),)))
    return make_problem(space, {"nominal_bits_per_weight": bits}, seed=seed)


def searched(problem: Problem, loss: SyntheticLoss | None = None, **settings: Any) -> Run:
    strategy = make_strategy({"name": "surrogate", **QUICK, **settings})
    strategy.check(problem)
    return drive(strategy, problem, loss or SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("predictor", ["rbf", "ridge"])
def test_it_beats_random_search_and_evolution_at_equal_tokens(predictor: str, seed: int) -> None:
    """On a loss that is near to linear in the recorded errors.

    Over 13 seeds of each: never behind random; rbf never behind evolution, ridge once, by 0.3 %.
    """
    problem = problem_with(bits=3.3, seed=seed, num_blocks=5)
    loss = SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1, seed=seed)
    found = searched(problem, loss, predictor=predictor)
    count = found.num_tokens // 512
    one = [{"tokens": 512, "survivors": 1}]
    random = drive(make_strategy({"name": "random", "samples": count, "stages": one}), problem, loss)
    assert loss.exact(found.answer) < loss.exact(random.answer)
    settings = {"generations": count // 9, "offspring": 8, "stages": one, "groups": "global"}
    evolution = drive(make_strategy({"name": "evolution", **settings}), problem, loss)
    assert evolution.num_tokens > 0.9 * found.num_tokens
    assert loss.exact(found.answer) < loss.exact(evolution.answer) * (1 if predictor == "rbf" else 1.01)


def test_what_is_measured_meets_the_budget_and_the_constraints() -> None:
    problem = problem_with(quantize(2, 3, 4, 6), DropSpec())
    rules = [{"at_most": 3, "option": "*-int2-*"}, {"at_most": 1, "option": "drop", "layers": "*.mlp"}]
    problem = replace(problem, constraints=make_constraints(rules, problem.space))
    run = searched(problem, close_above=2.0)
    assert all(problem.holds(levels) for ask in run.asks for levels in ask.candidates)
    assert problem.holds(run.answer)


def test_the_smallest_option_of_sensitive_units_is_closed_after_the_probes() -> None:
    problem = problem_with(bits=3.5)
    loss = SyntheticLoss(space=problem.space)
    base = best_uniform(problem)
    assert base is not None
    assert min(base) == 1  # 3 bits: every unit may be lowered
    grown = np.array([each[0] - each[1] for each in loss.separable])
    sensitive = {int(unit) for unit in np.flatnonzero(grown > 2 * np.median(grown))}
    assert 0 < len(sensitive) < len(grown) / 2
    closed, opened = searched(problem, loss, close_above=2.0), searched(problem, loss)
    probes = closed.asks[1].candidates
    assert sorted(sum(a != b for a, b in zip(levels, base, strict=True)) for levels in probes) == [1] * len(base)

    def lowered(run: Run, first: int) -> set[int]:
        asked = {levels for ask in run.asks[first:] for levels in ask.candidates} - set(probes)
        plain = {each.levels for each in baselines(problem)}
        return {unit for levels in asked - plain for unit, level in enumerate(levels) if level == 0}

    assert not lowered(closed, 2) & sensitive
    assert lowered(opened, 1) >= sensitive


@pytest.mark.parametrize("num_breaking", [15, 21])
def test_what_breaks_the_model_is_closed_however_many_break_it(num_breaking: int) -> None:
    problem = problem_with(bits=3.5)
    assert len(problem.space.units) == 21

    class Breaking(SyntheticLoss):
        def __call__(self, levels: Levels, num_tokens: int) -> np.ndarray:
            values = super().__call__(levels, num_tokens)
            return np.full_like(values, np.inf) if 0 in levels[:num_breaking] else values

    run = searched(problem, Breaking(space=problem.space), close_above=2.0)
    later = {levels for ask in run.asks[2:] for levels in ask.candidates} - {each.levels for each in baselines(problem)}
    assert later
    assert not [levels for levels in later if 0 in levels[:num_breaking]]


def test_no_more_is_closed_than_the_budget_leaves() -> None:
    """2.1 bits: nearly every unit must have its smallest option, however sensitive it is."""
    problem = problem_with(bits=2.1)
    run = searched(problem, close_above=1e-9)
    asked: set[Levels] = {levels for ask in run.asks for levels in ask.candidates}
    assert all(problem.holds(levels) for levels in asked)
    assert len(asked) > 1


def test_where_every_smallest_option_is_closed_nothing_is_left_to_draw() -> None:
    """Two options a unit, and a budget that all of the larger ones meet."""
    space = tiny_space(1, quantize(2, layers=["*.q_proj", "*.v_proj"]))
    problem = make_problem(space, {"nominal_bits_per_weight": 32})
    assert problem.holds(searched(problem, close_above=0.01).answer)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"predictor": "rfb"}, r"'rfb'.*'rbf'"),
        ({"archive": 0}, r"archive must be at least 1, got 0"),
        ({"population": 1}, r"population must be at least 2, got 1"),
        ({"close_above": 0.0}, r"close_above must be above 0, got 0\.0"),
        ({"rungs": []}, r"ascending order, got \[\]"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_strategy({"name": "surrogate", **settings})
