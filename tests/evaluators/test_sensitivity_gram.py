"""Logit shifts: their products are the Fisher form, against sums over the whole vocabulary and finite differences."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, NUM_SEQUENCES, evaluator_of
from live_oracle import RTN, logits_of
from tiny_models import VOCABULARY

from compressors.measure import EntryErrors
from compressors.quantized import QuantizedWeight
from evaluators.evaluator import Evaluator
from evaluators.sensitivity.logit_shifts import LogitShifts, Reference, drawn_entries
from evaluators.statistic import Passes
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import DROP, KEEP, Quantize

BLOCK = "model.layers.1"
INSIDE = {f"{BLOCK}.self_attn.{name}_proj": RTN[4] for name in "qkvo"}
BASE = Configuration.of(INSIDE | {"model.layers.0.mlp.down_proj": RTN[4]})
MOVES = tuple(
    Configuration.of(move)
    for move in (
        {"model.layers.0.self_attn.v_proj": RTN[2]},
        {"model.layers.0.mlp.down_proj": RTN[8]},
        {"model.layers.0.mlp.down_proj": KEEP},
        {f"{BLOCK}.mlp.gate_proj": RTN[2], f"{BLOCK}.mlp.up_proj": RTN[2]},  # tied
        {f"{BLOCK}.self_attn": DROP},  # with four quantized weights inside
    )
)
EVERY = 1 << 14  # draws: each of 256 entries gets its share to a part in a hundred


def shifts(**changes: object) -> LogitShifts:
    settled = LogitShifts(base=BASE, moves=MOVES, sequences=NUM_SEQUENCES, sequences_per_sample=2, draws=32, seed=3)
    return dataclasses.replace(settled, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    """A random Llama of two blocks in float64."""
    made = evaluator_of(tmp_path_factory.mktemp("gram"), "llama")
    made.write_dense(0, NUM_SEQUENCES)
    return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exact:
    """Token by token over the whole vocabulary, in float64."""

    weights: np.ndarray  # (T, V): the reference's distribution
    shifts: np.ndarray  # (M, T, V), not centred
    residual: np.ndarray  # (T, V): of the base from the dense model

    def products(self) -> np.ndarray:  # (M, 1 + M, T, V): of each centred shift with the residual and with each other
        centred = [x - (self.weights * x).sum(-1, keepdims=True) for x in (self.residual, *self.shifts)]
        return np.stack(centred[1:])[:, None] * np.stack(centred)[None]

    def means(self) -> np.ndarray:  # (M, 1 + M)
        found: np.ndarray = (self.weights * self.products()).sum(-1).mean(-1)
        return found


@pytest.fixture(scope="module")
def exact(evaluator: Evaluator) -> dict[Reference, Exact]:
    """Of the first sample, with the live model set to each configuration as a whole."""

    def logits(configuration: Configuration) -> np.ndarray:
        evaluator.live.apply(configuration)
        found = logits_of(evaluator.live.model, evaluator.stream.tokens[:2])
        return found.reshape(-1, VOCABULARY).numpy()

    base, dense = logits(BASE), logits(Configuration.of({}))
    moved = np.stack([logits(Configuration.of(dict(BASE.options) | dict(move.options))) for move in MOVES])
    weights = {"base": softmax(base), "dense": softmax(dense)}
    return {
        name: Exact(weights=weights[name], shifts=moved - base, residual=base - dense) for name in ("base", "dense")
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    normalized: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return normalized


def kl(weights: np.ndarray, shift: np.ndarray) -> float:
    """KL(q || q moved by a shift of its logits), mean over tokens."""
    mean = (weights * shift).sum(-1)
    return float((np.log((weights * np.exp(shift - mean[:, None])).sum(-1))).mean())


def sampled(statistic: LogitShifts, evaluator: Evaluator) -> np.ndarray:  # (M, 1 + M)
    """Residual and Gram matrix of the first sample side by side."""
    found = statistic.samples(evaluator, 0, 1)
    return np.hstack([found["residual"][0][:, None], found["gram"][0]])


def test_the_exact_form_is_the_curvature_of_the_divergence(exact: dict[Reference, Exact]) -> None:
    """The oracle against itself: mixed second differences of the KL divergence along pairs of shifts."""
    form, step = exact["base"], 1e-3
    for i, first in enumerate(form.shifts):
        for j, second in enumerate(form.shifts):
            corners = [a * b * kl(form.weights, step * (a * first + b * second)) for a in (1, -1) for b in (1, -1)]
            assert sum(corners) / (4 * step**2) == pytest.approx(form.means()[i, 1 + j], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("reference", ["base", "dense"])
def test_many_draws_reach_the_whole_vocabulary(
    evaluator: Evaluator, exact: dict[Reference, Exact], reference: Reference
) -> None:
    """A bound without chance: a slice of q's mass within one entry is exact, and at most V - 1 slices cross over."""
    form = exact[reference]
    spread = np.ptp(form.products(), axis=-1).mean(-1)
    off = np.abs(sampled(shifts(draws=EVERY, reference=reference), evaluator) - form.means())
    assert (off <= (VOCABULARY - 1) / EVERY * spread + 1e-6 * spread).all()
    assert off.max() < 2e-3 * np.abs(form.means()).max()


@pytest.mark.parametrize("draws", [4, 32])
def test_few_draws_are_within_their_error(evaluator: Evaluator, exact: dict[Reference, Exact], draws: int) -> None:
    """Free draws would have this standard error, sliced ones at most; 6 of them: fails less than once in 1e6 runs."""
    form = exact["base"]
    second = (form.weights * form.products() ** 2).sum(-1)
    variance = second - (form.weights * form.products()).sum(-1) ** 2
    error = np.sqrt(variance.sum(-1) / draws) / variance.shape[-1]
    off = np.abs(sampled(shifts(draws=draws), evaluator) - form.means())
    assert (off <= 6 * error).all()
    assert off.max() > 0


def test_draws_are_unbiased(evaluator: Evaluator, exact: dict[Reference, Exact]) -> None:
    """The mean over 60 seeds is within 5 standard errors, for 5 numbers: fails less than once in 1e4 runs."""
    found = np.stack([sampled(shifts(draws=1, seed=seed), evaluator)[:, 1:].diagonal() for seed in range(60)])
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - exact["base"].means()[:, 1:].diagonal()) <= 5 * error).all()


def test_kl_is_what_the_evaluator_measures(evaluator: Evaluator) -> None:
    found = shifts().samples(evaluator, 1, 3)["kl"]
    for column, move in enumerate([Configuration.of({}), *MOVES]):
        changed = Configuration.of(dict(BASE.options) | dict(move.options))
        measured = evaluator.measure(changed, 2, 6).kl
        assert found[:, :, column].reshape(-1) == pytest.approx(measured, rel=1e-9, abs=1e-12)
    assert found.min() > 1e-6


def test_near_the_dense_model_half_the_diagonal_is_the_kl(evaluator: Evaluator) -> None:
    moves = tuple(Configuration.of({name: RTN[8]}) for name in INSIDE)
    found = shifts(base=Configuration.of({}), moves=moves, draws=1024).samples(evaluator, 0, 1)
    assert found["gram"][0].diagonal() / 2 == pytest.approx(found["kl"][0, :, 1:].mean(axis=0), rel=0.05)
    assert found["kl"][0, :, 0].tolist() == [0.0, 0.0]
    assert found["residual"][0] == pytest.approx(0.0, abs=1e-12)


def test_a_sample_is_the_same_whatever_range_it_was_asked_in(evaluator: Evaluator) -> None:
    together = shifts().samples(evaluator, 0, 3)
    alone = shifts().samples(evaluator, 1, 2)
    for name, array in together.items():
        assert array[1:2].tolist() == alone[name].tolist()
    assert not np.array_equal(together["gram"][0], together["gram"][1])


def test_a_batch_that_the_memory_does_not_hold_is_cut(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shifts().samples(evaluator, 0, 2)
    monkeypatch.setattr("evaluators.sensitivity.logit_shifts.MEMORY_BYTES", 1)
    monkeypatch.setattr("evaluators.sensitivity.logit_shifts.PRODUCT_ELEMENTS", 64)
    monkeypatch.setattr("evaluators.sensitivity.logit_shifts.DRAWN_ELEMENTS", 3 * VOCABULARY)
    cut = shifts().samples(evaluator, 0, 2)
    for name, array in whole.items():
        assert cut[name] == pytest.approx(array, rel=1e-6, abs=1e-9)


def test_a_broken_move_is_infinite_and_leaves_the_others_as_they_are(evaluator: Evaluator) -> None:
    layer, option = "model.layers.0.mlp.up_proj", Quantize(bits_per_code=3, group_size=32, symmetric=True, solver="rtn")
    good = evaluator.live.bank.read(layer, dataclasses.replace(option, bits_per_code=8))
    rows = len(good.scales)
    broken = QuantizedWeight.from_codes(
        torch.ones(good.shape, dtype=torch.uint8),
        torch.full_like(good.scales, torch.inf),
        torch.zeros((rows, good.num_groups), dtype=torch.uint8),
        option,
    )
    evaluator.live.bank.write(layer, option, broken, EntryErrors(weight=np.inf, output=np.inf))
    move = Configuration.of({layer: option})
    whole, found = (shifts(moves=moves).samples(evaluator, 0, 1) for moves in (MOVES, (*MOVES[:2], move, *MOVES[2:])))
    assert np.isinf(found["kl"][0, :, 3]).all()
    assert not found["gram"][0, 2].any()
    assert not found["gram"][0, :, 2].any()
    assert found["residual"][0, 2] == 0.0
    assert np.delete(np.delete(found["gram"], 2, axis=1), 2, axis=2) == pytest.approx(whole["gram"])
    assert np.delete(found["kl"], 3, axis=2).tolist() == whole["kl"].tolist()
    with pytest.raises(JobError, match=f"the base {move.id} gives NaN or infinite logits on sequences 2 to 3"):
        shifts(base=move).samples(evaluator, 1, 2)


def test_it_reads_the_entries_of_the_base_and_of_every_move() -> None:
    expected = {(name, option) for each in (BASE, *MOVES) for name, option in each.options}
    assert set(shifts().entries()) == {pair for pair in expected if isinstance(pair[1], Quantize)}
    assert len(shifts().entries()) == 9


def test_a_sample_costs_a_forward_pass_for_each_move_and_two() -> None:
    assert shifts().passes(LENGTH) == Passes(forward_tokens=7 * 2 * LENGTH)
    assert shifts().num_sequences(LENGTH) == NUM_SEQUENCES


def test_each_entry_is_drawn_as_often_as_its_share_asks() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.exponential(size=(5, 11)) ** 3
    probabilities[:, [0, 4, 10]] = 0.0  # at both ends too
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    draws = 100
    heights = (np.arange(draws) + rng.random((5, draws))) / draws
    drawn = drawn_entries(torch.from_numpy(probabilities), torch.from_numpy(heights)).numpy()
    counts = np.stack([np.bincount(row, minlength=11) for row in drawn])
    assert (np.abs(counts - draws * probabilities) < 2).all()  # a slice at either end may go to the neighbour
    assert not counts[:, [0, 4, 10]].any()


@pytest.mark.parametrize("name", ["gpt2", "opt", "falcon"])
def test_other_architectures_have_shifts_too(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name, dtype=torch.float32)
    evaluator.write_dense(0, NUM_SEQUENCES)
    layers = [layer.name for layer in evaluator.live.anatomy.weights]
    moves = tuple(Configuration.of({layer: RTN[2]}) for layer in layers)
    found = shifts(base=Configuration.of({}), moves=moves, draws=256).samples(evaluator, 0, 1)
    assert np.linalg.eigvalsh(found["gram"][0].astype(np.float64)).min() > -1e-6 * found["gram"].max()
    ratio = found["gram"][0].diagonal() / 2 / found["kl"][0, :, 1:].mean(axis=0)
    assert (np.abs(np.log(ratio)) < 1).all()
