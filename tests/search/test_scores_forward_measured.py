"""Scores without gradients on a small real model: statistics and scores fit, and say what the evaluator measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from synthetic_search import make_problem, quantize, tiny_space
from transformers import AutoModelForCausalLM, LlamaConfig

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.dense import DenseLogits, commit
from evaluators.dense_layout import Layout
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.stream import Stream
from search.scores.activation_entropy import ActivationEntropy
from search.scores.cosine_similarity import CosineSimilarity
from search.scores.entries import entries_of
from search.scores.inter_layer import InterLayer
from search.scores.linearity import Linearity
from search.scores.score import Score, Scores
from search.scores.spectral_error import SpectralError
from search.strategy import Ask, Estimate, Problem, Question
from spaces.discovery import find_anatomy
from spaces.option import Quantize
from spaces.space import Levels
from spaces.spec import DropSpec

LENGTH, NUM_SEQUENCES, VOCABULARY = 16, 32, 64
BITS = (quantize(2, 4, layers=["*.q_proj", "*.v_proj", "*.down_proj"]),)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take many times longer than one alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    root = tmp_path_factory.mktemp("forward")
    model, stream = tiny_model(), Stream(random_tokens())
    bank = Bank(root / "bank", weights="w" * 16, calibration="c" * 16, propagate="dense")
    layers: dict[str, list[Quantize]] = {}
    for layer, option in entries_of(tiny_space(2, *BITS)):
        layers.setdefault(layer, []).append(option)
    anatomy = find_anatomy(model)
    build_bank(model, blocks=anatomy.blocks, layers=layers, tokens=stream.tokens, bank=bank, propagate=None)
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    unfinished = DenseLogits.create(root / "tmp", layout, num_sequences=NUM_SEQUENCES, length=LENGTH)
    live = LiveModel(model, anatomy, bank)
    Evaluator(live, stream, unfinished).write_dense(0, NUM_SEQUENCES)
    return Evaluator(live, stream, commit(root / "tmp", root / "dense"))


def random_tokens() -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (NUM_SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(2))


def tiny_model() -> torch.nn.Module:
    """The model of the made-up searches' spaces, with random weights large enough to say something."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: torch.nn.Module = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval().requires_grad_(False)


def problem_of(evaluator: Evaluator, *options: Any, budget: dict[str, object]) -> Problem:
    problem = make_problem(tiny_space(2, *options), budget, max_tokens=NUM_SEQUENCES * LENGTH)
    return replace(problem, sequence_length=LENGTH, errors=evaluator.live.bank.errors)


def quantizing(evaluator: Evaluator) -> Problem:
    return problem_of(evaluator, *BITS, budget={"nominal_bits_per_weight": 3.0})


def kl_of(evaluator: Evaluator, problem: Problem, levels: Levels, num_sequences: int = NUM_SEQUENCES) -> np.ndarray:
    return evaluator.measure(problem.space.configure(levels), 0, num_sequences).kl


def scores_of(evaluator: Evaluator, problem: Problem, by: Score) -> Scores:
    """Drive a score with a worker's answers."""

    def answer(question: Question) -> object:
        if isinstance(question, Estimate):
            return question.statistic.samples(evaluator, question.start, question.stop)
        assert isinstance(question, Ask)
        return [kl_of(evaluator, problem, each, problem.sequences(question.tokens)) for each in question.candidates]

    running = by.score(problem)
    try:
        question = next(running)
        while True:
            question = running.send(answer(question))
    except StopIteration as stop:
        scores: Scores = stop.value
        return scores


def measured(evaluator: Evaluator, problem: Problem, unit: int, level: int) -> float:
    levels = tuple(level if number == unit else kept for number, kept in enumerate(problem.space.kept))
    return float(kl_of(evaluator, problem, levels).mean())


def test_linearity_predicts_the_measured_kl_of_rounded_weights(evaluator: Evaluator) -> None:
    """Rounding to nearest leaves errors with little direction: within a factor of two, and no bias in their mean."""
    problem = quantizing(evaluator)
    scores = scores_of(evaluator, problem, Linearity(noise_levels=(0.05, 0.1, 0.1, 0.1)))
    ratios = [costs[1] / measured(evaluator, problem, unit, 1) for unit, costs in enumerate(scores.costs)]
    assert 0.5 < min(ratios) <= max(ratios) < 2
    assert np.mean(ratios) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("by", [Linearity(), SpectralError(), ActivationEntropy()])
def test_two_bits_cost_more_than_four_in_every_unit(evaluator: Evaluator, by: Score) -> None:
    scores = scores_of(evaluator, quantizing(evaluator), by)
    assert all(costs[0] > costs[1] > 0 == costs[2] for costs in scores.costs)


def test_cosine_similarity_sees_a_part_that_does_less(evaluator: Evaluator) -> None:
    problem = problem_of(evaluator, DropSpec(), budget={"dropped_attentions": 1})
    before = scores_of(evaluator, problem, CosineSimilarity())
    weight = evaluator.live.model.get_submodule("model.layers.1.mlp.down_proj").weight
    assert isinstance(weight, torch.Tensor)
    own = weight.clone()
    with torch.no_grad():
        weight *= 0.1
    after = scores_of(evaluator, problem, CosineSimilarity())
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
    single = scores_of(evaluator, problem, Linearity())
    scores = scores_of(evaluator, problem, InterLayer(singles=Linearity(), tokens=NUM_SEQUENCES * LENGTH))
    kept = problem.space.kept
    for left in range(len(kept) - 1):
        levels = tuple(0 if unit in (left, left + 1) else level for unit, level in enumerate(kept))
        both = float(kl_of(evaluator, problem, levels).mean())
        term = both - measured(evaluator, problem, left, 0) - measured(evaluator, problem, left + 1, 0)
        added = scores.predict(problem.space, levels) - single.predict(problem.space, levels)
        assert added == pytest.approx(term, rel=1e-6, abs=1e-12)
        assert abs(term) > 1e-6
