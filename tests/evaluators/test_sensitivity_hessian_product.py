"""Hessian-vector products: against the Hessian written down, by both methods, and without a second derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hessian_oracle import LAYERS, SIZES, TOKENS, exact_hessians, small_model
from tiny_models import TINY, VOCABULARY
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from evaluators.sensitivity.gradients import WeightedModel, Weights
from evaluators.sensitivity.hessian_product import HessianProducts, Method, inner_product, norm, product_passes
from evaluators.statistic import Passes
from spaces.errors import InputError

STEP = 1e-3
TOLERANCE = {"double-backward": 1e-12, "auto": 1e-12, "finite-differences": 1e-4}  # of the product's largest number


def products_of(model: nn.Module, method: Method, layers: tuple[str, ...] = LAYERS) -> HessianProducts:
    return HessianProducts(WeightedModel(model, layers), method, relative_step=STEP)


def vectors_like(weights: Weights, seed: int = 0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(weight.shape, generator=generator, dtype=weight.dtype) for weight in weights)


def flat(parts: Weights) -> np.ndarray:
    return np.concatenate([part.numpy().ravel() for part in parts])


@pytest.mark.parametrize("method", TOLERANCE)
def test_products_equal_those_with_the_hessian_written_down(method: Method) -> None:
    products = products_of(small_model(), method)
    for number in range(2):  # the second time from the kept graph
        vectors = vectors_like(products.weights, number)
        expected = exact_hessians()[:3].mean(axis=0) @ flat(vectors)
        found = products.multiply(vectors, TOKENS[:3], keep=True)
        assert [part.numel() for part in found] == list(SIZES)
        assert flat(found) == pytest.approx(expected, rel=0, abs=TOLERANCE[method] * np.abs(expected).max())


def test_a_mean_over_batches_weighs_each_by_its_sequences() -> None:
    products = products_of(small_model(), "auto")
    vectors = vectors_like(products.weights)
    expected = exact_hessians().mean(axis=0) @ flat(vectors)
    for pieces in ([4], [3, 1], [1, 1, 2]):
        found = flat(products.multiply_mean(vectors, torch.split(TOKENS, pieces)))
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_a_kept_graph_is_not_used_for_other_tokens() -> None:
    products = products_of(small_model(), "auto")
    vectors, one, other = vectors_like(products.weights), TOKENS[:1], TOKENS[1:2]
    for tokens, hessian in ((one, 0), (other, 1), (one, 0)):
        found = flat(products.multiply(vectors, tokens, keep=True))
        assert found == pytest.approx(exact_hessians()[hessian] @ flat(vectors), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("name", TINY)
def test_every_architecture_has_second_derivatives_and_differences_agree(name: str) -> None:
    tiny = TINY[name]
    model, layers = tiny.model(), tuple(layer.name for layer in tiny.anatomy().weights)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    tokens = torch.randint(0, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(2))
    exact = products_of(model, "double-backward", layers)
    vectors = vectors_like(exact.weights)
    expected, found = (
        flat(each.multiply(vectors, tokens)) for each in (exact, products_of(model, "finite-differences", layers))
    )
    # float32; the kinks of OPT's ReLU have no second derivative, and a difference that steps over them sees a jump
    assert norm_of(found - expected) < 0.02 * norm_of(expected) or name == "opt"
    assert np.isfinite(found).all()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def norm_of(values: np.ndarray) -> float:
    return float(np.linalg.norm(values.astype(np.float64)))


class OnlyOnce(torch.autograd.Function):
    """The identity, as a fused kernel would be: its backward pass cannot be differentiated."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return slope.clone()


def fused(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
    passed: Tensor = OnlyOnce.apply(output)
    return passed


def test_auto_falls_back_to_differences_where_a_kernel_has_no_second_derivative() -> None:
    model = small_model()
    model.get_submodule(LAYERS[2]).register_forward_hook(fused)
    products = products_of(model, "auto")
    for number in range(2):
        vectors = vectors_like(products.weights, number)
        expected = flat(products_of(small_model(), "finite-differences").multiply(vectors, TOKENS))
        assert flat(products.multiply(vectors, TOKENS, keep=True)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_double_backward_refuses_a_model_without_it() -> None:
    model = small_model()
    model.get_submodule(LAYERS[2]).register_forward_hook(fused)
    products = products_of(model, "double-backward")
    with pytest.raises(InputError, match=r"OnlyOnceBackward is not implemented.*write method: finite-differences"):
        products.multiply(vectors_like(products.weights), TOKENS)


def test_another_error_of_the_model_is_not_taken_for_a_missing_derivative() -> None:
    def fail(module: nn.Module, inputs: object, output: object) -> None:
        raise RuntimeError("the device is gone")

    model = small_model()
    model.get_submodule(LAYERS[2]).register_forward_hook(fail)
    products = products_of(model, "auto")
    with pytest.raises(RuntimeError, match="the device is gone"):
        products.multiply(vectors_like(products.weights), TOKENS)


@pytest.mark.parametrize("method", TOLERANCE)
def test_weights_that_the_loss_does_not_read_have_no_curvature(method: Method) -> None:
    model = small_model()
    model.get_submodule("transformer.h.0.mlp").register_forward_hook(lambda module, inputs, output: output.detach() * 0)
    products = products_of(model, method)
    found = products.multiply(vectors_like(products.weights), TOKENS)
    assert [bool(part.any()) for part in found] == [True, True, False, False, True]


def test_no_vector_has_no_product() -> None:
    products = products_of(small_model(), "finite-differences")
    found = products.multiply(tuple(torch.zeros_like(weight) for weight in products.weights), TOKENS)
    assert flat(found).tolist() == [0.0] * sum(SIZES)


def test_lengths_and_products_are_of_all_layers_as_one_vector() -> None:
    left, right = (torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])), (torch.tensor([[1.0, 5.0]]), torch.tensor([-2.0]))
    assert (norm(left), inner_product(left, right)) == (5.0, -5.0)


def test_a_product_costs_four_passes_either_way() -> None:
    assert product_passes(100, "auto") == Passes(forward_tokens=100, backward_tokens=300)
    assert product_passes(100, "finite-differences") == Passes(forward_tokens=200, backward_tokens=200)
