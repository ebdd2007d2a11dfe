"""Scores that predict the KL, asked in shares of a small real model: they come to the same, and a search begins."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from real_evaluator import LENGTH, answered, evaluator_for, score_by
from synthetic_search import make_problem, quantize, tiny_space

from evaluators.evaluator import Evaluator
from search.engine.answers import drive
from search.scores.score import NO_PREDICTION, SCORES, Scores
from search.scores.shares import in_shares
from search.settings import make_score, make_strategy
from spaces.space import Levels

TRACE = {"name": "hessian-trace", "max_probes": 8}
SHORT: dict[str, object] = {"hessian-trace": TRACE, "inter-layer": {"name": "inter-layer", "singles": TRACE}}
PREDICTING = [name for name in SCORES if name not in NO_PREDICTION]
SPACE = tiny_space(2, quantize(2, 4))
NUM_SEQUENCES = 16
PROBLEM = replace(
    make_problem(SPACE, {"nominal_bits_per_weight": 3.0}, max_tokens=NUM_SEQUENCES * LENGTH), sequence_length=LENGTH
)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return evaluator_for(SPACE, tmp_path_factory.mktemp("shares"), NUM_SEQUENCES)


def cheapest(scores: Scores) -> Levels:
    return tuple(int(np.argmin(row)) for row in scores.costs)


def tables(scores: Scores) -> list[np.ndarray]:
    pairs = [] if scores.interactions is None else [scores.interactions.matrix]
    return [*scores.costs, *(scores.errors or []), *pairs]


@pytest.mark.parametrize("name", PREDICTING)
def test_it_comes_to_the_same(name: str, evaluator: Evaluator) -> None:
    score = make_score(SHORT.get(name, name))
    whole = score_by(score, PROBLEM, evaluator)
    shared = in_shares(partial(score.score, PROBLEM), PROBLEM, cheapest)
    for one, other in zip(tables(drive(shared, answered(PROBLEM, evaluator))), tables(whole), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", PREDICTING)
def test_the_trust_region_begins_with_it(name: str, evaluator: Evaluator) -> None:
    strategy = make_strategy({"name": "trust-region", "score": SHORT.get(name, name), "rounds": 1})
    strategy.check(PROBLEM)
    found = drive(strategy.search(PROBLEM), answered(PROBLEM, evaluator))
    assert PROBLEM.holds(found)
