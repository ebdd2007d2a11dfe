"""What a target lets in, its exporter writes: no configuration of an admitted space is refused after a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest
from tiny_models import DECODER, HEAD_SIZE, SHARED, TINY
from transformers import (
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

from exporters.formats import exporter
from spaces.build import build_space
from spaces.configuration import Configuration
from spaces.discovery import Anatomy, find_anatomy
from spaces.errors import InputError, PlacedError
from spaces.ggml import TYPES, Ggml, GgmlSpec
from spaces.skeleton import skeleton
from spaces.space import Space
from spaces.spec import DropSpec, QuantizeSpec, Request, SpaceSpec
from spaces.targets import TARGETS

DEPTH = 3
SOME: dict[str, Any] = DECODER | {"num_hidden_layers": DEPTH}
WIDE: dict[str, Any] = SOME | {"hidden_size": 256, "intermediate_size": 512}  # rows that blocks of 256 fill
KINDS = ["sliding_attention", "sliding_attention", "full_attention"]
# beside the tiny models: what targets have to tell apart although the layers have the same names
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama-wide": LlamaConfig(**WIDE, tie_word_embeddings=False),
    "llama-odd": LlamaConfig(**SOME | {"intermediate_size": 80}),
    "llama-biased": LlamaConfig(**SOME, attention_bias=True),
    "llama-gelu": LlamaConfig(**SOME, hidden_act="gelu"),
    "llama-yarn": LlamaConfig(**SOME, rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}),
    "qwen2": Qwen2Config(**WIDE),
    "qwen2-sliding": Qwen2Config(**WIDE, use_sliding_window=True, sliding_window=4, layer_types=KINDS),
    "qwen3-plain": Qwen3Config(**WIDE, head_dim=HEAD_SIZE),
    "qwen3-moe": Qwen3MoeConfig(**SOME, num_experts=2, moe_intermediate_size=32, decoder_sparse_step=2),
    "gemma3-mixed": Gemma3TextConfig(**SOME, head_dim=HEAD_SIZE, layer_types=KINDS),
    "gpt2-scaled": GPT2Config(**SHARED, n_head=4, n_layer=DEPTH, n_positions=64, scale_attn_by_inverse_layer_idx=True),  # type: ignore[arg-type]
}


@cache
def anatomy_of(name: str) -> Anatomy:
    return find_anatomy(skeleton(CONFIGS[name])) if name in CONFIGS else TINY[name].anatomy(DEPTH)


def quantize(bits: tuple[int, ...], *, symmetric: tuple[bool, ...] = (True,), **settings: Any) -> QuantizeSpec:
    made: dict[str, Any] = {"group_sizes": (32,), "solver": "rtn", "indivisible": "keep"} | settings
    return QuantizeSpec(bits=bits, symmetric=symmetric, **made)


OFFERS: tuple[tuple[Request, ...], ...] = (
    (quantize((4, 8)),),
    (quantize((2, 3, 5, 6, 7, 8), group_sizes=(32, 64)),),
    (quantize((4,), group_sizes=(64,), indivisible="channel"),),
    (quantize((2, 8), symmetric=(True, False)),),
    (quantize((2, 3), symmetric=(False,), group_sizes=(None,)), quantize((4,), layers=("*mlp*",))),
    (quantize((5,)), quantize((4,), symmetric=(False,))),
    (GgmlSpec(types=("q4_0", "q5_1", "q8_0"), indivisible="keep"),),
    (GgmlSpec(types=("q2_k", "iq4_xs", "q6_k"), indivisible="keep"), quantize((4, 5))),
    (GgmlSpec(types=("q3_k", "q8_0"), indivisible="fallback"),),
)
DROPS: tuple[tuple[Request, ...], ...] = (
    (),
    (DropSpec(parts=("block",)),),
    (DropSpec(parts=("block",), layers=("*.1",)),),
    (DropSpec(parts=("attention", "mlp", "block")),),
)
INCLUDED: tuple[tuple[str, ...], ...] = ((), ("lm_head",), ("*embed*",))


def admitted(target: str) -> Iterator[tuple[str, Space]]:
    """The spaces that the target has nothing against, each with its architecture."""
    for name, offers, drops, include in product([*TINY, *CONFIGS], OFFERS, DROPS, INCLUDED):
        spec = SpaceSpec(options=(*offers, *drops), target=target, include=include)
        try:
            yield name, build_space(anatomy_of(name), spec)
        except InputError:
            continue  # told before the search, which is all that is asked


def configurations(space: Space) -> Iterator[Configuration]:
    """The smallest, the largest and some between."""
    random = Random(7)
    tries = [[0] * len(space.units), [len(unit.options) - 1 for unit in space.units]]
    tries += [[random.randrange(len(unit.options)) for unit in space.units] for _ in range(4)]
    yield from map(space.configure, tries)


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "any"])
def test_no_exporter_refuses_what_its_target_admits(target: str) -> None:
    names, checked = set(), 0
    for name, space in admitted(target):
        assert space.carrier is not None
        assert space.carrier.format in TARGETS[target].formats
        made = exporter(space.carrier.format)
        for configuration in configurations(space):
            reasons = made.refusals(space.anatomy, configuration)
            assert reasons == [], (name, space.carrier.format, configuration.options)
            checked += 1
        names.add(name)
    assert checked >= 100
    assert ADMITTED[target] <= names
    assert not names & REFUSED[target]


# some that each target knows, and some whose every space it refuses
ADMITTED = {
    "vllm": {"llama", "phi3", "opt", "qwen3-moe"},
    "transformers": {"llama", "gpt2", "gpt2-scaled", "gemma3-mixed", "llama-odd"},
    "llama.cpp": {"llama", "llama-wide", "qwen2", "qwen3-plain"},
    "mlx": {"llama", "gemma3-mixed", "qwen3"},
}
REFUSED = {
    "vllm": {"gpt2", "gpt2-scaled"},
    "transformers": set(),
    "llama.cpp": {*CONFIGS, *TINY} - {"llama", "llama-wide", "llama-odd", "qwen2", "qwen3-plain"},
    "mlx": {"gpt2", "gpt2-scaled", "gpt_neox"},
}


@pytest.mark.parametrize(
    ("target", "name", "match"),
    [
        ("llama.cpp", "mistral", "model_type must be one of llama, qwen2, qwen3 to be written as GGUF, got mistral"),
        ("llama.cpp", "gemma3", "model_type must be .* got gemma3_text"),
        ("llama.cpp", "llama-biased", "attention_bias must be false .* got True"),
        ("llama.cpp", "llama-gelu", "hidden_act must be silu .* got gelu"),
        ("llama.cpp", "llama-yarn", "rope_type must be one of default, linear, llama3 .* got yarn"),
        ("llama.cpp", "qwen2-sliding", "layer_types must be full_attention alone .* got sliding_attention"),
        ("transformers", "gpt2-scaled", r"transformer\.h\.0 cannot be removed .*scale_attn_by_inverse_layer_idx"),
        ("vllm", "qwen3-moe", r"model\.layers\.0 cannot be removed from this model's checkpoint: .* would differ"),
        (
            "mlx",
            "gpt_neox",
            "mlx-lm has names of its own for the layers of gpt_neox, under which it would find no bits",
        ),
        ("mlx", "gemma3-mixed", "mlx-lm counts which blocks of gemma3_text are of full_attention, sliding_attention"),
    ],
)
def test_a_model_is_refused_with_the_rule_the_value_and_the_way_out(target: str, name: str, match: str) -> None:
    spec = SpaceSpec(options=(*OFFERS[3 if target == "transformers" else 0], *DROPS[1]), target=target)
    with pytest.raises(PlacedError, match=match) as caught:
        build_space(anatomy_of(name), spec)
    assert caught.value.place == ("space", "target")
    assert str(caught.value).endswith("leave it out, or set space.target: any")
    build_space(anatomy_of(name), replace(spec, target="any"))


@pytest.mark.parametrize("types", [("q4_k",), ("iq2_xxs", "q8_0"), ("q6_k",)])
def test_a_type_whose_blocks_do_not_fill_a_row_is_refused_with_its_length(types: tuple[str, ...]) -> None:
    spec = SpaceSpec(options=(GgmlSpec(types=types),), target="llama.cpp")
    match = r"the block of 256 does not divide the input columns of model\.layers\.0\.\S+ \(64 columns\).*blocks of 32"
    with pytest.raises(InputError, match=match):
        build_space(anatomy_of("llama"), spec)
    assert build_space(anatomy_of("llama-wide"), spec).carrier is not None


@pytest.mark.parametrize("option", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("columns", [32, 96, 256, 288, 1024])
def test_every_type_is_offered_to_the_rows_that_ggml_itself_takes(option: Ggml, columns: int) -> None:
    gguf = pytest.importorskip("gguf")
    block, _ = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[option.type_name.upper()]]
    assert option.divides(columns) == (columns % block == 0)
