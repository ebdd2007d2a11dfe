"""Discovery: the layers, shapes and parts of nine architectures, without weights and with them."""

from __future__ import annotations

import time

import pytest
import torch
from tiny_models import NUM_BLOCKS, TINY, Tiny
from torch import nn
from transformers import LlamaConfig, T5Config

from spaces.budget import extremes
from spaces.build import build_space
from spaces.discovery import Anatomy, find_anatomy, parts_named
from spaces.errors import InputError
from spaces.skeleton import skeleton
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

every_tiny = pytest.mark.parametrize("tiny", TINY.values(), ids=TINY)


@every_tiny
def test_finds_every_linear_layer_of_every_block_with_its_shape(tiny: Tiny) -> None:
    found = [(layer.name, (layer.rows, layer.columns), layer.block) for layer in tiny.anatomy().weights]
    expected = [
        (f"{tiny.blocks}.{block}.{name}", shape, block)
        for block in range(NUM_BLOCKS)
        for name, shape in tiny.linears.items()
    ]
    assert sorted(found) == sorted(expected)


@every_tiny
def test_parts_count_the_biases_and_norms_that_go_with_them(tiny: Tiny) -> None:
    found = {part.name: (part.part, part.other_parameters, part.inside) for part in tiny.anatomy().parts}
    expected: dict[str, object] = {}
    for block in (f"{tiny.blocks}.{number}" for number in range(NUM_BLOCKS)):
        expected[f"{block}.{tiny.attention}"] = ("attention", tiny.attention_others, (block,))
        expected[f"{block}.{tiny.mlp}"] = ("mlp", tiny.mlp_others, (block,))
        expected[block] = ("block", tiny.block_others, ())
    assert found == expected


@every_tiny
def test_each_weight_is_inside_its_block_and_one_of_its_two_branches(tiny: Tiny) -> None:
    for layer in tiny.anatomy().weights:
        block = f"{tiny.blocks}.{layer.block}"
        branch = tiny.attention if layer.module.startswith(f"{tiny.attention}.") else tiny.mlp
        assert set(layer.inside) == {block, f"{block}.{branch}"}


@every_tiny
def test_head_and_embedding_are_outside_and_one_layer_where_they_share_a_matrix(tiny: Tiny) -> None:
    found = {layer.name: (layer.rows, layer.columns) for layer in tiny.anatomy().outside}
    assert found == tiny.outside
    assert all(layer.block is None and layer.inside == () for layer in tiny.anatomy().outside)
    assert [layer.name for layer in tiny.anatomy().outside if layer.is_lookup] == list(tiny.outside)[:-1]


@every_tiny
def test_a_meta_model_and_a_real_one_have_the_same_anatomy(tiny: Tiny) -> None:
    assert find_anatomy(tiny.model()) == tiny.anatomy()


@every_tiny
def test_counts_every_parameter_once(tiny: Tiny) -> None:
    tensors = {tensor.data_ptr(): tensor.numel() for tensor in tiny.model().state_dict().values()}
    assert tiny.anatomy().num_parameters == sum(tensors.values())
    assert tiny.anatomy().blocks == tuple(f"{tiny.blocks}.{number}" for number in range(NUM_BLOCKS))


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat16", 16), ("float16", 16), ("float32", 32), (None, 32)])
def test_dense_bits_are_those_of_the_dtype_in_the_config(dtype: str | None, bits: int) -> None:
    config = TINY["llama"].config()
    config.dtype = None if dtype is None else getattr(torch, dtype)
    assert find_anatomy(skeleton(config)).dense_bits == bits


def test_finds_by_name_and_by_kind() -> None:
    anatomy = TINY["opt"].anatomy()
    part = anatomy.find("model.decoder.layers.1.mlp")
    assert part is not None
    assert (part.part, anatomy.modules_of[part.name]) == (
        "mlp",
        ("model.decoder.layers.1.fc1", "model.decoder.layers.1.fc2"),
    )
    assert anatomy.find("model.decoder.layers.2.mlp") is None
    assert [layer.name for layer in parts_named(["block"], anatomy.parts)] == list(anatomy.blocks)


def test_a_gpt2_layer_has_its_outputs_first_though_its_weight_is_stored_the_other_way() -> None:
    model = TINY["gpt2"].model()
    layer = find_anatomy(model).find("transformer.h.0.attn.c_attn")
    assert layer is not None
    stored = model.get_parameter(f"{layer.name}.weight")
    assert tuple(stored.shape) == (layer.columns, layer.rows) == (64, 192)


def test_a_model_without_blocks_is_refused_by_its_class() -> None:
    with pytest.raises(InputError, match="no transformer blocks in Sequential"):
        find_anatomy(nn.Sequential(nn.Linear(4, 4)))


def test_blocks_whose_attention_has_no_linear_layer_are_refused() -> None:
    model = nn.Module()
    model.layers = nn.ModuleList([nn.ModuleDict({"attention": nn.LayerNorm(4), "mlp": nn.Linear(4, 4)})])
    with pytest.raises(InputError, match="no transformer blocks in Module"):
        find_anatomy(model)


def test_a_model_that_is_not_a_causal_language_model_is_refused() -> None:
    config = T5Config(d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=2, vocab_size=32)
    with pytest.raises(InputError, match="T5Config is not a causal language model"):
        skeleton(config)


@pytest.fixture(scope="module")
def llama_8b() -> Anatomy:
    """Llama-3.1-8B's shape, never with weights."""
    config = LlamaConfig(
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
        tie_word_embeddings=False,
        dtype="bfloat16",
    )
    started_s = time.perf_counter()
    model = skeleton(config)
    anatomy = find_anatomy(model)
    assert time.perf_counter() - started_s < 10  # half a second on an idle core: never the minutes of real weights
    assert all(parameter.is_meta for parameter in model.parameters())
    return anatomy


def test_the_8_billion_shape_has_224_layers_and_its_published_size(llama_8b: Anatomy) -> None:
    assert len(llama_8b.weights) == 224
    assert llama_8b.num_parameters == 8_030_261_248  # as its model card's safetensors count them
    assert len(llama_8b.parts) == 96


def test_the_8_billion_space_has_exact_extremes(llama_8b: Anatomy) -> None:
    options = (QuantizeSpec(bits=(2, 3, 4, 5, 6, 7, 8), symmetric=(True,)), DropSpec(parts=("block",)))
    space = build_space(llama_8b, SpaceSpec(options=options))
    weights = 32 * (2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14336 * 4096)
    assert (len(space.layers), space.num_weights) == (224 + 32, weights)
    outside = 2 * 128256 * 4096 + 4096  # embedding, head and the last norm stay when every block goes
    assert extremes(space, "stored_bits") == (16 * outside, 16 * 8_030_261_248)
    assert extremes(space, "nominal_bits") == (0, 16 * weights)


def test_the_meta_device_never_meets_the_global_seed() -> None:
    before = torch.random.get_rng_state()
    TINY["llama"].anatomy()
    assert torch.equal(torch.random.get_rng_state(), before)
