"""Every score says in which unit its costs are, and the table of those that predict no KL agrees with what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from real_evaluator import LENGTH, evaluator_for, score_by
from synthetic_search import make_problem, quantize, tiny_space

from evaluators.evaluator import Evaluator
from search.scores.score import NO_PREDICTION, PREDICTED_KL, SCORES
from search.settings import make_score, make_strategy
from search.strategy import Problem
from spaces.errors import InputError
from spaces.spec import DropSpec

NUM_SEQUENCES = 8
SHORT = {
    "hessian-trace": {"max_probes": 4},
    "hessian-eigenvalue-spread": {"tokens": 32, "batches": 2},
    "linearity": {"tokens": 64},
}


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return evaluator_for(tiny_space(2, quantize(2, 4)), tmp_path_factory.mktemp("units"), NUM_SEQUENCES)


def problem_for(name: str, evaluator: Evaluator) -> Problem:
    if name == "cosine-similarity":
        problem = make_problem(tiny_space(2, DropSpec()), {"dropped_mlps": 1})
    else:
        problem = make_problem(tiny_space(2, quantize(2, 4)), {"nominal_bits_per_weight": 3.0})
    return replace(problem, sequence_length=LENGTH, max_tokens=evaluator.stream.num_tokens)


@pytest.mark.parametrize("name", SCORES)
def test_the_unit_is_predicted_kl_unless_the_table_says_otherwise(name: str, evaluator: Evaluator) -> None:
    scores = score_by(make_score({"name": name, **SHORT.get(name, {})}), problem_for(name, evaluator), evaluator)
    assert (scores.unit == PREDICTED_KL) == (name not in NO_PREDICTION)


@pytest.mark.parametrize("name", NO_PREDICTION)
def test_the_trust_region_refuses_before_any_work_what_predicts_no_kl(name: str, evaluator: Evaluator) -> None:
    strategy = make_strategy({"name": "trust-region", "score": name})
    with pytest.raises(InputError, match=f"predicts the KL in nats, got {name}; use one of measured-kl"):
        strategy.check(problem_for(name, evaluator))
