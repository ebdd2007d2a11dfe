"""Targets: what each holds, refuses and implies, and that what is counted for it is what its exporters write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import get_args

import pytest
from tiny_models import DECODER, TINY
from transformers import Qwen2Config

from exporters.auto_round import AutoRound
from exporters.compressed_tensors import CompressedTensors
from exporters.format import Exporter
from exporters.gguf import Gguf
from exporters.gguf_names import MODULES
from exporters.mlx import Mlx
from search.spec import TargetName
from service.spaces_view import layers_of, space_document
from spaces.build import build_space
from spaces.carriers import CARRIERS
from spaces.discovery import find_anatomy
from spaces.errors import PlacedError
from spaces.ggml import GgmlSpec
from spaces.layer import Part
from spaces.option import DROP, Option, Quantize
from spaces.skeleton import skeleton
from spaces.space import Space
from spaces.spec import DropSpec, QuantizeSpec, Request, SpaceSpec
from spaces.targets import TARGETS, check_spec, find_target
from spaces.ties import TIES

EXPORTED: dict[str, Exporter] = {each.info.name: each for each in (CompressedTensors(), AutoRound(), Mlx())}
SYMMETRIC = QuantizeSpec(bits=(2, 3, 4, 5, 6, 8), group_sizes=(32,), symmetric=(True,), solver="rtn")
MIXED = QuantizeSpec(bits=(2, 3, 4, 8), group_sizes=(32,), symmetric=(True, False), solver="rtn")
BLOCKS = DropSpec(parts=("block",))
QWEN2 = find_anatomy(skeleton(Qwen2Config(**DECODER, num_hidden_layers=2)))  # type: ignore[arg-type]


def space_for(
    target: str, *options: Request, architecture: str = "llama", ties: str | None = None, include: tuple[str, ...] = ()
) -> Space:
    spec = SpaceSpec(options=options, target=target, ties=ties, include=include)
    return build_space(QWEN2 if architecture == "qwen2" else TINY[architecture].anatomy(), spec)


def refused(
    match: str, target: str, *options: Request, place: tuple[str | int, ...], architecture: str = "llama"
) -> None:
    with pytest.raises(PlacedError, match=match) as caught:
        space_for(target, *options, architecture=architecture)
    assert caught.value.place == place


def test_every_target_is_whole_and_a_job_can_name_it() -> None:
    assert get_args(TargetName) == tuple(TARGETS)
    for name, target in TARGETS.items():
        assert target.name == name
        assert target.summary
        assert target.ties in TIES
        assert set(target.formats) <= set(CARRIERS)
        assert bool(target.carriers) == bool(target.limits) == (name != "any")


def test_an_unknown_target_names_the_nearest_one() -> None:
    with pytest.raises(PlacedError, match="unknown target 'vlm'; did you mean 'vllm'") as caught:
        find_target("vlm")
    assert caught.value.place == ("space", "target")


@pytest.mark.parametrize(
    ("target", "options", "architecture", "expected"),
    [
        ("vllm", (MIXED, BLOCKS), "llama", "compressed-tensors"),
        ("vllm", (SYMMETRIC,), "qwen3", "compressed-tensors"),
        ("transformers", (SYMMETRIC, BLOCKS), "llama", "compressed-tensors"),
        ("transformers", (MIXED,), "llama", "auto-round"),
        ("transformers", (MIXED,), "gpt2", "auto-round"),
        ("mlx", (MIXED, BLOCKS), "phi3", "mlx"),
    ],
)
def test_what_a_target_counts_is_what_its_exporter_writes(
    target: str, options: tuple[Request, ...], architecture: str, expected: str
) -> None:
    space = space_for(target, *options, architecture=architecture)
    assert space.carrier is not None
    assert space.carrier.format == expected
    exporter = EXPORTED[expected]
    for levels in _levels(space):
        configuration = space.configure(levels)
        if expected == "auto-round" and not _has_asymmetric(configuration.options):
            continue  # which is another file
        assert exporter.refusals(space.anatomy, configuration) == []
        assert space.measure(levels).size_bytes == exporter.size_bytes(space.anatomy, configuration)


@pytest.mark.parametrize(("architecture", "parts"), [("llama", ("attention", "mlp", "block")), ("qwen2", ("block",))])
def test_what_llama_cpp_counts_is_what_the_gguf_takes(architecture: str, parts: tuple[Part, ...]) -> None:
    """But for its settings and vocabulary, and the few channels of a dropped part that it cannot leave out."""
    exact = QuantizeSpec(bits=(4, 5, 8), group_sizes=(32,), symmetric=(True,), solver="rtn")
    types = GgmlSpec(types=("q4_0", "q4_1", "q5_1", "q8_0"))
    dropless = space_for("llama.cpp", exact, types, architecture=architecture)
    kept = Gguf().size_bytes(dropless.anatomy, dropless.configure(dropless.kept))
    for levels in _levels(dropless):
        configuration = dropless.configure(levels)
        assert Gguf().refusals(dropless.anatomy, configuration) == []
        saved = kept - Gguf().size_bytes(dropless.anatomy, configuration)
        assert saved == dropless.measure(dropless.kept).size_bytes - dropless.measure(levels).size_bytes
    space = space_for("llama.cpp", types, DropSpec(parts=parts), architecture=architecture)
    narrow = 3 * 32 * space.layers[0].columns * space.anatomy.dense_bits // 8 + 64 * len(space.layers)
    checked = 0
    for levels in _levels(space):
        configuration = space.configure(levels)
        first = "model.layers.0.self_attn"
        if first in configuration and configuration[first] == DROP and configuration["model.layers.0"] != DROP:
            continue  # llama.cpp needs the first block's attention, which is stored as zeros
        saved = kept - Gguf().size_bytes(space.anatomy, configuration)
        counted = space.measure(space.kept).size_bytes - space.measure(levels).size_bytes
        assert abs(saved - counted) <= narrow * len(space.anatomy.blocks)
        checked += 1
    assert checked


def test_gguf_knows_the_modules_that_its_exporter_names() -> None:
    linear = {module for module in MODULES if module.endswith("_proj")}
    assert set(CARRIERS["gguf"].modules) == linear
    refused(
        "gguf is written for models with .* got model.layers.0.self_attn.qkv_proj",
        "llama.cpp",
        GgmlSpec(types=("q8_0",)),
        place=("space", "target"),
        architecture="phi3",
    )
    refused(
        "llama.cpp leaves out block alone, got a drop of attention",
        "llama.cpp",
        DropSpec(parts=("attention",)),
        place=("space", "target"),
        architecture="qwen2",
    )


def test_without_a_target_bytes_are_those_of_the_options() -> None:
    space = space_for("any", MIXED)
    layer, option = space.layers[0], space.units[0].options[0]
    assert space.carrier is None
    assert space.bits(layer, option) == option.bits(layer.rows, layer.columns, space.anatomy.dense_bits)


@pytest.mark.parametrize("target", ["any", "vllm", "transformers", "mlx"])
def test_a_space_document_says_its_target_and_counts_as_the_space(target: str) -> None:
    space = space_for(target, MIXED)
    document = json.loads(json.dumps(space_document(space)))
    assert (document["target"], document["ties"]) == (target, space.ties)
    assert document["format"] == (space.carrier.format if space.carrier else None)
    for levels in _levels(space)[:2]:
        configuration = space.configure(levels)
        for choice, layer in zip(layers_of(document, levels), space.layers, strict=True):
            assert choice.size_bytes == -(-space.bits(layer, configuration[layer.name]).stored // 8)


def test_mlx_sorts_its_options_by_its_own_bytes() -> None:
    space = space_for(
        "mlx", QuantizeSpec(bits=(2, 3), group_sizes=(32, 64), symmetric=(True,), solver="rtn", indivisible="keep")
    )
    for unit in space.units:
        layer = space.layers[unit.layers[0]]
        sizes = [space.bits(layer, option).stored for option in unit.options]
        assert sizes == sorted(sizes)
        wide = Quantize(bits_per_code=2, group_size=64, symmetric=True, solver="rtn")
        if wide in unit.options:
            assert space.bits(layer, wide).stored == layer.num_weights * 2 + 32 * layer.num_weights // 64


def test_ggml_types_are_for_llama_cpp_alone() -> None:
    types = GgmlSpec(types=("q4_0", "q8_0"))
    space = space_for("llama.cpp", types)
    assert space.carrier is not None
    assert space.carrier.format == "gguf"
    layer = space.layers[0]
    assert {space.bits(layer, option).stored for option in types.options()} == {
        layer.num_weights * 9 // 2,
        layer.num_weights * 17 // 2,
    }
    for target in ("vllm", "transformers", "mlx"):
        refused(r"holds kind quantize, got ggml \(ggml-q4_0\)", target, types, place=("space", "options", 0))


def test_vllm_ties_what_it_fuses_and_a_contradiction_is_refused() -> None:
    space = space_for("vllm", MIXED)
    assert space.ties == "vllm"
    assert len(space.units) < len(space.layers)
    assert space_for("vllm", MIXED, ties="vllm").units == space.units
    assert space_for("mlx", MIXED).ties == "none"
    assert space_for("mlx", MIXED, ties="vllm").ties == "vllm"
    with pytest.raises(
        PlacedError, match=r"vllm fuses layers and needs ties: vllm, got ties: none; leave ties"
    ) as caught:
        space_for("vllm", MIXED, ties="none")
    assert caught.value.place == ("space", "ties")


@pytest.mark.parametrize(
    ("target", "option", "match"),
    [
        (
            "mlx",
            QuantizeSpec(bits=(4, 7), solver="rtn"),
            r"mlx holds bits 2, 3, 4, 5, 6, 8, got 7 \(rtn-int7-g128-asym\)",
        ),
        ("mlx", QuantizeSpec(bits=(4,), group_sizes=(None,)), "mlx holds group_size 32, 64, 128, got channel"),
        ("llama.cpp", QuantizeSpec(bits=(3,), group_sizes=(32,)), "gguf holds bits 4, 5, 8, got 3"),
        ("llama.cpp", QuantizeSpec(bits=(4,), group_sizes=(64,)), "gguf holds group_size 32, got 64"),
        ("llama.cpp", QuantizeSpec(bits=(4,), group_sizes=(32,)), "gguf holds symmetric true, got false"),
        ("transformers", QuantizeSpec(bits=(5,)), "no one of its formats .* true, got false .*; auto-round holds bits"),
        ("vllm", DropSpec(), r"vllm leaves out block alone, got a drop of attention, mlp: .* write parts: \[block\]"),
    ],
)
def test_an_option_that_a_target_cannot_load_is_refused_where_it_stands(
    target: str, option: Request, match: str
) -> None:
    good = QuantizeSpec(bits=(8,), group_sizes=(32,), symmetric=(True,), solver="rtn")
    with pytest.raises(PlacedError, match=match) as caught:
        check_spec(SpaceSpec(options=(good, option), target=target))
    assert caught.value.place == ("space", "options", 1)
    assert "set space.target: any" in str(caught.value)
    check_spec(SpaceSpec(options=(good, option), target="any"))


def test_options_that_no_one_format_holds_together_are_refused() -> None:
    five = QuantizeSpec(bits=(5,), group_sizes=(32,), symmetric=(True,), solver="rtn")
    asymmetric = QuantizeSpec(bits=(4,), group_sizes=(32,), symmetric=(False,), solver="rtn")
    for alone in (five, asymmetric):
        assert space_for("transformers", alone).carrier is not None
    refused("auto-round holds bits 2, 3, 4, 8, got 5", "transformers", five, asymmetric, place=("space", "target"))


def test_a_pin_is_checked_as_an_option() -> None:
    pin = {"*.mlp.*": Quantize(bits_per_code=7, group_size=32, symmetric=True, solver="rtn")}
    with pytest.raises(PlacedError, match="mlx holds bits") as caught:
        check_spec(SpaceSpec(options=(SYMMETRIC,), pin=pin, target="mlx"))
    assert caught.value.place == ("space", "pin", "*.mlp.*")
    dropped = SpaceSpec(options=(SYMMETRIC, BLOCKS), pin={"model.layers.0": DROP}, target="mlx")
    assert build_space(TINY["llama"].anatomy(), dropped).has_pinned_drop


@pytest.mark.parametrize(
    ("target", "architecture", "include", "match"),
    [
        ("vllm", "llama", ("*embed*",), "keeps model.embed_tokens dense, which lies outside the blocks"),
        ("vllm", "gpt2", (), r"keeps transformer.h.0.attn.c_attn dense, which is a Conv1D"),
        ("mlx", "gpt2", (), "is a Conv1D"),
    ],
)
def test_a_layer_that_its_files_keep_dense_is_refused(
    target: str, architecture: str, include: tuple[str, ...], match: str
) -> None:
    with pytest.raises(PlacedError, match=match) as caught:
        space_for(target, SYMMETRIC, architecture=architecture, include=include)
    assert caught.value.place == ("space", "target")


def test_a_group_turned_into_a_channel_is_checked_too() -> None:
    option = QuantizeSpec(bits=(4,), group_sizes=(128,), solver="rtn", indivisible="channel")
    refused("got channel", "mlx", option, place=("space", "target"))


def _levels(space: Space) -> Sequence[tuple[int, ...]]:
    random = Random(7)
    return [tuple(random.randrange(len(unit.options)) for unit in space.units) for _ in range(8)]


def _has_asymmetric(options: Sequence[tuple[str, Option]]) -> bool:
    return any(isinstance(option, Quantize) and not option.symmetric for _, option in options)
