"""Gradient-output squares: against hooks and products written out, in float64, for every architecture."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, evaluator_of, every_entry, plain_delta, values
from live_oracle import RTN
from tiny_models import HIDDEN, TINY
from torch import Tensor, nn

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.gradient_output import GradientOutputSquares
from evaluators.statistic import Passes
from spaces.configuration import Configuration
from spaces.errors import JobError


def summed_loss(model: nn.Module, tokens: Tensor) -> Tensor:
    log_p = model(input_ids=tokens[None], use_cache=False).logits[0].log_softmax(-1)
    return -sum((log_p[place, label] for place, label in enumerate(tokens[1:].tolist())), torch.zeros(()))


def seen(model: nn.Module, module: nn.Module, tokens: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What a module is fed, and the loss's gradient with respect to what it gives: that of a zero added to it."""
    inputs, zeros = [], []

    def add_zero(_module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        inputs.append(given[0].detach().numpy().copy())
        zeros.append(torch.zeros_like(output, requires_grad=True))
        return output.detach() + zeros[-1]

    hook = module.register_forward_hook(add_zero)
    summed_loss(model, tokens).backward()
    hook.remove()
    assert zeros[0].grad is not None
    return inputs[0], zeros[0].grad.numpy()


def expected_square(evaluator: Evaluator, layer: str, delta: np.ndarray, tokens: Tensor) -> float:
    """Over all modules that use the layer's matrix."""
    model = copy.deepcopy(evaluator.live.model)
    weight, total = model.get_submodule(layer).weight, 0.0
    for module in [each for each in model.modules() if getattr(each, "weight", None) is weight]:
        inputs, slope = seen(model, module, tokens)
        if isinstance(module, nn.Embedding):
            change = delta[inputs] * (HIDDEN**0.5 if "Scaled" in type(module).__name__ else 1.0)
        else:
            change = np.einsum("...i,oi->...o", inputs, delta)
        total += float(((slope * change) ** 2).sum())
    return total


@pytest.mark.parametrize("name", TINY)
def test_the_squares_are_those_of_a_loss_with_zeros_added(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    changes = every_entry(evaluator)[::2]
    found = values(GradientOutputSquares(changes=changes, sequences=6), evaluator, 2, 3)[0]
    for square, entry in zip(found, changes, strict=True):
        delta = plain_delta(evaluator, entry)
        expected = expected_square(evaluator, entry[0], delta, evaluator.stream.tokens[2])
        assert square == pytest.approx(expected, rel=1e-5)  # norms that compute in float32 differ by the last bits
    assert found.min() > 0


def test_a_tied_matrix_counts_where_it_is_looked_up_and_where_it_multiplies(tmp_path: Path) -> None:
    """More than the head alone, in a copy whose embedding has a matrix of its own."""
    evaluator = evaluator_of(tmp_path, "gpt2")
    delta, tokens = plain_delta(evaluator, ("lm_head", RTN[4])), evaluator.stream.tokens[0]
    found = values(GradientOutputSquares(changes=(("lm_head", RTN[4]),), sequences=1), evaluator, 0, 1)[0, 0]
    head: nn.Linear = evaluator.live.model.get_submodule("lm_head")  # type: ignore[assignment]
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    assert found > 1.1 * expected_square(evaluator, "lm_head", delta, tokens)


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "falcon", dtype=torch.float32)
    changes = every_entry(evaluator)
    statistic = GradientOutputSquares(changes=changes, sequences=6)
    whole = values(statistic, evaluator, 0, 6)
    evaluator.live.apply(Configuration.of({layer: RTN[2] for layer, _ in changes}))
    np.testing.assert_array_equal(values(statistic, evaluator, 3, 5), whole[3:5])
    assert values(statistic, evaluator, 2, 2).shape == (0, len(changes))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
def test_narrow_dtypes_agree_with_float64(dtype: torch.dtype, tolerance: float, tmp_path: Path) -> None:
    narrow, wide = (evaluator_of(tmp_path / str(each), "llama", dtype=each) for each in (dtype, torch.float64))
    coarse = tuple(entry for entry in every_entry(wide) if entry[1] != RTN[8])  # a step of 8 bits is one of bfloat16
    statistic = GradientOutputSquares(changes=coarse, sequences=6)
    found, expected = (values(statistic, evaluator, 0, 6).mean(axis=0) for evaluator in (narrow, wide))
    np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_nothing_of_the_model_is_left_changed(tmp_path: Path) -> None:
    model = (evaluator := evaluator_of(tmp_path, "llama")).live.model
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    values(GradientOutputSquares(changes=every_entry(evaluator), sequences=6), evaluator, 0, 1)
    assert not any(module._forward_hooks for module in model.modules())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name])
        assert (parameter.grad, parameter.requires_grad) == (None, False)


def test_a_gradient_that_is_no_number_ends_the_job(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    with torch.no_grad():
        evaluator.live.model.get_submodule("model.norm").weight[0] = torch.nan  # type: ignore[index]
    statistic = GradientOutputSquares(changes=(("model.layers.0.mlp.up_proj", RTN[4]),), sequences=6)
    with pytest.raises(JobError, match=r"gradient on sequence 2, .* is NaN or infinite; evaluate in float32"):
        statistic.samples(evaluator, 2, 4)


def test_every_option_of_a_layer_counts_as_a_forward_pass() -> None:
    changes = (("a", RTN[4]), ("b", RTN[2]), ("b", RTN[4]))
    statistic = GradientOutputSquares(changes=changes, sequences=9)
    assert statistic.passes(LENGTH) == Passes(forward_tokens=3 * LENGTH, backward_tokens=LENGTH)
    assert (statistic.num_sequences(LENGTH), statistic.entries()) == (9, changes)
