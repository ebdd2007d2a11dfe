"""The evaluator on the reference model with a real bank: its numbers against plain float64."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.bank import Bank
from compressors.build import build_bank
from evaluators.checkpoint import load_model, load_tokenizer
from evaluators.dense import DenseLogits, commit
from evaluators.dense_layout import Layout
from evaluators.evaluator import BATCH_TOKENS, Evaluator, Measurement, batch_sequences
from evaluators.live import LiveModel
from evaluators.stream import Stream
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.option import DROP, Quantize

EXAMPLES = Path(__file__).parents[2] / "examples"
GPTQ = Quantize(bits_per_code=3, group_size=128, symmetric=False, solver="gptq")
LAYERS = ("model.layers.2.mlp.down_proj", "model.layers.5.self_attn.q_proj")
LENGTH, NUM_SEQUENCES, VOCABULARY = 48, 8, 4096
CANDIDATES = {
    "one layer": Configuration.of({LAYERS[0]: GPTQ}),
    "two layers and a drop": Configuration.of(dict.fromkeys(LAYERS, GPTQ) | {"model.layers.7.self_attn": DROP}),
    "no block": Configuration.of({"model.layers.0": DROP, "model.layers.11": DROP}),
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The reference model, a bank of two layers, its text, and the dense logits kept in full."""

    model: nn.Module  # dense, untouched
    bank: Bank
    stream: Stream
    dense: DenseLogits

    def evaluator(self) -> Evaluator:
        model = copy.deepcopy(self.model)
        return Evaluator(LiveModel(model, find_anatomy(model), self.bank), self.stream, self.dense)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    root = tmp_path_factory.mktemp("evaluator")
    folder = EXAMPLES / "reference-model"
    model = load_model(folder, dtype=torch.float32)
    text = (EXAMPLES / "text" / "validation.txt").read_text("utf-8")[: 8 * NUM_SEQUENCES * LENGTH]
    ids = load_tokenizer(folder)(text, verbose=False)["input_ids"]
    stream = Stream(torch.tensor(ids[: NUM_SEQUENCES * LENGTH]).reshape(NUM_SEQUENCES, LENGTH))
    bank = Bank(root / "bank", model="w" * 16, calibration=stream.key(1), propagate="dense")
    blocks = find_anatomy(model).blocks
    layers = {name: [GPTQ] for name in LAYERS}
    build_bank(model, blocks=blocks, layers=layers, tokens=stream.tokens[:2], bank=bank, propagate=None)
    layout = Layout(kind="full", vocab_size=VOCABULARY, num_kept=VOCABULARY)
    unfinished = DenseLogits.create(root / "tmp", layout, num_sequences=NUM_SEQUENCES, length=LENGTH)
    live = LiveModel(copy.deepcopy(model), find_anatomy(model), bank)
    live.apply(CANDIDATES["no block"])  # write_dense must set it back
    Evaluator(live, stream, unfinished).write_dense(0, NUM_SEQUENCES)
    return Bench(model=model, bank=bank, stream=stream, dense=commit(root / "tmp", root / "dense"))


def logits_of(model: nn.Module, tokens: Tensor) -> np.ndarray:  # float64 (length, vocabulary)
    with torch.inference_mode():
        found: Tensor = model(input_ids=tokens[None], use_cache=False).logits[0]
    array: np.ndarray = found.double().numpy()
    return array


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalized: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalized


def plain(dense: np.ndarray, candidate: np.ndarray, tokens: Tensor) -> tuple[float, float]:
    """KL and loss of one sequence, summed token by token."""
    p, q = log_softmax(dense), log_softmax(candidate)
    kl = math.fsum(float(np.exp(a) @ (a - b)) for a, b in zip(p, q, strict=True)) / len(p)
    labels = tokens[1:].tolist()
    nll = -math.fsum(float(q[position, label]) for position, label in enumerate(labels)) / len(labels)
    return kl, nll


@pytest.mark.parametrize("name", CANDIDATES)
def test_kl_and_loss_equal_a_float64_sum(bench: Bench, name: str) -> None:
    evaluator = bench.evaluator()
    found = evaluator.measure(CANDIDATES[name], 2, 5)
    for number, tokens in enumerate(bench.stream.tokens[2:5]):
        dense, candidate = logits_of(bench.model, tokens), logits_of(evaluator.live.model, tokens)
        assert (found.kl[number], found.nll[number]) == pytest.approx(
            plain(dense, candidate, tokens), rel=1e-5, abs=1e-9
        )
    assert found.kl.min() > 1e-6


def test_a_forward_in_float64_gives_the_same_kl(bench: Bench) -> None:
    """The whole way in double precision: what float32 forwards add is 1e-9 nats, or a hundred thousandth."""
    wide = copy.deepcopy(bench.model).double()
    tokens = bench.stream.tokens[0]
    dense = logits_of(wide, tokens)
    for layer in LAYERS:
        wide.get_submodule(layer).weight.data = bench.bank.read(layer, GPTQ).dequantize(torch.float64)
    kl, nll = plain(dense, logits_of(wide, tokens), tokens)
    found = bench.evaluator().measure(Configuration.of(dict.fromkeys(LAYERS, GPTQ)), 0, 1)
    assert found.kl[0] == pytest.approx(kl, rel=1e-5, abs=1e-9)
    assert found.nll[0] == pytest.approx(nll, rel=1e-5)


def test_the_dense_model_is_no_distance_from_itself(bench: Bench) -> None:
    found = bench.evaluator().measure(Configuration.of({}), 0, NUM_SEQUENCES)
    assert found.kl.tolist() == [0.0] * NUM_SEQUENCES
    assert found.nll == pytest.approx(bench.dense.nll, rel=1e-6)


def test_an_evaluation_extended_equals_a_fresh_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.evaluator.BATCH_TOKENS", 4 * LENGTH)
    assert batch_sequences(LENGTH) == 4  # as for sequences of 512
    evaluator = bench.evaluator()
    candidate = CANDIDATES["two layers and a drop"]
    extended = evaluator.measure(candidate, 0, 4)
    evaluator.measure(CANDIDATES["no block"], 0, 1)
    extended += evaluator.measure(candidate, 4, 8)
    fresh = bench.evaluator().measure(candidate, 0, 8)
    assert extended.kl.tolist() == fresh.kl.tolist()
    assert extended.nll.tolist() == fresh.nll.tolist()


def test_measured_together_or_alone_the_numbers_are_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluators.evaluator.BATCH_TOKENS", 3 * LENGTH)
    evaluator, candidates = bench.evaluator(), [*CANDIDATES.values(), Configuration.of({})]
    for start, stop in ((0, 4), (4, 8), (1, 8)):
        together = evaluator.measure_each(candidates, start, stop)
        for candidate, found in zip(candidates, together, strict=True):
            alone = bench.evaluator().measure(candidate, start, stop)
            assert found.kl.tolist() == alone.kl.tolist()
            assert found.nll.tolist() == alone.nll.tolist()
    read = len(candidates) * (4 + 4 + 7) * LENGTH
    assert evaluator.prefixes.computed_tokens < 0.9 * read


def test_nothing_measured_is_an_empty_measurement(bench: Bench) -> None:
    found = bench.evaluator().measure(CANDIDATES["one layer"], 3, 3)
    assert (found.kl.shape, found.nll.shape, found.kl.dtype) == ((0,), (0,), np.dtype(np.float64))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_broken_candidate_is_infinitely_bad_and_no_exception(bench: Bench, bad: float) -> None:
    evaluator = bench.evaluator()
    broken = evaluator.live.model.get_submodule(LAYERS[0]).weight
    assert isinstance(broken, Tensor)
    with torch.no_grad():
        broken[0, 0] = bad
    found = evaluator.measure(Configuration.of({}), 0, 2)
    assert found.kl.tolist() == [math.inf] * 2
    assert found.nll.tolist() == [math.inf] * 2


def test_one_broken_sequence_leaves_the_others_as_they_are(bench: Bench) -> None:
    evaluator = bench.evaluator()

    def break_second(model: nn.Module, inputs: object, output: object) -> None:
        output.logits[1, 7, 3] = math.nan  # type: ignore[attr-defined]

    whole = evaluator.measure(CANDIDATES["one layer"], 0, 4)
    evaluator.live.model.register_forward_hook(break_second)
    found = evaluator.measure(CANDIDATES["one layer"], 0, 4)
    assert np.isinf(found.kl).tolist() == np.isinf(found.nll).tolist() == [False, True, False, False]
    assert np.delete(found.kl, 1).tolist() == np.delete(whole.kl, 1).tolist()


@pytest.mark.parametrize(("length", "count"), [(1, BATCH_TOKENS), (512, 4), (2048, 1), (4096, 1)])
def test_a_forward_holds_some_two_thousand_tokens(length: int, count: int) -> None:
    assert batch_sequences(length) == count


def test_measurements_join_in_order() -> None:
    first, later = (Measurement(kl=np.array([n, n + 1.0]), nll=np.array([-n, n * 1.0])) for n in (1.0, 5.0))
    joined = first + later
    assert (joined.kl.tolist(), joined.nll.tolist()) == ([1, 2, 5, 6], [-1, 1, -5, 5])
