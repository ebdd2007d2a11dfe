"""Optuna's samplers as strategies: better than random, within the rules, pruned, replayed, and never noisy."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from synthetic_search import Run, SyntheticLoss, all_levels, drive, make_problem, quantize, tiny_space

from search.baselines import baselines
from search.sampling.trials import Parameters, Trials, make_pruner
from search.settings import make_strategy
from search.strategy import Problem
from spaces.constraints import make_constraints
from spaces.errors import InputError
from spaces.space import Levels

SAMPLERS = ("nsga2", "nsga3", "tpe", "gp", "qmc")
QUICK = {"trials": 24, "batch": 8, "rungs": [512, 2048], "finalists": 3}
BITS = quantize(2, 3, 4, 5, 6)


def problem_with(bits: float = 3.3, *, num_blocks: int = 2, seed: int = 0) -> Problem:
    return make_problem(tiny_space(num_blocks, BITS), {"nominal_bits_per_weight": bits}, seed=seed)


def searched(name: str, problem: Problem, loss: SyntheticLoss | None = None, **settings: Any) -> Run:
    quick = QUICK | ({"startup": 20} if name in ("tpe", "gp") else {}) | settings
    strategy = make_strategy({"name": name, **quick})
    strategy.check(problem)
    return drive(strategy, problem, loss or SyntheticLoss(space=problem.space, interaction=0.3, noise=0.2))


@pytest.mark.parametrize("name", ["nsga2", "nsga3", "tpe"])
@pytest.mark.parametrize("seed", range(2))
def test_it_beats_random_search_and_the_plain_choices_at_equal_tokens(name: str, seed: int) -> None:
    """No failure was seen over 10 other seeds: the losses were 10 to 54 % below random search's."""
    space = tiny_space(5, BITS)
    problem = make_problem(space, {"nominal_bits_per_weight": 3.5}, seed=seed)
    loss = SyntheticLoss(space=space, interaction=0.3, noise=0.1, seed=seed)
    found = searched(name, problem, loss, trials=160, batch=16, rungs=[512])
    one = [{"tokens": 512, "survivors": 1}]
    rival = drive(make_strategy({"name": "random", "samples": 160, "stages": one}), problem, loss)
    assert found.num_tokens <= rival.num_tokens
    assert loss.exact(found.answer) < loss.exact(rival.answer)
    assert loss.exact(found.answer) < min(loss.exact(each.levels) for each in baselines(problem))


@pytest.mark.parametrize("seed", range(2))
def test_what_learns_beats_what_does_not(seed: int) -> None:
    """Over 8 seeds the losses were 12 to 39 % below those of qmc, which has the same starts and repairs."""
    problem = problem_with(2.6, num_blocks=3, seed=seed)
    loss = SyntheticLoss(space=problem.space, interaction=0.3, noise=0.1, seed=seed)
    nsga2, tpe, qmc = (
        loss.exact(searched(name, problem, loss, trials=320, batch=16, rungs=[512]).answer)
        for name in ("nsga2", "tpe", "qmc")
    )
    assert max(nsga2, tpe) < 0.95 * qmc


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_answer_is_no_worse_than_any_plain_choice_on_the_most_text(name: str) -> None:
    problem = problem_with(3.0)
    best = baselines(problem)[-1].levels

    class Flat(SyntheticLoss):
        """Nothing beats the plain choice, though the first rung says otherwise."""

        def __call__(self, levels: Levels, num_tokens: int) -> np.ndarray:
            is_plain = self.space.configure(levels) == self.space.configure(best)
            return np.full(1, float(is_plain) if num_tokens < 2048 else 1.0 - is_plain)

    for pruner in ("none", "halving", "median", "hyperband"):
        found = searched(name, problem, Flat(space=problem.space), pruner=pruner, trials=16)
        assert found.answer == best


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("repair", [True, False])
def test_constraints_hold_and_nothing_that_breaks_a_rule_is_measured(name: str, repair: bool) -> None:
    problem = problem_with(3.0)
    rules = [
        {"at_most": 3, "option": "*-int2-*"},
        {"layer": "model.layers.1.mlp.up_proj", "not_below": "model.layers.0.mlp.up_proj"},
    ]
    problem = replace(problem, constraints=make_constraints(rules, problem.space))
    run = searched(name, problem, repair=repair)
    asked = [levels for ask in run.asks for levels in ask.candidates]
    assert asked
    assert all(problem.holds(levels) for levels in [*asked, run.answer])


def test_without_a_plain_choice_that_fits_it_starts_from_what_an_integer_program_finds() -> None:
    problem = problem_with(3.0)
    names = problem.space.names
    rules = [{"at_least": 1, "option": "rtn-int6-g32-asym", "layers": name} for name in names[:2]]
    rules.append({"at_most": 0, "option": "rtn-int3-g32-asym"})
    problem = replace(problem, constraints=make_constraints(rules, problem.space))
    assert not baselines(problem)
    run = searched("nsga2", problem)
    assert problem.holds(run.answer)


@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_a_sampler_learns_the_budget_from_draws_that_cost_nothing(name: str) -> None:
    """Without repair, a random draw of this space meets the budget with probability 0.0005."""
    problem = problem_with(3.0)
    run = searched(name, problem, repair=False, trials=256, batch=16, rungs=[512])
    plain = {each.levels for each in baselines(problem)}
    drawn = {levels for ask in run.asks for levels in ask.candidates} - plain
    assert len(drawn) >= 20  # of 256, where 0.13 are expected at random


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
@pytest.mark.parametrize("seed", range(2))
def test_pruning_reads_less_and_ends_as_well(pruner: str, seed: int) -> None:
    """The same points, as qmc learns nothing; the best is never pruned on these seeds, nor on two others."""
    problem = problem_with(seed=seed)
    loss = SyntheticLoss(space=problem.space, interaction=0.3, noise=0.2, seed=seed)
    settings: dict[str, Any] = {"trials": 96, "batch": 8, "rungs": [512, 4096]}
    everything, pruned = (searched("qmc", problem, loss, pruner=each, **settings) for each in ("none", pruner))
    assert pruned.num_tokens < 0.85 * everything.num_tokens
    assert pruned.answer == everything.answer


def test_halving_measures_the_finalists_alone_on_more_text() -> None:
    run = searched("nsga2", problem_with(), rungs=[256, 512, 4096], finalists=4)
    plain = len(baselines(problem_with()))
    counts = {
        tokens: len({c for ask in run.asks if ask.tokens == tokens for c in ask.candidates}) for tokens in (512, 4096)
    }
    assert 4 <= counts[512] <= 4 + plain
    assert 2 <= counts[4096] <= 2 + plain


def test_several_objectives_are_searched_below_the_budget_as_well() -> None:
    problem = problem_with(4.0)
    both, alone = (
        searched("nsga2", problem, objectives=objectives, trials=96) for objectives in (["loss", "size"], ["loss"])
    )

    def sizes(run: Run) -> set[int]:
        plain = {each.levels for each in baselines(problem)}
        asked = {levels for ask in run.asks for levels in ask.candidates if levels not in plain}
        return {problem.space.measure(levels).nominal_bits for levels in asked}

    limit = problem.budget.limits[0].limit
    assert min(sizes(both)) < 0.8 * limit
    assert min(sizes(alone)) > 0.95 * limit
    assert problem.holds(both.answer)


def test_a_trial_has_the_parameters_of_what_was_adjusted() -> None:
    problem = problem_with(num_blocks=1)
    top = tuple(len(unit.options) - 1 for unit in problem.space.units)
    trials = Trials(
        problem,
        optuna.samplers.RandomSampler(seed=0),
        pruner=make_pruner("none", [512]),
        num_objectives=1,
        adjust=lambda levels: top,
    )
    trial, levels = trials.ask()
    assert levels == top
    assert trial.params == Parameters(problem).params(top)
    given = (0,) * len(top)
    assert trials.ask(given)[1] == given


PROGRAM = """
import sys; sys.path[:0] = {paths!r}
from test_strategies_samplers import problem_with, searched
print([searched(name, problem_with(), pruner=pruner).asks for name, pruner in {pairs!r}])
"""


@pytest.mark.slow
def test_the_questions_do_not_depend_on_the_process() -> None:
    here = Path(__file__).parent
    paths = [str(here), str(here.parents[1])]
    pairs = [(name, "hyperband" if name == "tpe" else "halving") for name in SAMPLERS]
    program = PROGRAM.format(paths=paths, pairs=pairs)

    def questions(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
        ).stdout

    first = questions("1")
    assert len(first) > 1000
    assert first == questions("2")


def test_optunas_verbosity_is_as_before_and_its_log_silent(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    searched("qmc", problem_with())
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_the_tables_name_the_samplers_without_importing_optuna() -> None:
    program = "import sys, search.settings; print('optuna' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "nsga2", "objectives": ["loss", "sise"]}, r"'sise'.*'size'"),
        ({"name": "tpe", "objectives": ["size"]}, r"must name the loss.*\['size'\]"),
        ({"name": "tpe", "objectives": ["loss", "loss"]}, r"each once, got \['loss', 'loss'\]"),
        ({"name": "gp", "pruner": "median", "objectives": ["loss", "size"]}, r"median compares one objective"),
        ({"name": "gp", "pruner": "hyperband", "rungs": [512]}, r"two rungs or more, got \[512\]"),
        ({"name": "qmc", "rungs": [2048, 512]}, r"ascending order, got \[2048, 512\]"),
        ({"name": "qmc", "points": "sobel"}, r"'sobel'.*'sobol'"),
        ({"name": "nsga2", "batch": 1}, r"at least 2.*got 1"),
        ({"name": "nsga3", "divisions": 0}, r"divisions must be at least 1, got 0"),
        ({"name": "nsga2", "crossover_prob": 1.5}, r"from 0 to 1, got 1\.5"),
        ({"name": "tpe", "candidates": 0}, r"candidates must be at least 1, got 0"),
        ({"name": "tpe", "trials": 0}, r"trials must be at least 1, got 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_strategy(settings)


def test_a_largest_loss_is_refused() -> None:
    problem = replace(problem_with(), max_loss=0.1)
    with pytest.raises(InputError, match=r"which strategy tpe does not look for, got 0\.1"):
        make_strategy("tpe").check(problem)


@pytest.mark.parametrize("name", ["tpe", "nsga2", "qmc"])
@pytest.mark.parametrize("trials", [1, 6, 40])
def test_no_more_is_measured_than_trials_and_plain_choices(name: str, trials: int) -> None:
    problem = make_problem(tiny_space(2, quantize(2, 3, 4)), {"nominal_bits_per_weight": 3.0})
    run = searched(name, problem, trials=trials)
    plain = len(baselines(problem))
    assert len({levels for ask in run.asks for levels in ask.candidates}) <= max(trials, plain)


def test_a_space_that_is_exhausted_ends_the_search() -> None:
    space = tiny_space(1, quantize(2, 3, layers=["*.q_proj", "*.v_proj"]))
    problem = make_problem(space, {"nominal_bits_per_weight": 3.0})
    run = searched("tpe", problem, trials=4096)
    fitting = sum(problem.holds(levels) for levels in all_levels(space))
    assert len({levels for ask in run.asks for levels in ask.candidates}) <= fitting
    assert len(run.asks) < 10
