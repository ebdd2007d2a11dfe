"""Fisher products: against differences of log-probabilities, the exact Fisher form, and the KL of a small change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import (
    LENGTH,
    evaluator_of,
    every_entry,
    moved_log_p,
    plain_delta,
    score_derivatives,
    values,
)
from live_oracle import RTN, logits_of
from tiny_models import TINY

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.fisher import FisherProducts, drawn_labels
from evaluators.statistic import Passes
from spaces.configuration import Configuration
from spaces.errors import JobError

LAYERS = ("gpt_neox.layers.0.attention.query_key_value", "gpt_neox.layers.0.mlp.dense_h_to_4h", "lm_head")
ROUNDING = ("llama", "qwen3", "mistral", "phi3", "gemma3")  # norms compute in float32, whatever the model's dtype
TEXT = torch.tensor([[3, 141, 59, 26]])


def labels_of(evaluator: Evaluator, number: int, seed: int) -> np.ndarray:  # int64 (length, 1)
    logits = logits_of(evaluator.live.model, evaluator.stream.tokens[number][None])[0]
    array: np.ndarray = drawn_labels(logits, np.random.default_rng([seed, number])).numpy()
    return array


def exact_form(log_p: np.ndarray, derivatives: np.ndarray) -> float:
    """D^T F D of one sequence: at every position the expectation over all labels, none of them drawn."""
    return float((np.exp(log_p) * derivatives**2).sum())


@pytest.mark.parametrize("name", TINY)
def test_a_product_is_the_derivative_of_the_drawn_labels_log_probability(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    changes = every_entry(evaluator)[::2]
    step, tolerance = (3e-2, 3e-5) if name in ROUNDING else (1e-3, 1e-10)
    found = values(FisherProducts(changes=changes, sequences=6, seed=11), evaluator, 4, 5)[0]
    labels, tokens = labels_of(evaluator, 4, seed=11), evaluator.stream.tokens[4]
    for product, entry in zip(found, changes, strict=True):
        derivatives = score_derivatives(evaluator.live.model, {entry[0]: plain_delta(evaluator, entry)}, tokens, step)
        assert product == pytest.approx(np.take_along_axis(derivatives, labels, axis=1).sum(), rel=0, abs=tolerance)
    assert np.median(np.abs(found)) > 100 * tolerance


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    """One sequence again and again: only the labels differ."""
    return evaluator_of(tmp_path_factory.mktemp("repeated"), "gpt_neox", tokens=TEXT.expand(1000, -1), num_blocks=1)


def moves_of(evaluator: Evaluator, bits: int, *layers: str) -> dict[str, np.ndarray]:
    return {layer: plain_delta(evaluator, (layer, RTN[bits])) for layer in layers}


def test_the_mean_square_is_the_exact_fisher_form_within_its_standard_error(repeated: Evaluator) -> None:
    """For layers alone and for layers together. 4 standard errors, 4 cases: a new seed fails about once in 4,000."""
    changes = tuple((layer, RTN[4]) for layer in LAYERS)
    products = values(FisherProducts(changes=changes, sequences=1000, seed=0), repeated, 0, 1000)
    log_p = moved_log_p(repeated.live.model, {}, 0.0, TEXT[0])
    for places in ([0], [1], [2], [0, 1, 2]):
        layers = [LAYERS[place] for place in places]
        derivatives = score_derivatives(repeated.live.model, moves_of(repeated, 4, *layers), TEXT[0])
        squares = products[:, places].sum(axis=1) ** 2
        exact = exact_form(log_p, derivatives)
        error = squares.std(ddof=1) / np.sqrt(len(squares))
        assert abs(squares.mean() - exact) < 4 * error
        assert error < 0.06 * exact  # so that a form without its factors, or with the text's labels, would not pass


def test_products_of_two_positions_vanish_and_so_does_the_mean(repeated: Evaluator) -> None:
    """What makes one backward pass for all positions enough: at each, the score has mean zero over the labels."""
    log_p = moved_log_p(repeated.live.model, {}, 0.0, TEXT[0])
    derivatives = score_derivatives(repeated.live.model, moves_of(repeated, 2, *LAYERS), TEXT[0])
    means = (np.exp(log_p) * derivatives).sum(axis=1)
    assert np.abs(means).max() < 1e-9 * np.abs(derivatives).max()


def test_half_the_form_is_the_kl_of_a_small_change(repeated: Evaluator) -> None:
    """To second order: the relative error falls with the change, to under a thousandth."""
    moves = moves_of(repeated, 4, *LAYERS)
    log_p = moved_log_p(repeated.live.model, {}, 0.0, TEXT[0])
    half = exact_form(log_p, score_derivatives(repeated.live.model, moves, TEXT[0])) / 2
    errors = []
    for step in (1e-2, 1e-3):
        log_q = moved_log_p(repeated.live.model, moves, step, TEXT[0])
        kl = float((np.exp(log_p) * (log_p - log_q)).sum())
        errors.append(abs(half * step**2 / kl - 1))
    assert errors[1] < 1e-3
    assert errors[1] < errors[0] / 5


def test_labels_are_drawn_from_the_softmax() -> None:
    """200,000 draws of 6 labels: the chi-square of 5 degrees of freedom exceeds 35 once in 700,000 seeds."""
    logits = torch.tensor([0.0, 2.0, -1.0, -torch.inf, 1.0, 0.5, -3.0])
    labels = drawn_labels(logits.expand(200_000, -1), np.random.default_rng(3)).numpy()
    counts = np.bincount(labels[:, 0], minlength=7)
    expected = 200_000 * logits.double().softmax(-1).numpy()
    possible = expected > 0
    assert counts[3] == 0
    assert ((counts - expected)[possible] ** 2 / expected[possible]).sum() < 35


def test_each_position_draws_from_its_own_distribution() -> None:
    certain = torch.full((5, 9), -torch.inf)
    wanted = torch.tensor([8, 0, 4, 4, 2])
    certain[torch.arange(5), wanted] = 0.0
    assert drawn_labels(certain, np.random.default_rng(0))[:, 0].tolist() == wanted.tolist()


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "gpt_neox", dtype=torch.float32)
    changes = every_entry(evaluator)
    statistic = FisherProducts(changes=changes, sequences=6, seed=1)
    whole = values(statistic, evaluator, 0, 6)
    evaluator.live.apply(Configuration.of({layer: RTN[2] for layer, _ in changes}))
    np.testing.assert_array_equal(values(statistic, evaluator, 3, 5), whole[3:5])
    assert values(statistic, evaluator, 2, 2).shape == (0, len(changes))
    other = values(FisherProducts(changes=changes, sequences=6, seed=2), evaluator, 3, 5)
    assert (other != whole[3:5]).all()


def test_float32_agrees_with_float64(tmp_path: Path) -> None:
    """The model draws the same labels in both."""
    narrow, wide = (
        evaluator_of(tmp_path / str(dtype), "gpt_neox", dtype=dtype) for dtype in (torch.float32, torch.float64)
    )
    statistic = FisherProducts(changes=every_entry(wide), sequences=6, seed=0)
    expected = values(statistic, wide, 0, 6)
    np.testing.assert_allclose(values(statistic, narrow, 0, 6), expected, atol=1e-4 * np.abs(expected).max())


def test_a_gradient_that_is_no_number_ends_the_job(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "gpt_neox")
    with torch.no_grad():
        evaluator.live.model.get_submodule(LAYERS[1]).weight[0, 0] = torch.nan  # type: ignore[index]
    statistic = FisherProducts(changes=((LAYERS[2], RTN[4]),), sequences=6, seed=0)
    with pytest.raises(JobError, match=r"gradient on sequence 2 is NaN or infinite; evaluate in float32"):
        statistic.samples(evaluator, 2, 4)


def test_one_backward_pass_for_each_sequence() -> None:
    statistic = FisherProducts(changes=((LAYERS[0], RTN[4]), (LAYERS[1], RTN[2])), sequences=9, seed=0)
    assert statistic.passes(LENGTH) == Passes(forward_tokens=LENGTH, backward_tokens=LENGTH)
    assert (statistic.num_sequences(LENGTH), statistic.entries()) == (9, statistic.changes)
