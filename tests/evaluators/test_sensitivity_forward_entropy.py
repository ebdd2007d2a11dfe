"""Changes of output entropies against numpy histograms of float64 outputs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import LENGTH, evaluator_of, every_entry, plain_weight, values
from live_oracle import RTN, logits_of
from tiny_models import TINY
from torch import Tensor, nn

from evaluators.evaluator import Evaluator
from evaluators.sensitivity.entropy import REACH, EntropyChanges
from evaluators.statistic import Entry, Passes
from spaces.configuration import Configuration
from spaces.errors import JobError

BINS = 32


def inputs_of(evaluator: Evaluator, layer: str, number: int) -> np.ndarray:
    """What the layer reads in the dense model: (length, in), or token ids of an embedding."""
    seen: list[Tensor] = []
    module = evaluator.live.model.get_submodule(layer)
    hook = module.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].clone()))
    logits_of(evaluator.live.model, evaluator.stream.tokens[number : number + 1])
    hook.remove()
    return seen[0].reshape(LENGTH, -1).numpy()


def outputs(module: nn.Module, weight: np.ndarray, read: np.ndarray) -> np.ndarray:
    if isinstance(module, nn.Embedding):
        return weight[read[:, 0]] * float(getattr(module, "embed_scale", 1.0))
    bias = getattr(module, "bias", None)
    return np.asarray(read @ weight.T + (0 if bias is None else bias.double().numpy()))


def entropy(values: np.ndarray, edges: np.ndarray) -> float:
    """By hand, value by value."""
    counts = [0] * (len(edges) - 1)
    for value in values.ravel():
        place = int(np.searchsorted(edges, value, side="right")) - 1
        counts[min(max(place, 0), len(counts) - 1)] += 1
    return -math.fsum(count / values.size * math.log(count / values.size) for count in counts if count)


def expected(evaluator: Evaluator, entry: Entry, number: int) -> float:
    layer, option = entry
    module = evaluator.live.model.get_submodule(layer)
    read = inputs_of(evaluator, layer, number)
    dense = outputs(module, plain_weight(module), read)
    changed = outputs(module, evaluator.live.bank.read(layer, option).dequantize(torch.float64).numpy(), read)
    edges = np.linspace(dense.mean() - REACH * dense.std(), dense.mean() + REACH * dense.std(), BINS + 1)
    return entropy(changed, edges) - entropy(dense, edges)


@pytest.mark.parametrize("name", TINY)
def test_a_change_is_the_difference_of_two_histograms_entropies(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)  # in float64, so that no value changes its bin by rounding
    changes = every_entry(evaluator)[::5] + every_entry(evaluator)[-2:]
    found = values(EntropyChanges(changes=changes, bins=BINS, sequences=6), evaluator, 3, 5)
    for number, row in zip((3, 4), found, strict=True):
        assert row.tolist() == pytest.approx([expected(evaluator, entry, number) for entry in changes], abs=1e-12)
    assert np.abs(found).max() > 1e-3


def test_what_lies_beyond_the_bins_is_in_the_outermost(tmp_path: Path) -> None:
    """Dense outputs far smaller than those of the bank's entry, nearly all of which lie beyond 6 deviations."""
    evaluator = evaluator_of(tmp_path, "llama")
    layer = "model.layers.0.self_attn.q_proj"
    weight: Tensor = evaluator.live.model.get_submodule(layer).weight  # type: ignore[assignment]
    with torch.no_grad():
        weight *= 1e-3
    found = values(EntropyChanges(changes=((layer, RTN[8]),), bins=BINS, sequences=6), evaluator, 0, 1)
    assert found[0, 0] == pytest.approx(expected(evaluator, (layer, RTN[8]), 0), abs=1e-12)
    assert found[0, 0] < 0  # two bins hold them


def test_outputs_that_are_all_alike_have_no_entropy(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    entry = ("model.layers.0.self_attn.q_proj", RTN[4])
    weight: Tensor = evaluator.live.model.get_submodule(entry[0]).weight  # type: ignore[assignment]
    with torch.no_grad():
        weight.zero_()
    read = inputs_of(evaluator, entry[0], 0)
    changed = read @ evaluator.live.bank.read(*entry).dequantize(torch.float64).numpy().T
    found = values(EntropyChanges(changes=(entry,), bins=BINS, sequences=6), evaluator, 0, 1)
    assert found[0, 0] == pytest.approx(entropy(changed, np.linspace(-REACH, REACH, BINS + 1)), abs=1e-12)


def test_the_model_is_left_dense_and_without_hooks(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "gpt2", dtype=torch.bfloat16)
    before = logits_of(evaluator.live.model, evaluator.stream.tokens)
    EntropyChanges(changes=every_entry(evaluator), bins=BINS, sequences=6).samples(evaluator, 0, 1)
    assert torch.equal(logits_of(evaluator.live.model, evaluator.stream.tokens), before)
    assert not any(module._forward_hooks for module in evaluator.live.model.modules())
    assert evaluator.live.apply(Configuration.of({})) == 0


def test_a_sample_is_the_same_whatever_was_asked_before(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama", dtype=torch.float32)
    changes = every_entry(evaluator)
    statistic = EntropyChanges(changes=changes, bins=BINS, sequences=6)
    whole = values(statistic, evaluator, 0, 6)
    evaluator.live.apply(Configuration.of({layer: RTN[2] for layer, _ in changes}))
    np.testing.assert_array_equal(values(statistic, evaluator, 3, 5), whole[3:5])
    assert values(statistic, evaluator, 2, 2).shape == (0, len(changes))


def test_outputs_that_are_no_numbers_end_the_job(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    with torch.no_grad():
        evaluator.live.model.get_submodule("model.layers.0.mlp.up_proj").weight[0, 0] = torch.nan  # type: ignore[index]
    statistic = EntropyChanges(changes=(("model.layers.1.mlp.up_proj", RTN[4]),), bins=BINS, sequences=6)
    with pytest.raises(JobError, match=r"output on sequence 2 is NaN or infinite; evaluate in float32"):
        statistic.samples(evaluator, 2, 3)


def test_options_count_as_forward_passes() -> None:
    statistic = EntropyChanges(changes=(("a", RTN[4]), ("a", RTN[2]), ("b", RTN[2])), bins=BINS, sequences=9)
    assert statistic.passes(LENGTH) == Passes(forward_tokens=3 * LENGTH)
    assert (statistic.num_sequences(LENGTH), statistic.entries()) == (9, statistic.changes)
