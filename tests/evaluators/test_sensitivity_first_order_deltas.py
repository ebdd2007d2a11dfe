"""Weight changes of bank entries: exact in every architecture, and no more of them in memory than allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_oracle import evaluator_of, every_entry, plain_delta, plain_weight
from live_oracle import RTN
from tiny_models import TINY

from evaluators.sensitivity.deltas import Deltas, widened
from spaces.configuration import Configuration
from spaces.errors import JobError

LAYERS = ("model.layers.0.mlp.up_proj", "model.layers.0.mlp.gate_proj", "model.layers.1.mlp.up_proj")
ENTRIES = [(layer, RTN[4]) for layer in LAYERS]
DELTA_BYTES = 96 * 64 * 4


@pytest.mark.parametrize("name", TINY)
def test_a_delta_is_the_dequantized_minus_the_dense_weight(name: str, tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, name)
    for entry in every_entry(evaluator):
        np.testing.assert_array_equal(Deltas(evaluator.live).of(entry), plain_delta(evaluator, entry))


def test_in_a_narrow_dtype_it_is_what_the_live_model_changes_by(tmp_path: Path) -> None:
    live = evaluator_of(tmp_path, "llama", dtype=torch.bfloat16).live
    delta = Deltas(live).of(ENTRIES[0])
    module = live.model.get_submodule(LAYERS[0])
    before = plain_weight(module)
    live.apply(Configuration.of(dict(ENTRIES[:1])))
    assert delta.dtype == torch.float32
    np.testing.assert_array_equal(delta.double(), plain_weight(module) - before)


def test_the_least_recently_used_is_forgotten_first(tmp_path: Path) -> None:
    """What is in memory needs no file: with the files gone, reading tells which deltas are."""
    live = evaluator_of(tmp_path, "llama", dtype=torch.float32).live
    deltas = Deltas(live, memory_bytes=2 * DELTA_BYTES)
    kept = {entry: deltas.of(entry).clone() for entry in (*ENTRIES[:2], ENTRIES[0], ENTRIES[2])}
    for layer, option in ENTRIES:
        live.bank.path(layer, option).unlink()
    for entry in (ENTRIES[0], ENTRIES[2]):
        assert torch.equal(deltas.of(entry), kept[entry])
    with pytest.raises(JobError, match=r"the bank has no entry .*model\.layers\.0\.mlp\.gate_proj"):
        deltas.of(ENTRIES[1])


def test_one_too_large_to_keep_is_given_all_the_same(tmp_path: Path) -> None:
    evaluator = evaluator_of(tmp_path, "llama")
    deltas = Deltas(evaluator.live, memory_bytes=0)
    for entry in (ENTRIES[0], ENTRIES[1], ENTRIES[0]):
        np.testing.assert_array_equal(deltas.of(entry), plain_delta(evaluator, entry))


@pytest.mark.parametrize(
    ("dtype", "wide"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_widened_is_never_narrower_than_float32(dtype: torch.dtype, wide: torch.dtype) -> None:
    assert widened(torch.ones(1, dtype=dtype)).dtype == wide
