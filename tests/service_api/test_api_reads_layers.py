"""A space as JSON, and levels read back: the same layers, options and bytes as the space itself says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from transformers import LlamaConfig

from service.spaces_view import configuration_text, layers_of, space_document
from spaces.build import build_space
from spaces.discovery import find_anatomy
from spaces.errors import JobError
from spaces.option import KEEP, Quantize
from spaces.skeleton import skeleton
from spaces.space import Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

QUANTIZE = QuantizeSpec(bits=(2, 3, 4), group_sizes=(32, None))
SPECS = {
    "quantize": SpaceSpec(options=(QUANTIZE,)),
    "pinned and tied": SpaceSpec(
        options=(QUANTIZE,), ties="vllm", pin={"model.layers.0.mlp.down_proj": KEEP}, include=("lm_head",)
    ),
    "drop": SpaceSpec(options=(QUANTIZE, DropSpec(parts=("attention", "mlp", "block")))),
}


@pytest.fixture(scope="module", params=SPECS)
def space(request: pytest.FixtureRequest) -> Space:
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=False,
        dtype="bfloat16",
    )
    return build_space(find_anatomy(skeleton(config)), SPECS[request.param])


def written(space: Space) -> dict[str, Any]:
    """Through JSON and back."""
    document: dict[str, Any] = json.loads(json.dumps(space_document(space)))
    return document


def draws(space: Space, num: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [[int(rng.integers(len(unit.options))) for unit in space.units] for _ in range(num)]


def test_levels_read_as_the_configuration_of_the_space(space: Space) -> None:
    document = written(space)
    for levels in draws(space, 40):
        configuration = space.configure(levels)
        choices = layers_of(document, levels)
        assert [choice.name for choice in choices] == space.names
        assert {choice.name: choice.option for choice in choices} == {
            name: option.slug for name, option in configuration.options
        }
        assert configuration_text(document, levels) == configuration.dump(space.names)


def test_bytes_of_layers_add_up_to_the_checkpoint(space: Space) -> None:
    document = written(space)
    rest = (space.anatomy.num_parameters - space.num_weights) * space.anatomy.dense_bits
    for levels in [space.kept, *draws(space, 20)]:
        choices = layers_of(document, levels)
        if all(choice.option != "drop" for choice in choices):  # a drop also removes norms
            assert 8 * sum(choice.size_bytes for choice in choices) + rest == space.measure(levels).stored_bits


def test_bits_are_those_of_the_codes(space: Space) -> None:
    document = written(space)
    named = {layer.name: layer for layer in space.layers}
    for levels in draws(space, 5):
        options = dict(space.configure(levels).options)
        for choice in layers_of(document, levels):
            option = options[choice.name]
            if named[choice.name].part is not None:
                assert (choice.bits, choice.size_bytes) == (None, 0)
            elif isinstance(option, Quantize):
                assert choice.bits == option.bits_per_code
            else:
                assert choice.bits == (16 if option == KEEP else 0)


def test_levels_of_another_space_are_refused() -> None:
    document = {"version": 1, "layers": [], "units": [{"layers": [], "options": ["keep"]}]}
    with pytest.raises(JobError, match=re.escape("options of 1 units, got [0, 0]")):
        layers_of(document, [0, 0])
    with pytest.raises(JobError, match=re.escape("got [1]")):
        layers_of(document, [1])
    with pytest.raises(JobError, match="must be of version 1, got 2"):
        layers_of({"version": 2}, [])


def test_reading_needs_no_torch() -> None:
    code = "import sys, service.spaces_view, service.runner.web; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
