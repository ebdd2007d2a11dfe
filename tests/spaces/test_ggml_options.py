"""Options that are ggml types: what they cost, which layers they suit, and how a job asks for them."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import TINY

from search.spec import OptionModel, SpaceModel
from spaces.build import build_space
from spaces.errors import InputError
from spaces.ggml import TYPES, Ggml, GgmlSpec
from spaces.layer import Layer
from spaces.option import Bits, parse_option
from spaces.space import Space
from spaces.spec import SpaceSpec, check_lookups


@pytest.mark.parametrize(
    ("name", "bits_per_weight", "nominal"),
    [
        ("iq2_xxs", 2.0625, 2),
        ("iq2_xs", 2.3125, 2),
        ("iq2_s", 2.5625, 2),
        ("q2_k", 2.625, 2),
        ("iq3_xxs", 3.0625, 3),
        ("iq3_s", 3.4375, 3),
        ("q3_k", 3.4375, 3),
        ("iq4_xs", 4.25, 4),
        ("iq4_nl", 4.5, 4),
        ("q4_0", 4.5, 4),
        ("q4_k", 4.5, 4),
        ("q4_1", 5.0, 4),
        ("q5_0", 5.5, 5),
        ("q5_k", 5.5, 5),
        ("q5_1", 6.0, 5),
        ("q6_k", 6.5625, 6),
        ("q8_0", 8.5, 8),
    ],
)
def test_a_type_costs_its_blocks_and_is_named_by_its_bits(name: str, bits_per_weight: float, nominal: int) -> None:
    found = Ggml.named(name).bits(7, 512, 16)
    assert found == Bits(stored=int(7 * 512 * bits_per_weight), nominal=7 * 512 * nominal)


@pytest.mark.parametrize("name", TYPES)
def test_a_slug_names_one_type(name: str) -> None:
    assert parse_option(f"ggml-{name}") == Ggml.named(name)
    assert parse_option(f"ggml-{name}").slug == f"ggml-{name}"
    assert TYPES[name].fallback in ("", *TYPES)


def test_a_type_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="unknown ggml type 'q4_km'; did you mean 'q4_k'"):
        parse_option("ggml-q4_km")


def space(columns_of: str, **keys: Any) -> Space:
    """Of the tiny Llama: 64 columns everywhere but in ``down_proj``, which has 96."""
    options = [OptionModel(kind="ggml", layers=[columns_of], **keys).spec("here")]
    return build_space(TINY["llama"].anatomy(), SpaceSpec(options=tuple(options)))


def test_layers_that_blocks_do_not_fill_are_refused_or_left_or_fall_back() -> None:
    with pytest.raises(InputError, match=r"the block of 256 does not divide .*64 columns.*indivisible: fallback"):
        space("*", types=["q4_k"])
    fallen = space("*", types=["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq3_s"], indivisible="fallback")
    slugs = {"keep", "ggml-q4_0", "ggml-q5_0", "ggml-q5_1", "ggml-q8_0", "ggml-iq4_nl"}
    assert all({option.slug for option in unit.options} == slugs for unit in fallen.units)
    kept = space("*", types=["q4_k", "q8_0"], indivisible="keep")
    assert all({option.slug for option in unit.options} == {"keep", "ggml-q8_0"} for unit in kept.units)


@pytest.mark.parametrize(("columns", "slugs"), [(256, ["ggml-q4_k"]), (96, ["ggml-q5_0"]), (80, [])])
def test_the_fallback_is_that_of_llama_quantize_and_else_the_layer_is_kept(columns: int, slugs: list[str]) -> None:
    layer = Layer(name="a", block=0, module="a", rows=4, columns=columns)
    offered = GgmlSpec(types=("q4_k",), indivisible="fallback").offered(layer)
    assert [option.slug for option in offered] == slugs


def test_an_embedding_takes_types_that_need_no_importance() -> None:
    request = {"kind": "ggml", "types": ["q8_0"]}
    model = SpaceModel.model_validate({"options": [request], "include": ["*embed_tokens"]})
    assert "model.embed_tokens" in build_space(TINY["llama"].anatomy(), model.spec()).names
    pinned = SpaceModel.model_validate({"options": [request], "pin": {"*.down_proj": "ggml-q4_k"}})
    with pytest.raises(InputError, match="pin: the block of 256 of ggml-q4_k does not divide the 96 input columns"):
        build_space(TINY["llama"].anatomy(), pinned.spec())
    wide = Layer(name="embed", block=None, module="embed", rows=4, columns=256, is_lookup=True)
    needy = SpaceSpec(options=(GgmlSpec(types=("iq2_xs",)),))
    with pytest.raises(InputError, match=r"embed is an embedding: .* ggml has no importance of its inputs"):
        check_lookups([wide], needy)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "ggml"}, r"space.options.0: ggml needs types, say types: \[q2_k"),
        ({"kind": "ggml", "types": ["q4"]}, "space.options.0: unknown ggml type 'q4'"),
        ({"kind": "ggml", "types": "q4_0", "bits": 4}, r"bits means nothing for kind: ggml here, got \[4\]"),
        ({"kind": "ggml", "types": "q4_0", "indivisible": "channel"}, "error, keep, fallback for ggml types, got chan"),
        ({"kind": "quantize", "bits": 4, "types": "q4_0"}, "types means nothing for kind: quantize here"),
        ({"kind": "quantize", "bits": 4, "indivisible": "fallback"}, "must be error, channel or keep here, got 'fallb"),
        ({"kind": "drop", "types": "q4_0"}, r"types means nothing for kind: drop here"),
    ],
)
def test_what_a_job_asks_wrongly_is_refused_by_key(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpaceModel.model_validate({"options": [keys]}).spec()


def test_a_pin_may_name_a_type() -> None:
    pins = {"a": {"kind": "ggml", "types": "q6_k"}, "b": "ggml-q8_0"}
    model = SpaceModel.model_validate({"options": [{"kind": "ggml", "types": "q4_0"}], "pin": pins})
    assert {glob: option.slug for glob, option in model.spec().pin.items()} == {"a": "ggml-q6_k", "b": "ggml-q8_0"}
