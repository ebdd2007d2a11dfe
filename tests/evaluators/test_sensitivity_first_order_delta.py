"""Delta-loss sums: against a patched copy of the model and products written out, in float64."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, evaluator_of, every_entry, plain_delta, values
from live_oracle import RTN, overwrite
from tiny_models import TINY
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.delta_loss import DeltaLossSums
from evaluators.statistic import Entry, Passes
from spaces.configuration import Configuration
from spaces.errors import JobError
from spaces.option import Quantize


def slopes(evaluator: Evaluator, taken: dict[str, Quantize], tokens: Tensor) -> dict[str, np.ndarray]:
    """Of the mean next-token loss of a copy in which layers take on options, by layer: (out, in)."""
    model = copy.deepcopy(evaluator.live.model)
    for layer, option in taken.items():
        module = model.get_submodule(layer)
        shared = [each for each in model.modules() if getattr(each, "weight", None) is module.weight]
        overwrite(module, evaluator.live.bank.read(layer, option).dequantize(torch.float64))
        for each in shared:
            each.weight = module.weight  # type: ignore[assignment]
    model.requires_grad_(True)
    log_p = model(input_ids=tokens[None], use_cache=False).logits[0].log_softmax(-1)
    loss = -sum((log_p[place, label] for place, label in enumerate(tokens[1:].tolist())), torch.zeros(()))
    (loss / (len(tokens) - 1)).backward()
    return {layer: plain_slope(model.get_submodule(layer)) for layer in taken}


def plain_slope(module: nn.Module) -> np.ndarray:  # (out, in)
    slope: Tensor = module.weight.grad  # type: ignore[assignment, union-attr]
    return slope.numpy().T if isinstance(module, Conv1D) else slope.numpy()


def expected_sums(evaluator: Evaluator, changes: tuple[Entry, ...], tokens: Tensor) -> list[float]:
    sums = []
    for layer, option in changes:
        slope = slopes(evaluator, {name: each for name, each in changes if each == option}, tokens)[layer]
        sums.append(float(np.abs(slope * plain_delta(evaluator, (layer, option))).sum()))
    return sums


@pytest.mark.parametrize("name", TINY)
def test_the_sums_are_those_of_a_patched_copy(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    changes = every_entry(evaluator)[::2]  # layers differ in the options that they have
    found = values(DeltaLossSums(changes=changes, sequences=6), evaluator, 4, 5)[0]
    evaluator.live.apply(Configuration.of({}))
    np.testing.assert_allclose(found, expected_sums(evaluator, changes, evaluator.stream.tokens[4]), rtol=1e-5)
    assert found.min() > 0


def test_the_slope_is_taken_where_every_layer_has_the_option_and_the_others_are_dense(tmp_path: Path) -> None:
    """At the dense model, or with the other option's layers changed too, the sums are other ones."""
    evaluator = evaluator_of(tmp_path, "llama")
    up, down = "model.layers.0.mlp.up_proj", "model.layers.1.mlp.down_proj"
    changes = ((up, RTN[2]), (down, RTN[2]), (up, RTN[4]))
    found = values(DeltaLossSums(changes=changes, sequences=6), evaluator, 0, 1)[0]
    evaluator.live.apply(Configuration.of({}))
    tokens, delta = evaluator.stream.tokens[0], plain_delta(evaluator, (up, RTN[4]))
    for taken, same in (({up: RTN[4]}, True), ({up: RTN[4], down: RTN[2]}, False), ({up: RTN[8]}, False)):
        expected = float(np.abs(slopes(evaluator, taken, tokens)[up] * delta).sum())
        assert bool(abs(found[2] / expected - 1) < 1e-5) is same


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "gpt2", dtype=torch.float32)
    changes = every_entry(evaluator)
    statistic = DeltaLossSums(changes=changes, sequences=6)
    whole = values(statistic, evaluator, 0, 6)
    evaluator.live.apply(Configuration.of({layer: RTN[2] for layer, _ in changes[:9]}))
    np.testing.assert_array_equal(values(statistic, evaluator, 3, 5), whole[3:5])
    assert values(statistic, evaluator, 2, 2).shape == (0, len(changes))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_narrow_dtypes_agree_with_float64(dtype: torch.dtype, tolerance: float, tmp_path: Path) -> None:
    narrow, wide = (evaluator_of(tmp_path / str(each), "llama", dtype=each) for each in (dtype, torch.float64))
    changes = tuple(entry for entry in every_entry(wide) if entry[1] == RTN[4])
    found, expected = (
        values(DeltaLossSums(changes=changes, sequences=6), evaluator, 0, 6).mean(axis=0)
        for evaluator in (narrow, wide)
    )
    np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_an_option_that_breaks_the_model_ends_the_job_and_is_named(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    with torch.no_grad():
        evaluator.live.model.get_submodule("model.norm").weight[0] = torch.nan  # type: ignore[index]
    statistic = DeltaLossSums(changes=(("model.layers.0.mlp.up_proj", RTN[4]),), sequences=6)
    with pytest.raises(JobError, match=r"with rtn-int4-g32-asym in every layer .* sequence 2 is NaN or infinite"):
        statistic.samples(evaluator, 2, 4)


def test_a_forward_and_a_backward_pass_for_each_option() -> None:
    changes = (("a", RTN[4]), ("b", RTN[2]), ("b", RTN[4]))
    statistic = DeltaLossSums(changes=changes, sequences=9)
    assert statistic.passes(LENGTH) == Passes(forward_tokens=2 * LENGTH, backward_tokens=2 * LENGTH)
    assert (statistic.num_sequences(LENGTH), statistic.entries()) == (9, changes)
