"""A watched strategy asks and answers as it would unwatched, and its tokens are counted once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import TINY

from benchmarks.recorded import Recorded
from compressors.measure import EntryErrors
from evaluators.stream import Stream
from search.scores.measured import MeasuredKL
from search.selection import Stage
from search.strategies.allocate import Allocate
from search.strategies.evolution import Evolution
from search.strategies.random import Random
from search.strategies.uniform import Uniform
from search.strategy import Ask, Problem, Strategy
from spaces.budget import make_budget
from spaces.build import build_space
from spaces.option import Quantize
from spaces.space import Levels
from spaces.spec import QuantizeSpec, SpaceSpec

LENGTH, NUM_SEQUENCES = 8, 16
STREAM = Stream(torch.arange(NUM_SEQUENCES * LENGTH).reshape(NUM_SEQUENCES, LENGTH))
STAGES = (Stage(tokens=12, survivors=2), Stage(tokens=48, survivors=1))
STRATEGIES: dict[str, Strategy] = {
    "uniform": Uniform(),
    "random": Random(samples=12, stages=STAGES),
    "allocate": Allocate(score=MeasuredKL(tokens=20)),
    "evolution": Evolution(generations=4, offspring=6, stages=STAGES, groups="global"),
}


@pytest.fixture
def problem() -> Problem:
    request = QuantizeSpec(bits=(2, 3, 4), group_sizes=(32,))
    space = build_space(TINY["llama"].anatomy(), SpaceSpec(options=(request,)))

    def no_errors(layer: str, option: Quantize) -> EntryErrors:
        raise AssertionError(f"nothing here reads the errors of {option.slug} in {layer}")

    budget = make_budget({"nominal_bits_per_weight": 3}, space)
    return Problem(space=space, budget=budget, seed=0, max_tokens=STREAM.num_tokens, errors=no_errors)


def run(strategy: Strategy, problem: Problem) -> tuple[Levels, list[Ask]]:
    """Tell the strategy a made-up loss, the same whenever it asks."""
    weights = np.random.default_rng(0).uniform(0.5, 2, len(problem.space.units))
    asks: list[Ask] = []
    search = strategy.search(problem)
    try:
        ask = next(search)
        while True:
            asks.append(ask)
            losses = [np.full(STREAM.sequences_for(ask.tokens), weights @ 4.0 ** -np.array(c)) for c in ask.candidates]
            ask = search.send(losses)
    except StopIteration as stop:
        answer: Levels = stop.value
    return answer, asks


@pytest.mark.parametrize("name", STRATEGIES)
def test_watching_changes_nothing(name: str, problem: Problem) -> None:
    strategy = STRATEGIES[name]
    recorded = Recorded(strategy, STREAM)
    assert run(recorded, problem) == run(strategy, problem)
    assert recorded.answer == run(strategy, problem)[0]
    assert recorded.fidelity(problem) == strategy.fidelity(problem)
    assert recorded.planned_tokens(problem) == strategy.planned_tokens(problem)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_token_of_a_configuration_counts_once(name: str, problem: Problem) -> None:
    recorded = Recorded(STRATEGIES[name], STREAM)
    _, asks = run(recorded, problem)
    read = {  # token by token: (configuration, place in the stream)
        (problem.space.configure(levels).hash, place)
        for ask in asks
        for levels in ask.candidates
        for place in range(-(-ask.tokens // LENGTH) * LENGTH)  # whole sequences
    }
    assert recorded.num_tokens == len(read) > 0
