"""Hutchinson's traces: probe by probe against the exact Hessian, and their error against its closed form."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hessian_oracle import LAYERS, SIZES, TOKENS, block, evaluator_on, exact_hessians, small_model
from live_oracle import RTN, built_bank
from tiny_models import TINY, VOCABULARY

from evaluators.evaluator import Evaluator
from evaluators.live import LiveModel
from evaluators.sensitivity.hessian_product import Method
from evaluators.sensitivity.hessian_trace import HessianTrace, random_signs
from evaluators.sensitivity.weight_norms import WeightNorms
from spaces.configuration import Configuration
from spaces.discovery import find_anatomy
from spaces.errors import JobError

NUM_SEQUENCES, NUM_PROBES = 3, 512


def statistic(method: Method = "auto", seed: int = 0) -> HessianTrace:
    return HessianTrace(layers=LAYERS, sequences=NUM_SEQUENCES, seed=seed, method=method)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return evaluator_on(tmp_path_factory.mktemp("trace"), small_model())


@pytest.fixture(scope="module")
def forms(evaluator: Evaluator) -> np.ndarray:  # (probes, layers)
    return statistic().samples(evaluator, 0, NUM_PROBES)["quadratic_forms"]


def traces() -> np.ndarray:  # (layers,)
    hessian = exact_hessians()[:NUM_SEQUENCES].mean(axis=0)
    return np.array([np.trace(block(hessian, layer, layer)) for layer in range(len(LAYERS))])


def variances() -> np.ndarray:  # (layers,)
    """Of one probe, in closed form: a layer's own part, and what the other layers' signs add."""
    found = np.zeros(len(LAYERS))
    for hessian in exact_hessians()[:NUM_SEQUENCES]:
        for layer in range(len(LAYERS)):
            own = block(hessian, layer, layer)
            found[layer] += 2 * (np.square(own).sum() - np.square(np.diag(own)).sum())
            others = [block(hessian, layer, other) for other in range(len(LAYERS)) if other != layer]
            found[layer] += sum(np.square(other).sum() for other in others)
    return found / NUM_SEQUENCES**2


@pytest.mark.parametrize(("method", "tolerance"), [("double-backward", 1e-11), ("finite-differences", 1e-4)])
def test_a_probe_is_the_quadratic_form_of_its_signs(method: Method, tolerance: float, evaluator: Evaluator) -> None:
    found = statistic(method, seed=5).samples(evaluator, 3, 4)["quadratic_forms"]
    expected = np.zeros(len(LAYERS))
    ends = np.cumsum((0, *SIZES))
    for sequence, hessian in enumerate(exact_hessians()[:NUM_SEQUENCES]):
        (signs,) = random_signs([5, 3, sequence], (torch.empty(sum(SIZES), dtype=torch.float64),))
        products = signs.numpy() * (hessian @ signs.numpy())
        expected += [products[start:end].sum() for start, end in itertools.pairwise(ends)]
    assert found.shape == (1, len(LAYERS))
    assert found[0] == pytest.approx(expected / NUM_SEQUENCES, rel=0, abs=tolerance * np.abs(expected).max())


def test_the_mean_over_probes_is_the_trace(forms: np.ndarray) -> None:
    errors = np.sqrt(variances() / NUM_PROBES)
    assert (np.abs(forms.mean(axis=0) - traces()) < 5 * errors).all()  # 5 standard deviations: once in 3e5 seeds
    assert (5 * errors < 0.5 * np.abs(traces()).max()).all()


@pytest.mark.parametrize("count", [1, 4, 16])
def test_the_error_falls_with_the_root_of_the_probes_at_the_stated_rate(count: int, forms: np.ndarray) -> None:
    means = forms.reshape(-1, count, len(LAYERS)).mean(axis=1)
    spread = np.square(means - traces()).mean(axis=0) / (variances() / count)
    # five times the relative deviation of a variance of that many nearly normal numbers
    assert np.abs(spread - 1).max() < 5 * math.sqrt(2 / len(means))


def test_the_standard_error_of_eight_probes_covers_the_trace_as_often_as_it_says(forms: np.ndarray) -> None:
    groups = forms.reshape(-1, 8, len(LAYERS))
    errors = groups.std(axis=1, ddof=1) / math.sqrt(8)
    is_covered = np.abs(groups.mean(axis=1) - traces()) < 2.365 * errors  # Student's t with 7 degrees: 95 %
    # 64 groups, five layers: a mean of 0.95 with a deviation under 0.03 even if the layers went together
    assert 0.85 < is_covered.mean() <= 1


def test_a_sample_does_not_depend_on_the_range_it_is_asked_in(evaluator: Evaluator, forms: np.ndarray) -> None:
    evaluator.live.apply(Configuration.of({}))
    assert statistic().samples(evaluator, 2, 4)["quadratic_forms"].tolist() == forms[2:4].tolist()
    assert statistic().samples(evaluator, 3, 3)["quadratic_forms"].shape == (0, len(LAYERS))
    assert (statistic(seed=1).samples(evaluator, 2, 3)["quadratic_forms"] != forms[2]).all()


@pytest.mark.parametrize("name", TINY)
def test_every_architecture_is_probed_as_it_is_dense(name: str, tmp_path: Path) -> None:
    tiny, tokens = TINY[name], torch.randint(0, VOCABULARY, (2, 8), generator=torch.Generator().manual_seed(6))
    model = tiny.model()
    bank = built_bank(tmp_path / "bank", model)
    layers = tuple(layer.name for layer in tiny.anatomy().weights)
    probe = HessianTrace(layers=layers, sequences=2, seed=0)
    evaluator = evaluator_on(tmp_path, model, tokens)
    fresh = probe.samples(evaluator, 0, 1)["quadratic_forms"]
    live = LiveModel(model, find_anatomy(model), bank)
    live.apply(Configuration.of(dict.fromkeys(layers, RTN[2])))
    compressed = Evaluator(live, evaluator.stream, evaluator.dense)
    assert probe.samples(compressed, 0, 1)["quadratic_forms"].tolist() == fresh.tolist()
    assert np.isfinite(fresh).all()
    assert np.count_nonzero(fresh) == len(layers)


def test_a_hessian_that_is_not_finite_ends_the_job_and_names_the_layer(tmp_path: Path) -> None:
    model = small_model()
    model.get_submodule(LAYERS[3]).weight.data[0, 0] = math.inf  # type: ignore[union-attr, index]
    with pytest.raises(JobError, match=r"the Hessian of transformer\.h\.0\.\S+ is not finite"):
        statistic().samples(evaluator_on(tmp_path, model), 0, 1)


def test_signs_are_independent_of_shapes_and_fair() -> None:
    whole = random_signs([1, 2], (torch.empty(1000),))[0]
    parts = random_signs([1, 2], (torch.empty(10, 9), torch.empty(910)))
    assert torch.cat([part.flatten() for part in parts]).tolist() == whole.tolist()
    assert set(whole.tolist()) == {-1.0, 1.0}
    assert abs(float(whole.mean())) < 5 / math.sqrt(1000)
    assert random_signs([1, 3], (torch.empty(1000),))[0].tolist() != whole.tolist()


def test_what_it_reads_and_costs() -> None:
    assert statistic().num_sequences(6) == NUM_SEQUENCES
    assert statistic().entries() == ()
    assert statistic().passes(6).total_tokens == 4 * NUM_SEQUENCES * 6


def test_squared_norms_are_of_the_dense_weights(evaluator: Evaluator) -> None:
    norms = WeightNorms(layers=LAYERS)
    found = norms.samples(evaluator, 1, 4)["squared_norms"]
    weights = [evaluator.live.model.get_submodule(name).weight for name in LAYERS[1:4]]
    expected = [math.fsum(float(each) ** 2 for each in weight.flatten()) for weight in weights]  # type: ignore[union-attr, operator]
    assert found.tolist() == pytest.approx(expected, rel=1e-13)
    assert (norms.num_sequences(6), norms.entries(), norms.passes(6).total_tokens) == (0, (), 0)
    assert len(TOKENS) > NUM_SEQUENCES  # the statistic above reads a prefix
