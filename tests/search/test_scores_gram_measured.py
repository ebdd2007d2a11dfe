"""The gram score of a small real model: its quadratic model predicts the KL of many changes better than their sum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

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
from search.scores.gram import Gram
from search.scores.score import Scores
from search.strategy import Estimate, Problem
from spaces.discovery import find_anatomy
from spaces.option import Quantize
from spaces.space import Levels, Space

LENGTH, NUM_SEQUENCES, VOCABULARY = 16, 32, 64


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
    evaluator = tiny_evaluator(tmp_path_factory.mktemp("gram"), space)
    problem = make_problem(space, {"nominal_bits_per_weight": 5.0}, max_tokens=NUM_SEQUENCES * LENGTH)
    problem = replace(problem, sequence_length=LENGTH)
    running = Gram(entries=64).score(problem)
    question = next(running)
    assert isinstance(question, Estimate)
    samples = question.statistic.samples(evaluator, question.start, question.stop)
    with pytest.raises(StopIteration) as stop:
        running.send(samples)
    base = Gram().base_levels(problem)
    return Bench(problem=problem, evaluator=evaluator, base=base, scores=stop.value.value)


def tiny_evaluator(root: Path, space: Space) -> Evaluator:
    model = tiny_model()
    bank = Bank(root / "bank", weights="w" * 16, calibration="c" * 16, propagate="dense")
    stream = Stream(torch.randint(0, VOCABULARY, (NUM_SEQUENCES, LENGTH), generator=torch.Generator().manual_seed(2)))
    layers = {
        space.layers[index].name: [option for option in unit.options if isinstance(option, Quantize)]
        for unit in space.units
        for index in unit.layers
    }
    anatomy = find_anatomy(model)
    build_bank(model, blocks=anatomy.blocks, layers=layers, tokens=stream.tokens, bank=bank, propagate=None)
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    unfinished = DenseLogits.create(root / "tmp", layout, num_sequences=NUM_SEQUENCES, length=LENGTH)
    live = LiveModel(model, anatomy, bank)
    Evaluator(live, stream, unfinished).write_dense(0, NUM_SEQUENCES)
    return Evaluator(live, stream, commit(root / "tmp", root / "dense"))


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
