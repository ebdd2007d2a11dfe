"""Injected noise: the KL of float64 loops over the very same noise, a closed form, and a model left as it was."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, NUM_SEQUENCES, evaluator_of, plain_weight, values
from live_oracle import RTN, logits_of, overwrite
from tiny_models import TINY
from torch import Tensor

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.noise import NoiseResponse, disturbed, fit_linearity, gaussian_like
from evaluators.statistic import Passes
from spaces.configuration import Configuration
from spaces.errors import JobError

LEVELS = (0.1, 0.4)
DENSE = Configuration.of({})


def evaluator_with_dense(root: Path, name: str, *, dtype: torch.dtype = torch.float32) -> Evaluator:
    evaluator = evaluator_of(root, name, dtype=dtype)
    evaluator.write_dense(0, NUM_SEQUENCES)
    return evaluator


def layers_of(evaluator: Evaluator) -> tuple[str, ...]:
    anatomy = evaluator.live.anatomy
    return tuple(layer.name for layer in (*anatomy.weights, *anatomy.outside))


def log_p(evaluator: Evaluator, layer: str, change: np.ndarray) -> Tensor:  # float64 (sequences, length, vocabulary)
    """All in float64, on a copy; modules that share the weight follow."""
    model = copy.deepcopy(evaluator.live.model).double()
    module = model.get_submodule(layer)
    wanted = torch.from_numpy(plain_weight(module) + change)
    for each in [each for each in model.modules() if getattr(each, "weight", None) is module.weight]:
        overwrite(each, wanted)
    return logits_of(model, evaluator.stream.tokens).log_softmax(-1)


def noise_of(weight: np.ndarray, seed: int, number: int) -> list[np.ndarray]:
    """For each of ``LEVELS``, drawn as the statistic promises: from its seed and the sample's number."""
    rng = np.random.default_rng([seed, number])
    draws = [rng.standard_normal(weight.shape, dtype=np.float32).astype(float) for _ in LEVELS]
    size = np.linalg.norm(weight)
    return [level * size / np.linalg.norm(draw) * draw for level, draw in zip(LEVELS, draws, strict=True)]


@pytest.mark.parametrize("name", TINY)
def test_the_kl_is_that_of_a_float64_loop_over_the_same_noise(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_with_dense(tmp_path, name)
    layers = layers_of(evaluator)
    numbers = [0, len(layers) - 1]  # the last one is outside the blocks
    statistic = NoiseResponse(layers=layers, noise_levels=LEVELS, sequences=3, seed=5)
    for number in numbers:
        found = values(statistic, evaluator, number, number + 1)[0]
        weight = plain_weight(evaluator.live.model.get_submodule(layers[number]))
        dense = log_p(evaluator, layers[number], np.zeros_like(weight))[:3]
        for kl, noise in zip(found, noise_of(weight, 5, number), strict=True):
            noisy = log_p(evaluator, layers[number], noise)[:3]
            assert kl == pytest.approx(float((dense.exp() * (dense - noisy)).sum(-1).mean()), rel=1e-4, abs=1e-9)
        assert found[-1] > 1e-7


def test_a_coefficient_of_the_head_is_its_closed_form(tmp_path: Path) -> None:
    """KL ~ 1/2 <E, F E> with F = mean over tokens of (diag p - p p^T) x h h^T, so that its mean over white noise of
    norm t ||W|| is 1/2 t^2 ||W||^2 tr(F) / n. 300 draws, 4 standard errors: a new seed fails once in 15,000.
    """
    evaluator = evaluator_with_dense(tmp_path, "llama")
    weight = plain_weight(evaluator.live.model.get_submodule("lm_head"))
    statistic = NoiseResponse(layers=("lm_head",) * 300, noise_levels=(0.01,), sequences=2, seed=0)
    alphas = values(statistic, evaluator, 0, 300)[:, 0] / 0.01**2
    tokens = evaluator.stream.tokens[:2]
    p = log_p(evaluator, "lm_head", np.zeros_like(weight))[:2].exp().flatten(0, 1)
    model = copy.deepcopy(evaluator.live.model).double()
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state.flatten(0, 1)  # type: ignore[operator, union-attr]
    traces = (1 - p.square().sum(-1)) * hidden.square().sum(-1)
    expected = float(traces.mean()) * (weight**2).sum() / weight.size / 2
    error = alphas.std(ddof=1) / np.sqrt(len(alphas))
    assert abs(alphas.mean() - expected) < 4 * error
    assert error < 0.01 * expected


def test_noise_has_exactly_the_norm_of_the_weight_and_none_of_nothing() -> None:
    weight = torch.randn(40, 24, generator=torch.Generator().manual_seed(0)) * 1e-3
    noise = gaussian_like(weight, np.random.default_rng(0)).double()
    assert float(noise.norm() / weight.double().norm()) == pytest.approx(1, rel=1e-6)
    cosine = float((noise * weight).sum() / noise.norm() / weight.norm())
    assert abs(cosine) < 5 / weight.numel() ** 0.5  # 5 standard deviations
    assert gaussian_like(torch.zeros(3, 5), np.random.default_rng(0)).tolist() == [[0.0] * 5] * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_the_live_model_is_left_dense_to_the_bit_and_takes_on_options_as_before(
    name: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    evaluator = evaluator_with_dense(tmp_path, name, dtype=dtype)
    live, tokens, layers = evaluator.live, evaluator.stream.tokens, layers_of(evaluator)
    before, some = logits_of(live.model, tokens), Configuration.of(dict.fromkeys(layers[:3], RTN[2]))
    live.apply(some)
    quantized = logits_of(live.model, tokens)
    NoiseResponse(layers=layers, noise_levels=LEVELS, sequences=1, seed=0).samples(evaluator, 0, len(layers))
    assert torch.equal(logits_of(live.model, tokens), before)
    assert live.apply(DENSE) == 0
    assert live.apply(some) == 3
    assert torch.equal(logits_of(live.model, tokens), quantized)
    live.apply(DENSE)
    assert torch.equal(logits_of(live.model, tokens), before)


def test_noise_that_breaks_the_model_ends_the_job_and_leaves_the_weight(tmp_path: Path) -> None:
    evaluator = evaluator_with_dense(tmp_path, "llama")
    before = logits_of(evaluator.live.model, evaluator.stream.tokens)
    statistic = NoiseResponse(layers=("model.norm", "lm_head"), noise_levels=(0.1, 1e40), sequences=1, seed=0)
    with pytest.raises(JobError, match=r"noise of 1e\+40 times the weight of lm_head makes the loss infinite; lower"):
        statistic.samples(evaluator, 1, 2)
    assert torch.equal(logits_of(evaluator.live.model, evaluator.stream.tokens), before)


def test_an_exception_inside_leaves_the_weight() -> None:
    module = torch.nn.Linear(4, 3)
    before = module.weight.detach().clone()

    def fail_within() -> None:
        with disturbed(module, torch.ones(3, 4)):
            assert torch.equal(module.weight, before + 1)
            raise KeyError("within")

    with pytest.raises(KeyError, match="within"):
        fail_within()
    assert torch.equal(module.weight, before)


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_with_dense(tmp_path, "llama")
    layers = layers_of(evaluator)[:6]
    statistic = NoiseResponse(layers=layers, noise_levels=LEVELS, sequences=2, seed=1)
    whole = values(statistic, evaluator, 0, 6)
    evaluator.live.apply(Configuration.of(dict.fromkeys(layers, RTN[2])))
    np.testing.assert_array_equal(values(statistic, evaluator, 3, 5), whole[3:5])
    assert values(statistic, evaluator, 2, 2).shape == (0, 2)
    other = NoiseResponse(layers=layers, noise_levels=LEVELS, sequences=2, seed=2)
    assert (values(other, evaluator, 3, 5) != whole[3:5]).all()


def test_the_fit_is_the_least_squares_line_through_the_origin_weighted_by_its_squares() -> None:
    levels = np.array([0.1, 0.2, 0.4, 0.5])
    kl = np.random.default_rng(0).uniform(0.5, 1.5, size=(7, 4)) * levels**2
    alphas, errors = fit_linearity(levels, kl)
    for row, alpha, error in zip(kl, alphas, errors, strict=True):
        scaled = (levels**2 / levels**2)[:, None]  # each equation divided by level^2
        solution, residual, *_ = np.linalg.lstsq(scaled, row / levels**2, rcond=None)
        assert alpha == pytest.approx(solution[0], rel=1e-12)
        assert error == pytest.approx(np.sqrt(residual[0] / 3 / 4), rel=1e-12)


def test_where_kl_is_quadratic_the_fit_is_exact() -> None:
    levels, truth = np.array([0.1, 0.2, 0.4]), np.array([0.0, 3.0, 1e-4])
    alphas, errors = fit_linearity(levels, truth[:, None] * levels**2)
    np.testing.assert_allclose(alphas, truth, rtol=1e-14)
    np.testing.assert_allclose(errors, 0, atol=1e-15)
    alphas, errors = fit_linearity(levels[:1], truth[:, None] * levels[:1] ** 2)
    np.testing.assert_allclose(alphas, truth, rtol=1e-14)
    assert np.isnan(errors).all()


def test_what_a_sample_costs() -> None:
    statistic = NoiseResponse(layers=("a", "b"), noise_levels=LEVELS, sequences=3, seed=0)
    assert statistic.passes(LENGTH) == Passes(forward_tokens=2 * 3 * LENGTH)
    assert (statistic.num_sequences(LENGTH), statistic.entries()) == (3, ())
