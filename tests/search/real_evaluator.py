"""A small real model of the made-up searches' spaces, ready to measure: bank, text and dense logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.dense import DenseLogits, commit
from evaluators.dense_layout import Layout
from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.statistic import Samples
from evaluators.stream import Stream
from search.engine.answers import drive
from search.scores.entries import entries_of
from search.scores.score import Score, Scores
from search.strategy import Ask, Losses, Problem, Question
from spaces.discovery import find_anatomy
from spaces.option import Quantize
from spaces.space import Space

LENGTH, VOCABULARY = 16, 64


def tiny_model() -> torch.nn.Module:
    """Random weights, large enough to say something."""
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


def random_tokens(num_sequences: int) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (num_sequences, LENGTH), generator=torch.Generator().manual_seed(2))


def evaluator_for(space: Space, root: Path, num_sequences: int) -> Evaluator:
    """An evaluator whose bank has every option of ``space``, a space of ``tiny_model``."""
    model, stream = tiny_model(), Stream(random_tokens(num_sequences))
    bank = Bank(root / "bank", model="w" * 16, calibration="c" * 16, propagate="dense")
    layers: dict[str, list[Quantize]] = {}
    for layer, option in entries_of(space):
        layers.setdefault(layer, []).append(option)
    anatomy = find_anatomy(model)
    build_bank(model, blocks=anatomy.blocks, layers=layers, tokens=stream.tokens, bank=bank, propagate=None)
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    unfinished = DenseLogits.create(root / "tmp", layout, num_sequences=num_sequences, length=LENGTH)
    live = LiveModel(model, anatomy, bank)
    Evaluator(live, stream, unfinished).write_dense(0, num_sequences)
    return Evaluator(live, stream, commit(root / "tmp", root / "dense"))


def answered(problem: Problem, evaluator: Evaluator) -> Callable[[Question], Losses | Samples]:
    """What answers questions as a worker does."""

    def answer(question: Question) -> Losses | Samples:
        if not isinstance(question, Ask):
            return question.statistic.samples(evaluator, question.start, question.stop)
        start, stop = question.first, question.first + evaluator.stream.sequences_for(question.tokens)
        return [evaluator.measure(problem.space.configure(levels), start, stop).kl for levels in question.candidates]

    return answer


def score_by(score: Score, problem: Problem, evaluator: Evaluator) -> Scores:
    """What a score says when a worker answers it."""
    return drive(score.score(problem), answered(problem, evaluator))
