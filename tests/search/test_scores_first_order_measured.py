"""The Fisher score of a small model predicts, within its stated error, the KL that the evaluator measures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from real_evaluator import LENGTH, evaluator_for, score_by
from synthetic_search import make_problem, quantize, tiny_space

from evaluators.evaluator import Evaluator
from search.scores.delta_loss import DeltaLoss
from search.scores.fisher import Fisher
from search.scores.gradient_output import GradientOutput
from search.scores.score import Score, Scores
from search.strategy import Problem

NUM_SEQUENCES = 96


@dataclass(frozen=True, kw_only=True)
class Bench:
    problem: Problem
    evaluator: Evaluator

    def scores(self, by: Score) -> Scores:
        return score_by(by, self.problem, self.evaluator)

    def kl(self, unit: int, level: int) -> float:
        """Measured, with one unit changed."""
        levels = [level if number == unit else kept for number, kept in enumerate(self.problem.space.kept)]
        found = self.evaluator.measure(self.problem.space.configure(levels), 0, NUM_SEQUENCES).kl
        return float(found.mean())


@pytest.fixture(scope="module", params=["none", "vllm"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    space = tiny_space(2, quantize(2, 4), ties=request.param)
    evaluator = evaluator_for(space, tmp_path_factory.mktemp("first-order"), NUM_SEQUENCES)
    problem = make_problem(space, {"nominal_bits_per_weight": 3.0}, max_tokens=evaluator.stream.num_tokens)
    return Bench(problem=replace(problem, sequence_length=LENGTH), evaluator=evaluator)


def test_fisher_predicts_the_measured_kl_within_its_standard_error(bench: Bench) -> None:
    """At 4 bits, where the KL is nearly quadratic: 5 % beside 4 standard errors, and no bias in their mean."""
    scores = bench.scores(Fisher())
    assert scores.errors is not None
    ratios = []
    for unit, (costs, errors) in enumerate(zip(scores.costs, scores.errors, strict=True)):
        kl = bench.kl(unit, 1)
        assert abs(costs[1] - kl) < 4 * errors[1] + 0.05 * kl
        ratios.append(costs[1] / kl)
    assert np.mean(ratios) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("by", [Fisher(), GradientOutput(), DeltaLoss()])
def test_two_bits_cost_more_than_four_in_every_unit(bench: Bench, by: Score) -> None:
    scores = bench.scores(by)
    assert all(costs[0] > 2 * costs[1] > 0 == costs[2] for costs in scores.costs)
    assert scores.errors is not None
    assert all(
        0 < errors[level] < costs[level]
        for costs, errors in zip(scores.costs, scores.errors, strict=True)
        for level in (0, 1)
    )
