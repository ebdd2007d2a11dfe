"""What every strategy must satisfy, on quantization, drops, both at once, ties, pins and the smallest space.

The contract loops over STRATEGIES: a new strategy is tested with its defaults until SMALL gives it quicker settings.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from synthetic_search import (
    MAX_TOKENS,
    Run,
    SyntheticLoss,
    all_levels,
    drive,
    make_problem,
    quantize,
    reference_anatomy,
    tiny_space,
)

from search.settings import make_strategy
from search.strategy import STRATEGIES, Problem, Strategy
from spaces.build import build_space
from spaces.option import parse_option
from spaces.space import Space
from spaces.spec import DropSpec, SpaceSpec

STAGES = [{"tokens": 512, "survivors": 3}, {"tokens": 2048, "survivors": 1}]
SMALL: dict[str, Any] = {
    "random": {"name": "random", "samples": 12, "stages": STAGES},
    "evolution": {"name": "evolution", "generations": 4, "offspring": 8, "stages": STAGES, "groups": "global"},
    "allocate": {"name": "allocate", "score": {"name": "measured-kl", "tokens": 512}},
    "trust-region": {
        "name": "trust-region",
        "score": {"name": "measured-kl", "tokens": 512},
        "rounds": 2,
        "probes": 6,
        "probe_tokens": 512,
        "proposals": 6,
        "mutations": 2,
        "screen_tokens": 512,
        "rivals": 2,
        "race": {"tokens": 512, "rungs": 2},
    },
    "nsga2": {"name": "nsga2", "trials": 24, "batch": 8, "rungs": [512, 2048]},
    "nsga3": {"name": "nsga3", "trials": 24, "batch": 8, "rungs": [512, 2048], "objectives": ["loss", "size", "flops"]},
    "tpe": {"name": "tpe", "trials": 24, "batch": 8, "startup": 8, "pruner": "median", "rungs": [512, 2048]},
    "gp": {"name": "gp", "trials": 9, "batch": 8, "startup": 8, "pruner": "none", "rungs": [2048]},  # one fit
    "qmc": {"name": "qmc", "trials": 16, "batch": 8, "pruner": "hyperband", "rungs": [512, 2048]},
    "surrogate": {"name": "surrogate", "archive": 12, "rounds": 2, "proposals": 6, "generations": 6, "population": 16}
    | {"rungs": [512, 2048], "finalists": 3, "close_above": 2.0},
}
# the same with enough samples to find the best of 125 configurations
THOROUGH: dict[str, Any] = SMALL | {
    "random": {"name": "random", "samples": 600, "stages": STAGES},
    "evolution": {"name": "evolution", "generations": 15, "offspring": 8, "stages": STAGES, "groups": "global"},
    **{sampler: {"name": sampler, "trials": 128, "batch": 16} for sampler in ("nsga2", "nsga3", "tpe", "qmc")},
    "gp": {"name": "gp", "trials": 48, "startup": 16},
    "surrogate": {"name": "surrogate", "rounds": 4, "generations": 10},
}
DETERMINISTIC = {"uniform", "allocate"}  # the seed changes nothing
PROBES_FREELY = {"allocate", "trust-region"}  # scores measure single changes, of which some exceed the budget
LOOKS_ONLY_AT_PLAIN_CHOICES = {"uniform"}

BUDGETS: dict[str, tuple[str, dict[str, object]]] = {
    "integer bits": ("quantize", {"nominal_bits_per_weight": 3.0}),
    "fractional bits": ("quantize", {"nominal_bits_per_weight": 2.6}),
    "bytes": ("quantize", {"size": "80kB"}),
    "two limits": ("quantize", {"nominal_bits_per_weight": 3.0, "size": "10MB"}),
    "drop": ("drop", {"dropped_attentions": 2, "dropped_mlps": 1}),
    "parameters": ("drop", {"parameters": "140K"}),
    "mixed": ("mixed", {"nominal_bits_per_weight": 2.6}),
    "ties": ("ties", {"nominal_bits_per_weight": 3.0}),
    "pins": ("pins", {"nominal_bits_per_weight": 5.0}),
    "one unit": ("one unit", {"nominal_bits_per_weight": 4.0}),
    "reference model": ("reference", {"nominal_bits_per_weight": 3.0}),
}


@cache
def space_named(name: str) -> Space:
    levels = quantize(2, 3, 4, 6, 8)
    pin = {"*.0.self_attn.v_proj": parse_option("rtn-int8-g32-asym"), "*.1.mlp.down_proj": parse_option("keep")}
    if name == "reference":
        return build_space(reference_anatomy(), SpaceSpec(options=(quantize(2, 3, 4, 5, 6, 8),)))
    return {
        "quantize": lambda: tiny_space(3, levels),
        "drop": lambda: tiny_space(6, DropSpec()),
        "mixed": lambda: tiny_space(3, levels, DropSpec()),
        "ties": lambda: tiny_space(2, levels, ties="vllm"),
        "pins": lambda: tiny_space(4, levels, pin=pin),
        "one unit": lambda: tiny_space(1, quantize(2, 3, 4, 6, 8, layers=["*.down_proj"])),
        "three units": lambda: tiny_space(1, quantize(2, 3, 4, 6, layers=["*.q_proj", "*.v_proj", "*.down_proj"])),
    }[name]()


@pytest.fixture(params=STRATEGIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=BUDGETS)
def problem(request: pytest.FixtureRequest) -> Problem:
    space, budget = BUDGETS[request.param]
    return make_problem(space_named(space), budget)


def noisy(problem: Problem) -> SyntheticLoss:
    return SyntheticLoss(space=problem.space, interaction=0.3, noise=0.2)


FINISHED: dict[tuple[object, ...], Run] = {}  # a search is a pure function, so that tests may share one


def run(name: str, problem: Problem) -> Run:
    key = (name, id(problem.space), str(problem.budget), problem.seed, problem.max_tokens)
    if key not in FINISHED:
        FINISHED[key] = drive(make(name, problem), problem, noisy(problem))
    return FINISHED[key]


def make(name: str, problem: Problem) -> Strategy:
    strategy = make_strategy(SMALL.get(name, name))
    strategy.check(problem)
    return strategy


class StrategyContract:
    """Inherit it in a test module to have every strategy tested."""

    def test_the_answer_meets_the_budget(self, name: str, problem: Problem) -> None:
        answer = problem.space.configure(run(name, problem).answer)
        measures = problem.space.measure_options(dict(answer.options))
        for limit in problem.budget.limits:
            assert getattr(measures, limit.measure) <= limit.limit

    def test_a_restart_asks_the_same_and_ends_the_same(self, name: str, problem: Problem) -> None:
        first = run(name, problem)
        again = drive(make(name, problem), problem, noisy(problem), first.told[: len(first.told) // 2])
        assert again.asks == first.asks
        assert again.answer == first.answer

    def test_only_the_seed_changes_the_questions(self, name: str) -> None:
        problem = make_problem(space_named("quantize"), {"nominal_bits_per_weight": 2.6})
        seeds = [run(name, replace(problem, seed=seed)).asks for seed in (0, 1)]
        assert (seeds[0] == seeds[1]) == (name in DETERMINISTIC)

    def test_every_candidate_meets_the_budget_and_is_asked_once(self, name: str, problem: Problem) -> None:
        for ask in run(name, problem).asks:
            configurations = [problem.space.configure(levels) for levels in ask.candidates]
            assert len(set(configurations)) == len(configurations) > 0
            if name not in PROBES_FREELY:
                assert all(problem.holds(levels) for levels in ask.candidates)

    def test_no_ask_reads_more_than_there_is(self, name: str, problem: Problem) -> None:
        short = replace(problem, max_tokens=700)
        asks = run(name, short).asks
        assert all(0 < ask.tokens <= 700 for ask in asks)
        assert make(name, short).fidelity(short) <= 700

    def test_the_answer_was_chosen_at_the_stated_fidelity(self, name: str, problem: Problem) -> None:
        if len(problem.space.units) == 1:
            pytest.skip("one configuration may be left, and then nothing is chosen")
        finished = run(name, problem)
        fidelity = make(name, problem).fidelity(problem)
        if name in PROBES_FREELY:
            assert fidelity == MAX_TOKENS
        else:
            assert [ask.tokens for ask in finished.asks if finished.answer in ask.candidates][-1] == fidelity

    def test_the_plan_is_within_a_factor_of_two_of_what_is_asked(self, name: str, problem: Problem) -> None:
        if len(problem.space.units) == 1:
            pytest.skip("a space of five configurations is exhausted long before the plan")
        planned, asked = make(name, problem).planned_tokens(problem), run(name, problem).num_tokens
        assert asked / 2 <= planned <= asked * 2

    def test_it_finds_the_optimum_of_a_small_space(self, name: str) -> None:
        if name in LOOKS_ONLY_AT_PLAIN_CHOICES:
            pytest.skip("it does not claim to")
        problem = make_problem(space_named("three units"), {"nominal_bits_per_weight": 3.4})
        loss = SyntheticLoss(space=problem.space)
        fitting = [levels for levels in all_levels(problem.space) if problem.holds(levels)]
        assert 20 < len(fitting) < 125
        best = min(fitting, key=loss.exact)
        assert drive(make_strategy(THOROUGH.get(name, name)), problem, loss).answer == best
