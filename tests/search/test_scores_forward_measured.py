"""Scores without gradients on a small real model: statistics and scores fit, and say what the evaluator measures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from real_evaluator import LENGTH, evaluator_for, score_by
from synthetic_search import make_problem, quantize, tiny_space

from evaluators.evaluator import Evaluator
from search.scores.activation_entropy import ActivationEntropy
from search.scores.cosine_similarity import CosineSimilarity
from search.scores.inter_layer import InterLayer
from search.scores.linearity import Linearity
from search.scores.score import Score
from search.scores.spectral_error import SpectralError
from search.strategy import Problem
from spaces.space import Levels
from spaces.spec import DropSpec

NUM_SEQUENCES = 32
BITS = (quantize(2, 4, layers=["*.q_proj", "*.v_proj", "*.down_proj"]),)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return evaluator_for(tiny_space(2, *BITS), tmp_path_factory.mktemp("forward"), NUM_SEQUENCES)


def problem_of(evaluator: Evaluator, *options: Any, budget: dict[str, object]) -> Problem:
    problem = make_problem(tiny_space(2, *options), budget, max_tokens=NUM_SEQUENCES * LENGTH)
    return replace(problem, sequence_length=LENGTH, errors=evaluator.live.bank.errors)


def quantizing(evaluator: Evaluator) -> Problem:
    return problem_of(evaluator, *BITS, budget={"nominal_bits_per_weight": 3.0})


def kl_of(evaluator: Evaluator, problem: Problem, levels: Levels, num_sequences: int = NUM_SEQUENCES) -> np.ndarray:
    return evaluator.measure(problem.space.configure(levels), 0, num_sequences).kl


def measured(evaluator: Evaluator, problem: Problem, unit: int, level: int) -> float:
    levels = tuple(level if number == unit else kept for number, kept in enumerate(problem.space.kept))
    return float(kl_of(evaluator, problem, levels).mean())


def test_linearity_predicts_the_measured_kl_of_rounded_weights(evaluator: Evaluator) -> None:
    """Rounding to nearest leaves errors with little direction: within a factor of two, and no bias in their mean."""
    problem = quantizing(evaluator)
    scores = score_by(Linearity(noise_levels=(0.05, 0.1, 0.1, 0.1)), problem, evaluator)
    ratios = [costs[1] / measured(evaluator, problem, unit, 1) for unit, costs in enumerate(scores.costs)]
    assert 0.5 < min(ratios) <= max(ratios) < 2
    assert np.mean(ratios) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("by", [Linearity(), SpectralError(), ActivationEntropy()])
def test_two_bits_cost_more_than_four_in_every_unit(evaluator: Evaluator, by: Score) -> None:
    scores = score_by(by, quantizing(evaluator), evaluator)
    assert all(costs[0] > costs[1] > 0 == costs[2] for costs in scores.costs)


def test_cosine_similarity_sees_a_part_that_does_less(evaluator: Evaluator) -> None:
    problem = problem_of(evaluator, DropSpec(), budget={"dropped_attentions": 1})
    before = score_by(CosineSimilarity(), problem, evaluator)
    weight = evaluator.live.model.get_submodule("model.layers.1.mlp.down_proj").weight
    assert isinstance(weight, torch.Tensor)
    own = weight.clone()
    with torch.no_grad():
        weight *= 0.1
    after = score_by(CosineSimilarity(), problem, evaluator)
    with torch.no_grad():
        weight.copy_(own)
    parts = [problem.space.layers[unit.layers[0]].name for unit in problem.space.units]
    for part, old, new in zip(parts, before.costs, after.costs, strict=True):
        if part == "model.layers.1.mlp":
            assert 0 < new.max() < 0.1 * old.max()
        else:
            assert new.tolist() == old.tolist()


def test_inter_layer_predicts_pairs_as_they_were_measured(evaluator: Evaluator) -> None:
    """With the terms, what two neighbours add to their single costs is what the evaluator measures."""
    problem = quantizing(evaluator)
    single = score_by(Linearity(), problem, evaluator)
    scores = score_by(InterLayer(singles=Linearity(), tokens=NUM_SEQUENCES * LENGTH), problem, evaluator)
    kept = problem.space.kept
    for left in range(len(kept) - 1):
        levels = tuple(0 if unit in (left, left + 1) else level for unit, level in enumerate(kept))
        both = float(kl_of(evaluator, problem, levels).mean())
        term = both - measured(evaluator, problem, left, 0) - measured(evaluator, problem, left + 1, 0)
        added = scores.predict(problem.space, levels) - single.predict(problem.space, levels)
        assert added == pytest.approx(term, rel=1e-6, abs=1e-12)
        assert abs(term) > 1e-6
