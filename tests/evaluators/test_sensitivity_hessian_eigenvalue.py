"""Top eigenvalues: against numpy's of the exact Hessian's blocks, and step by step against plain power iteration."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hessian_oracle import LAYERS, SIZES, block, evaluator_on, exact_hessians, small_model
from tiny_models import TINY, VOCABULARY

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.hessian_eigenvalue import HessianEigenvalue
from evaluators.sensitivity.hessian_product import Method
from evaluators.sensitivity.hessian_trace import random_signs
from spaces.errors import JobError

CONVERGED = HessianEigenvalue(layers=LAYERS, batches=2, batch_sequences=2, max_iterations=3000, tolerance=1e-13, seed=0)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return evaluator_on(tmp_path_factory.mktemp("eigenvalue"), small_model())


def exact_block(layer: int, batch: int) -> np.ndarray:
    return block(exact_hessians()[2 * batch : 2 * batch + 2].mean(axis=0), layer, layer)


def power_iteration(matrix: np.ndarray, vector: np.ndarray, count: int) -> float:
    for _ in range(count):
        vector = vector / np.linalg.norm(vector)
        before, vector = vector, matrix @ vector
    return float(before @ vector)


@pytest.mark.parametrize(("method", "tolerance"), [("double-backward", 1e-8), ("finite-differences", 1e-4)])
def test_it_is_the_eigenvalue_of_largest_magnitude(method: Method, tolerance: float, evaluator: Evaluator) -> None:
    found = replace(CONVERGED, method=method, max_iterations=300).samples(evaluator, 0, 5)["eigenvalues"]
    assert found.shape == (5, 2)
    for layer, batch in np.ndindex(found.shape):
        eigenvalues = np.linalg.eigvalsh(exact_block(layer, batch))
        largest = eigenvalues[np.abs(eigenvalues).argmax()]
        assert found[layer, batch] == pytest.approx(largest, rel=tolerance)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_iteration_is_one_of_plain_power_iteration(count: int, evaluator: Evaluator) -> None:
    found = replace(CONVERGED, max_iterations=count, tolerance=0.0).samples(evaluator, 0, 5)["eigenvalues"]
    for layer, batch in np.ndindex(found.shape):
        (signs,) = random_signs([0, layer], (torch.empty(SIZES[layer], dtype=torch.float64),))
        expected = power_iteration(exact_block(layer, batch), signs.numpy(), count)
        assert found[layer, batch] == pytest.approx(expected, rel=1e-9)


def test_it_stops_within_its_tolerance(evaluator: Evaluator) -> None:
    found = replace(CONVERGED, tolerance=0.05).samples(evaluator, 2, 3)["eigenvalues"][0, 0]
    (signs,) = random_signs([0, 2], (torch.empty(SIZES[2], dtype=torch.float64),))
    steps = np.array([power_iteration(exact_block(2, 0), signs.numpy(), count) for count in range(1, 60)])
    is_close = np.abs(np.diff(steps)) <= 0.05 * np.abs(steps[1:])
    assert found == pytest.approx(steps[1 + is_close.argmax()], rel=1e-9)


def test_a_sample_does_not_depend_on_the_range_it_is_asked_in(evaluator: Evaluator) -> None:
    short = replace(CONVERGED, max_iterations=3)
    whole = short.samples(evaluator, 0, 5)["eigenvalues"]
    assert short.samples(evaluator, 3, 5)["eigenvalues"].tolist() == whole[3:].tolist()
    assert short.samples(evaluator, 2, 2)["eigenvalues"].shape == (0, 2)


@pytest.mark.parametrize("name", TINY)
def test_every_architecture_has_one(name: str, tmp_path: Path) -> None:
    tiny, tokens = TINY[name], torch.randint(0, VOCABULARY, (2, 8), generator=torch.Generator().manual_seed(6))
    layers = tuple(layer.name for layer in tiny.anatomy().weights)
    short = HessianEigenvalue(layers=layers, batches=2, batch_sequences=1, max_iterations=2, tolerance=0.0, seed=0)
    found = short.samples(evaluator_on(tmp_path, tiny.model(), tokens), 0, len(layers))["eigenvalues"]
    assert np.isfinite(found).all()
    assert np.count_nonzero(found) == 2 * len(layers)


def test_a_layer_that_the_loss_does_not_read_has_none(tmp_path: Path) -> None:
    model = small_model()
    model.get_submodule("transformer.h.0.mlp").register_forward_hook(lambda module, inputs, output: output.detach())
    assert CONVERGED.samples(evaluator_on(tmp_path, model), 2, 3)["eigenvalues"].tolist() == [[0.0, 0.0]]


def test_a_hessian_that_is_not_finite_ends_the_job_and_names_the_layer(tmp_path: Path) -> None:
    model = small_model()
    model.get_submodule(LAYERS[3]).weight.data[0, 0] = math.nan  # type: ignore[union-attr, index]
    with pytest.raises(JobError, match=r"the Hessian of transformer\.h\.0\.mlp\.c_fc is not finite"):
        CONVERGED.samples(evaluator_on(tmp_path, model), 2, 3)


def test_what_it_reads_and_costs() -> None:
    few = replace(CONVERGED, max_iterations=10)
    assert (few.num_sequences(6), few.entries()) == (4, ())
    assert few.passes(6).total_tokens == 10 * 4 * 4 * 6
