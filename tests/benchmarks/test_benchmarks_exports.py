"""Every checkpoint format is measured, and what is the candidate itself is found to be nothing away from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.exports import Referee
from benchmarks.loaders import LOADERS
from evaluators.dense import DenseLogits, commit
from evaluators.dense_layout import Layout
from evaluators.stream import Stream
from exporters.formats import formats

NUM, LENGTH, VOCABULARY = 3, 8, 16
STREAM = Stream(torch.randint(0, VOCABULARY, (NUM, LENGTH), generator=torch.Generator().manual_seed(0)))
TABLE = torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(1))


def bigrams(tokens: Tensor) -> Tensor:
    return TABLE[tokens]


def test_every_checkpoint_has_its_loader() -> None:
    assert {loader.format for loader in LOADERS} == {info.name for info in formats() if info.kind == "checkpoint"}


def test_differences_are_those_to_the_candidate_and_losses_those_to_the_dense_model(tmp_path: Path) -> None:
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    dense = DenseLogits.create(tmp_path / "draft", layout, num_sequences=NUM, length=LENGTH)
    dense.write(0, bigrams(STREAM.tokens), STREAM.tokens)
    referee = Referee(STREAM, commit(tmp_path / "draft", tmp_path / "dense"), lambda tokens: bigrams(tokens) * 1.5)
    itself = referee.judge(lambda tokens: bigrams(tokens) * 1.5)
    assert (itself.kl_to_candidate, itself.max_difference) == (0, 0)
    assert itself.kl > 0.01
    shifted = referee.judge(lambda tokens: bigrams(tokens) * 1.5 + 2)
    assert shifted.max_difference == pytest.approx(2)
    assert shifted.kl_to_candidate == pytest.approx(0, abs=1e-9)
    exact = referee.judge(bigrams)
    assert exact.kl == pytest.approx(0, abs=1e-9)
    assert exact.kl_to_candidate > 0.01
