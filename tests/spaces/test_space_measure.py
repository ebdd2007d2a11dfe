"""Measures: every configuration's cost equals a sum over the parameters of the model that remains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from math import ceil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import HIDDEN, NUM_BLOCKS, TINY, VOCABULARY, Tiny
from torch.utils.flop_counter import FlopCounterMode

from spaces.build import build_space
from spaces.ggml import GgmlSpec
from spaces.option import DROP, KEEP, Option, Quantize
from spaces.space import Measures, Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

every_tiny = pytest.mark.parametrize("tiny", TINY.values(), ids=TINY)
QUANTIZE = QuantizeSpec(bits=(2, 4, 8), group_sizes=(32,))
DROPS = DropSpec(parts=("attention", "mlp", "block"))
BLOCKS = DropSpec(parts=("block",))
SPECS = {
    "tied": SpaceSpec(options=(QUANTIZE, DROPS), ties="vllm"),
    "ggml": SpaceSpec(options=(GgmlSpec(types=("q4_0", "q8_0")), BLOCKS), target="llama.cpp"),
    "mlx": SpaceSpec(options=(QUANTIZE, BLOCKS), target="mlx"),
    "pinned": SpaceSpec(options=(QUANTIZE, DROPS), pin={"*.0.self_attn": DROP, "*.1.mlp": KEEP}),
}


@cache
def space_with(tiny: Tiny, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Space:
    spec = SpaceSpec(options=(QUANTIZE, DROPS), include=include, exclude=exclude)
    return build_space(tiny.anatomy(), spec)


@cache
def shapes_of(tiny: Tiny) -> dict[str, torch.Size]:
    """Of every parameter; a matrix that head and embedding share is the head's."""
    tied = "lm_head" if len(tiny.outside) == 1 else None
    shapes = {name: parameter.shape for name, parameter in tiny.skeleton().named_parameters()}
    if tied is not None:
        embedding = next(name for name in shapes if shapes[name] == (VOCABULARY, HIDDEN))
        shapes[f"{tied}.weight"] = shapes.pop(embedding)
    return shapes


def summed(tiny: Tiny, options: Mapping[str, Option]) -> Measures:
    """The measures, read off the names and shapes of the model's parameters alone."""
    stored = nominal = parameters = multiplied = 0
    for name, shape in shapes_of(tiny).items():
        if any(options.get(part) == DROP for part in around(tiny, name)):
            continue
        parameters += shape.numel()
        option = options.get(name.removesuffix(".weight"), KEEP)
        if isinstance(option, Quantize):
            layer_stored, layer_nominal = quantized_bits(tiny, name, option)
        else:
            layer_stored = layer_nominal = 32 * shape.numel()
        stored += layer_stored
        nominal += layer_nominal if name.removesuffix(".weight") in options else 0
        multiplied += shape.numel() if is_linear(tiny, name) else 0
    blocks = [f"{tiny.blocks}.{number}" for number in range(NUM_BLOCKS)]
    left = [block for block in blocks if options.get(block) != DROP]
    return Measures(
        stored_bits=stored,
        nominal_bits=nominal,
        parameters=parameters,
        flops=2 * multiplied,
        attentions=sum(options.get(f"{block}.{tiny.attention}") != DROP for block in left),
        mlps=sum(options.get(f"{block}.{tiny.mlp}") != DROP for block in left),
    )


def around(tiny: Tiny, name: str) -> list[str]:
    """The droppable parts that a parameter lies in."""
    match = re.match(rf"({re.escape(tiny.blocks)}\.\d+)\.(\w+)", name)
    if match is None:
        return []
    block, child = match.groups()
    if child == tiny.attention:
        return [block, f"{block}.{tiny.attention}"]
    return [block, f"{block}.{tiny.mlp}"] if child in (tiny.mlp, "fc1", "fc2") else [block]


def is_linear(tiny: Tiny, name: str) -> bool:
    """Whether each token is multiplied with it: a linear weight of a block, or the head."""
    return name == "lm_head.weight" or any(name.endswith(f".{layer}.weight") for layer in tiny.linears)


def quantized_bits(tiny: Tiny, name: str, option: Quantize) -> tuple[int, int]:
    """Groups of 32, asymmetric: codes in words of each row, float16 scales, zero points in words of each group."""
    shapes = {**tiny.linears, **tiny.outside}
    rows, columns = next(shape for layer, shape in shapes.items() if name.endswith(f"{layer}.weight"))
    bits, groups = option.bits_per_code, columns // 32
    stored = rows * ceil(columns * bits / 32) * 32 + rows * groups * 16 + groups * ceil(rows * bits / 32) * 32
    return stored, rows * columns * bits


@every_tiny
@given(data=st.data(), drops=st.booleans())
@settings(max_examples=20, deadline=None)
def test_any_configuration_costs_what_is_left_of_the_parameters(tiny: Tiny, data: st.DataObject, drops: bool) -> None:
    space = space_with(tiny, include=("lm_head",))
    lowest = [0 if drops else int(unit.options[0] == DROP) for unit in space.units]
    levels = [data.draw(st.integers(low, len(unit.options) - 1)) for low, unit in zip(lowest, space.units, strict=True)]
    options = dict(space.configure(levels).options)
    assert space.measure(levels) == summed(tiny, options)


@pytest.mark.parametrize("name", SPECS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_levels_cost_what_their_options_cost(name: str, data: st.DataObject) -> None:
    space = build_space(TINY["llama"].anatomy(), SPECS[name])
    levels = [data.draw(st.integers(0, len(unit.options) - 1)) for unit in space.units]
    assert space.measure(levels) == space.measure_options(dict(space.configure(levels).options))


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_layers_left_out_of_the_space_still_go_with_a_dropped_part(data: st.DataObject) -> None:
    tiny = TINY["qwen3"]
    space = space_with(tiny, exclude=("*.1.mlp.*", "*.q_proj", "model.layers.0.self_attn"))
    levels = [data.draw(st.integers(0, len(unit.options) - 1)) for unit in space.units]
    assert space.measure(levels) == summed(tiny, dict(space.configure(levels).options))


@every_tiny
@pytest.mark.parametrize("block", range(NUM_BLOCKS))
def test_a_model_without_a_block_costs_what_a_really_shallower_one_does(tiny: Tiny, block: int) -> None:
    space = space_with(tiny)
    options = dict(space.configure(space.kept).options) | {f"{tiny.blocks}.{block}": DROP}
    shallower = tiny.skeleton(NUM_BLOCKS - 1)
    measures = space.measure_options(options)
    assert measures.size_bytes == sum(parameter.nbytes for parameter in shallower.parameters())
    assert measures.parameters == sum(parameter.numel() for parameter in shallower.parameters())
    assert (measures.attentions, measures.mlps) == (NUM_BLOCKS - 1, NUM_BLOCKS - 1)


@every_tiny
def test_the_dense_model_costs_its_own_bytes(tiny: Tiny) -> None:
    space = space_with(tiny)
    measures = space.measure(space.kept)
    assert measures.size_bytes == sum(parameter.nbytes for parameter in tiny.skeleton().parameters())
    assert measures.nominal_bits == 32 * space.num_weights


def test_a_dropped_attention_takes_its_biases_and_its_norms_of_queries_and_keys_along() -> None:
    space = space_with(TINY["qwen3"])
    dense = space.measure(space.kept)
    dropped = space.measure_options(dict(space.configure(space.kept).options) | {"model.layers.0.self_attn": DROP})
    weights = 64 * 64 + 32 * 64 + 32 * 64 + 64 * 64
    biases, norms = 64 + 32 + 32 + 64, 16 + 16
    assert dense.parameters - dropped.parameters == weights + biases + norms
    assert dense.stored_bits - dropped.stored_bits == 32 * (weights + biases + norms)
    assert (dense.attentions - dropped.attentions, dense.mlps - dropped.mlps) == (1, 0)


def test_a_block_and_its_attention_dropped_together_count_once() -> None:
    space = space_with(TINY["llama"])
    kept = dict(space.configure(space.kept).options)
    block = kept | {"model.layers.1": DROP}
    both = block | {"model.layers.1.self_attn": DROP, "model.layers.1.mlp": DROP}
    assert space.measure_options(both) == space.measure_options(block)


def test_what_lies_in_a_dropped_part_costs_nothing_whatever_its_option() -> None:
    space = space_with(TINY["llama"])
    names = [unit.layers[0] for unit in space.units]
    drop = list(space.kept)
    unit = next(n for n, index in enumerate(names) if space.layers[index].name == "model.layers.0")
    inner = next(n for n, index in enumerate(names) if space.layers[index].name == "model.layers.0.mlp.up_proj")
    drop[unit] = 0
    other = [*drop]
    other[inner] = 0
    assert other != drop
    assert space.measure(other) == space.measure(drop)
    assert space.configure(other) == space.configure(drop)


def test_bytes_round_a_part_of_a_byte_up() -> None:
    assert Measures(stored_bits=17, nominal_bits=0, parameters=0, flops=0, attentions=0, mlps=0).size_bytes == 3


@pytest.mark.parametrize("name", ["gemma3", "mistral"])
def test_a_head_that_is_the_embedding_too_is_stored_once(name: str) -> None:
    tiny = TINY[name]
    space = space_with(tiny, include=("lm_head",))
    kept = dict(space.configure(space.kept).options)
    int8 = Quantize(bits_per_code=8, group_size=32, symmetric=False, solver="gptq")
    inside = space_with(tiny).num_weights
    head, norms = VOCABULARY * HIDDEN, NUM_BLOCKS * (tiny.block_others + tiny.attention_others) + HIDDEN
    embedding = 0 if name == "gemma3" else head
    codes, scales, zeros = 8 * head, 16 * head // 32, 8 * head // 32
    expected = 32 * (inside + norms + embedding) + codes + scales + zeros
    assert space.measure_options(kept | {"lm_head": int8}).stored_bits == expected


@every_tiny
@torch.no_grad()
def test_the_dense_model_s_flops_are_those_that_torch_counts_in_its_linear_layers(tiny: Tiny) -> None:
    model, length = tiny.model(), 5
    counter = FlopCounterMode(display=False)
    with counter:
        model(torch.arange(length)[None])
    counted = counter.get_flop_counts()["Global"]
    linear = sum(counted.get(operator, 0) for operator in (torch.ops.aten.mm, torch.ops.aten.addmm))
    assert space_with(tiny).measure(space_with(tiny).kept).flops * length == linear
