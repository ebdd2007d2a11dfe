"""The gram score of a small real model: its quadratic model predicts the KL of many changes better than their sum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from real_evaluator import LENGTH, evaluator_for, score_by
from synthetic_search import make_problem, quantize, tiny_space

from evaluators.evaluator import Evaluator
from search.scores.gram import Gram
from search.scores.score import Scores
from search.strategy import Problem
from spaces.space import Levels

NUM_SEQUENCES = 32


@dataclass(frozen=True, kw_only=True)
class Bench:
    problem: Problem
    evaluator: Evaluator
    base: Levels
    scores: Scores

    def kl(self, levels: Levels) -> float:
        measured = self.evaluator.measure(self.problem.space.configure(levels), 0, NUM_SEQUENCES)
        return float(measured.kl.mean())

    def drawn(self, rng: np.random.Generator, num_changes: int) -> Levels:
        """The base with some units at another quantized level."""
        levels = list(self.base)
        for unit in rng.choice(len(levels), num_changes, replace=False):
            levels[unit] = int(rng.choice([level for level in range(3) if level != levels[unit]]))
        return tuple(levels)


@pytest.fixture(scope="module", params=["none", "vllm"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """In 4 to 6 bits around uniform 5, where a random model is still near its minimum; layers alone and tied."""
    space = tiny_space(2, quantize(4, 5, 6), ties=request.param)
    evaluator = evaluator_for(space, tmp_path_factory.mktemp("gram"), NUM_SEQUENCES)
    problem = make_problem(space, {"nominal_bits_per_weight": 5.0}, max_tokens=NUM_SEQUENCES * LENGTH)
    problem = replace(problem, sequence_length=LENGTH)
    scores = score_by(Gram(entries=64), problem, evaluator)
    base = Gram().base_levels(problem)
    return Bench(problem=problem, evaluator=evaluator, base=base, scores=scores)


def test_single_changes_are_exact(bench: Bench) -> None:
    for unit, base in enumerate(bench.base):
        for level in {0, 1, 2} - {base}:
            changed = (*bench.base[:unit], level, *bench.base[unit + 1 :])
            measured = bench.kl(changed) - bench.kl(bench.base)
            assert bench.scores.predict(bench.problem.space, changed) == pytest.approx(measured, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("num_changes", [2, 5])
def test_interactions_halve_the_error_of_adding_up(bench: Bench, num_changes: int) -> None:
    rng, space = np.random.default_rng(0), bench.problem.space
    drawn = [bench.drawn(rng, num_changes) for _ in range(40)]
    measured = np.array([bench.kl(levels) for levels in drawn]) - bench.kl(bench.base)
    additive = replace(bench.scores, interactions=None)
    sums, forms = (np.array([each.predict(space, x) for x in drawn]) for each in (additive, bench.scores))
    errors = [float(np.sqrt(np.mean((predicted - measured) ** 2))) for predicted in (sums, forms)]
    assert errors[1] < errors[0] / 2
