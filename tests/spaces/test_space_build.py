"""Building a space: options offered, layers included, excluded, pinned and tied, and what is refused."""

from __future__ import annotations

import pytest
from hand_made import quantize
from tiny_models import TINY

from spaces.build import build_space
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Option
from spaces.space import Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

LLAMA = TINY["llama"].anatomy()
INT2 = quantize(2, 32, symmetric=False, solver="gptq")
INT4 = quantize(4, 32, symmetric=False, solver="gptq")
INT8 = quantize(8, 32, symmetric=False, solver="gptq")
OFFER = QuantizeSpec(bits=(4, 8), group_sizes=(32,))
FIRST = "model.layers.0"


def space_with(
    *options: QuantizeSpec | DropSpec,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    pin: dict[str, Option] | None = None,
    ties: str = "none",
    architecture: str = "llama",
) -> Space:
    spec = SpaceSpec(options=options or (OFFER,), include=include, exclude=exclude, pin=pin or {}, ties=ties)
    return build_space(TINY[architecture].anatomy(), spec)


def offered(space: Space, name: str) -> tuple[Option, ...]:
    index = space.names.index(name)
    (unit,) = [unit for unit in space.units if index in unit.layers]
    return unit.options


def test_keep_is_always_open_and_options_go_from_small_to_large() -> None:
    space = space_with(QuantizeSpec(bits=(8, 4, 2), group_sizes=(32, None), symmetric=(True, False)))
    options = offered(space, f"{FIRST}.mlp.up_proj")
    sizes = [option.bits(96, 64, 32).stored for option in options]
    assert len(options) == 3 * 2 * 2 + 1
    assert options[-1] == KEEP
    assert sizes == sorted(sizes)


def test_an_option_asked_for_twice_is_offered_once() -> None:
    assert offered(space_with(OFFER, OFFER), f"{FIRST}.mlp.up_proj") == (INT4, INT8, KEEP)


def test_layers_go_block_by_block_weights_before_parts_embedding_first_and_head_last() -> None:
    rtn = QuantizeSpec(bits=(4,), group_sizes=(32,), solver="rtn")
    space = space_with(DropSpec(parts=("mlp",)), rtn, include=("*",))
    expected = ["model.embed_tokens"]
    for block in ("model.layers.0", "model.layers.1"):
        expected += [f"{block}.self_attn.{which}_proj" for which in "qkvo"]
        expected += [f"{block}.mlp.{which}_proj" for which in ("gate", "up", "down")]
        expected += [f"{block}.mlp"]
    assert space.names == [*expected, "lm_head"]


def test_head_and_embedding_come_only_when_asked_for() -> None:
    rtn = QuantizeSpec(bits=(4,), group_sizes=(32,), solver="rtn")
    assert {layer.block for layer in space_with(rtn).layers} == {0, 1}
    assert space_with(rtn, include=("lm_head",)).names[-1] == "lm_head"
    assert space_with(rtn, include=("*embed*",)).names[0] == "model.embed_tokens"


def test_excluded_layers_are_left_out_and_others_stay() -> None:
    space = space_with(exclude=(f"{FIRST}.*", "*.down_proj"))
    assert space.names == [
        *(f"model.layers.1.self_attn.{which}_proj" for which in "qkvo"),
        "model.layers.1.mlp.gate_proj",
        "model.layers.1.mlp.up_proj",
    ]


def test_layers_that_nothing_is_offered_to_do_not_dilute_the_averages() -> None:
    space = space_with(QuantizeSpec(bits=(4,), group_sizes=(32,), layers=("*.o_proj",)))
    assert space.names == [f"model.layers.{block}.self_attn.o_proj" for block in range(2)]
    assert space.num_weights == 2 * 64 * 64


def test_a_request_with_globs_reaches_its_own_layers_only() -> None:
    space = space_with(OFFER, QuantizeSpec(bits=(2,), group_sizes=(32,), layers=("*.mlp.*",)))
    assert offered(space, f"{FIRST}.mlp.up_proj") == (INT2, INT4, INT8, KEEP)
    assert offered(space, f"{FIRST}.self_attn.q_proj") == (INT4, INT8, KEEP)


def test_parts_are_kept_or_dropped() -> None:
    space = space_with(DropSpec(parts=("attention", "block"), layers=("*.1", "*.1.*")))
    assert space.names == ["model.layers.1.self_attn", "model.layers.1"]
    assert offered(space, "model.layers.1") == (DROP, KEEP)


def test_a_pin_is_the_only_option_and_the_last_that_matches_wins() -> None:
    space = space_with(pin={"*.mlp.*": INT8, f"{FIRST}.mlp.up_proj": KEEP})
    assert offered(space, f"{FIRST}.mlp.up_proj") == (KEEP,)
    assert offered(space, f"{FIRST}.mlp.down_proj") == (INT8,)
    assert offered(space_with(pin={f"{FIRST}.mlp.up_proj": KEEP, "*.mlp.*": INT8}), f"{FIRST}.mlp.up_proj") == (INT8,)


def test_a_pinned_layer_stays_in_the_space_and_in_its_averages() -> None:
    assert space_with(pin={"*.mlp.*": KEEP}).num_weights == space_with().num_weights


def test_a_part_may_be_pinned_to_drop() -> None:
    space = space_with(OFFER, DropSpec(parts=("attention",)), pin={f"{FIRST}.self_attn": DROP})
    assert offered(space, f"{FIRST}.self_attn") == (DROP,)
    assert space.measure(space.kept).attentions == 1


def test_vllm_ties_what_it_fuses_and_nothing_else() -> None:
    space = space_with(ties="vllm")
    groups = [[space.layers[index].name for index in unit.layers] for unit in space.units]
    expected = []
    for block in ("model.layers.0", "model.layers.1"):
        expected += [
            [f"{block}.self_attn.{which}_proj" for which in "qkv"],
            [f"{block}.self_attn.o_proj"],
            [f"{block}.mlp.gate_proj", f"{block}.mlp.up_proj"],
            [f"{block}.mlp.down_proj"],
        ]
    assert groups == expected
    assert sorted(index for unit in space.units for index in unit.layers) == list(range(14))


@pytest.mark.parametrize(("architecture", "ties"), [("phi3", "vllm"), ("gpt2", "vllm"), ("llama", "none")])
def test_there_is_nothing_to_tie_where_layers_are_fused_already(architecture: str, ties: str) -> None:
    space = space_with(architecture=architecture, ties=ties)
    assert [unit.layers for unit in space.units] == [(index,) for index in range(len(space.layers))]


def test_tied_layers_have_the_options_open_to_all_of_them() -> None:
    more = QuantizeSpec(bits=(2,), group_sizes=(32,), layers=("*.q_proj", "*.o_proj"))
    space = space_with(OFFER, more, ties="vllm")
    assert offered(space, f"{FIRST}.self_attn.k_proj") == (INT4, INT8, KEEP)
    assert len(offered(space, f"{FIRST}.self_attn.o_proj")) == 4


def test_tied_layers_pinned_alike_stay_tied() -> None:
    space = space_with(pin={"*.gate_proj": INT4, "*.up_proj": INT4}, ties="vllm")
    assert offered(space, f"{FIRST}.mlp.up_proj") == (INT4,)


@pytest.mark.parametrize(
    ("pin", "names"),
    [
        (
            {"*.gate_proj": INT4, "*.up_proj": INT8},
            "gate_proj, model.layers.0.mlp.up_proj are tied but share no choice",
        ),
        ({"*.0.mlp.gate_proj": INT4}, "gate_proj, model.layers.0.mlp.up_proj are tied but share no choice"),
        (
            {"*.1.self_attn.k_proj": KEEP},
            "q_proj, .*k_proj, model.layers.1.self_attn.v_proj are tied but share no choice",
        ),
    ],
)
def test_pins_that_part_a_tie_are_refused(pin: dict[str, Option], names: str) -> None:
    with pytest.raises(InputError, match=names):
        space_with(pin=pin, ties="vllm")


@pytest.mark.parametrize(
    ("request_", "exclude", "left"),
    [
        (OFFER, ("*.0.self_attn.k_proj",), "q_proj, .*v_proj and model.layers.0.self_attn.k_proj are tied"),
        (
            QuantizeSpec(bits=(4,), group_sizes=(32,), layers=("*.gate_proj",)),
            (),
            "up_proj are tied .ties: vllm., but nothing",
        ),
    ],
)
def test_a_tie_of_which_a_part_stays_behind_is_refused(
    request_: QuantizeSpec, exclude: tuple[str, ...], left: str
) -> None:
    with pytest.raises(InputError, match=left):
        space_with(request_, exclude=exclude, ties="vllm")


def test_a_tie_may_be_excluded_as_a_whole() -> None:
    space = space_with(exclude=("*.gate_proj", "*.up_proj"), ties="vllm")
    assert len(space.units) == 2 * 3


@pytest.mark.parametrize("indivisible", ["channel", "keep"])
def test_layers_that_a_group_size_does_not_divide_get_what_was_asked(indivisible: str) -> None:
    space = space_with(QuantizeSpec(bits=(4,), group_sizes=(64,), indivisible=indivisible))  # type: ignore[arg-type]
    assert [option.slug for option in offered(space, f"{FIRST}.mlp.up_proj")] == ["gptq-int4-g64-asym", "keep"]
    if indivisible == "keep":
        assert f"{FIRST}.mlp.down_proj" not in space.names
    else:
        assert offered(space, f"{FIRST}.mlp.down_proj")[0].slug == "gptq-int4-channel-asym"


def test_a_group_size_that_divides_nothing_is_refused_with_layers_and_ways_out() -> None:
    with pytest.raises(
        InputError,
        match=r"group_size 64 does not divide the input columns of model\.layers\.0\.mlp\.down_proj \(96 columns\), "
        r"model\.layers\.1\.mlp\.down_proj \(96 columns\); choose another .*indivisible: channel",
    ):
        space_with(QuantizeSpec(bits=(4,), group_sizes=(64,)))
    with pytest.raises(InputError, match=r"group_size 128 .* and 10 more; "):
        space_with(QuantizeSpec(bits=(4,)))


def test_excluding_or_pinning_the_layers_makes_a_group_size_fit() -> None:
    sixty_four = QuantizeSpec(bits=(4,), group_sizes=(64,))
    assert len(space_with(sixty_four, exclude=("*.down_proj",)).layers) == 12
    assert len(space_with(sixty_four, pin={"*.down_proj": KEEP}).layers) == 14


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"include": ("lm_heat",)},
            "space.include: 'lm_heat' matches no layer outside the blocks, which are .*lm_head",
        ),
        ({"include": ("model.layers.0.*",)}, "space.include: 'model.layers.0.*' matches no layer outside the blocks"),
        ({"exclude": ("*.q_prog",)}, r"space.exclude: '\*.q_prog' matches no layer; layers are called, say, 'model.l"),
        ({"exclude": ("lm_head",)}, "unknown layer in space.exclude 'lm_head'"),
        ({"exclude": (f"{FIRST}.self_attn.q_prog",)}, f"did you mean '{FIRST}.self_attn.q_proj'"),
        ({"pin": {"model.layers.7.*": KEEP}}, r"space.pin: 'model.layers.7.\*' matches no layer"),
        ({"pin": {"*.Q_proj": KEEP}}, r"space.pin: '\*.Q_proj' matches no layer"),
        (
            {"pin": {f"{FIRST}.mlp.up": KEEP}},
            f"unknown layer in space.pin '{FIRST}.mlp.up'; did you mean '{FIRST}.mlp.up_proj'",
        ),
        ({"pin": {"*.up_proj": DROP}}, "pin: model.layers.0.mlp.up_proj is a weight and cannot be dropped alone"),
        (
            {"pin": {"*.down_proj": quantize(4, 64)}},
            "pin: group_size 64 of rtn-int4-g64-sym does not divide the 96 input",
        ),
        ({"ties": "vlm"}, "unknown tie preset 'vlm'; did you mean 'vllm'"),
        ({"exclude": ("*",)}, "the space leaves no layer a choice"),
        ({"pin": {"*": INT8}}, "the space leaves no layer a choice"),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(asked: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        space_with(**asked)  # type: ignore[arg-type]


def test_a_glob_of_an_option_that_matches_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"space.layers: '\*.c_attn' matches no layer"):
        space_with(QuantizeSpec(bits=(4,), group_sizes=(32,), layers=("*.c_attn",)))


def test_a_part_is_not_quantized() -> None:
    with pytest.raises(
        InputError, match=r"pin: model.layers.0.mlp is a droppable part, so keep or drop it, got gptq-int8"
    ):
        space_with(OFFER, DropSpec(), pin={"*.mlp": INT8})


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(InputError, match="unknown droppable part 'atention'; did you mean 'attention'"):
        DropSpec(parts=("atention",))  # type: ignore[arg-type]


@pytest.mark.parametrize("pin", [{}, {"*.up_proj": KEEP}])
def test_a_space_without_options_is_refused(pin: dict[str, Option]) -> None:
    with pytest.raises(InputError, match="the space offers no option"):
        build_space(LLAMA, SpaceSpec(options=(), pin=pin))


def test_an_embedding_has_no_hessian_for_gptq() -> None:
    embedding = "model.embed_tokens is an embedding: its rows are looked up, .*solver gptq has no Hessian"
    with pytest.raises(InputError, match=embedding):
        space_with(include=("model.embed_tokens",))
    rtn = QuantizeSpec(bits=(4,), group_sizes=(32,), solver="rtn")
    with pytest.raises(InputError, match=embedding):
        space_with(rtn, include=("model.embed_tokens",), pin={"model.embed_tokens": INT8})
    assert "model.embed_tokens" in space_with(rtn, include=("model.embed_tokens",)).names
