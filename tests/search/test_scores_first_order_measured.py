"""The Fisher score of a small model predicts, within its stated error, the KL that the evaluator measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
from search.scores.delta_loss import DeltaLoss
from search.scores.entries import entries_of
from search.scores.fisher import Fisher
from search.scores.gradient_output import GradientOutput
from search.scores.score import Score, Scores
from search.strategy import Estimate, Problem
from spaces.discovery import find_anatomy

LENGTH, NUM_SEQUENCES, VOCABULARY = 16, 96, 64


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take many times longer than one alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True, kw_only=True)
class Bench:
    problem: Problem
    evaluator: Evaluator

    def scores(self, by: Score) -> Scores:
        """Drive a score with a worker's answers."""
        running = by.score(self.problem)
        question = next(running)
        while True:
            assert isinstance(question, Estimate)
            samples = question.statistic.samples(self.evaluator, question.start, question.stop)
            try:
                question = running.send(samples)
            except StopIteration as stop:
                scores: Scores = stop.value
                return scores

    def kl(self, unit: int, level: int) -> float:
        """Measured, with one unit changed."""
        levels = [level if number == unit else kept for number, kept in enumerate(self.problem.space.kept)]
        found = self.evaluator.measure(self.problem.space.configure(levels), 0, NUM_SEQUENCES).kl
        return float(found.mean())


@pytest.fixture(scope="module", params=["none", "vllm"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The model of the made-up searches' spaces, with random weights large enough to say something."""
    root = tmp_path_factory.mktemp("first-order")
    space = tiny_space(2, quantize(2, 4), ties=request.param)
    model = tiny_model()
    bank = Bank(root / "bank", weights="w" * 16, calibration="c" * 16, propagate="dense")
    stream = Stream(torch.randint(0, VOCABULARY, (NUM_SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(2)))
    layers: dict[str, list[object]] = {}
    for layer, option in entries_of(space):
        layers.setdefault(layer, []).append(option)
    anatomy = find_anatomy(model)
    build_bank(model, blocks=anatomy.blocks, layers=layers, tokens=stream.tokens, bank=bank, propagate=None)  # type: ignore[arg-type]
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    unfinished = DenseLogits.create(root / "tmp", layout, num_sequences=NUM_SEQUENCES, length=LENGTH)
    live = LiveModel(model, anatomy, bank)
    Evaluator(live, stream, unfinished).write_dense(0, NUM_SEQUENCES)
    evaluator = Evaluator(live, stream, commit(root / "tmp", root / "dense"))
    problem = make_problem(space, {"nominal_bits_per_weight": 3.0}, max_tokens=stream.num_tokens)
    return Bench(problem=replace(problem, sequence_length=LENGTH), evaluator=evaluator)


def tiny_model() -> torch.nn.Module:
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
