"""Configurations: one canonical form and hash, written and read, and checked against a space."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hand_made import every, quantize, space_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import TINY

from spaces.build import build_space
from spaces.configuration import ID_LENGTH, Configuration
from spaces.errors import InputError
from spaces.option import BIT_WIDTHS, DROP, KEEP, Option
from spaces.space import Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

FIRST = "model.layers.0"
OPTIONS: list[Option] = [KEEP, DROP, *(quantize(bits, 32) for bits in BIT_WIDTHS)]
mappings = st.dictionaries(st.text(max_size=8), st.sampled_from(OPTIONS), max_size=8)


@pytest.fixture(scope="module")
def space() -> Space:
    options = (QuantizeSpec(bits=(4, 8), group_sizes=(32,)), DropSpec(parts=("attention", "block")))
    return build_space(TINY["llama"].anatomy(), SpaceSpec(options=options, ties="vllm"))


@given(mapping=mappings, source=st.randoms())
def test_the_order_it_was_written_in_changes_nothing(mapping: dict[str, Option], source: random.Random) -> None:
    names = list(mapping)
    source.shuffle(names)
    one, other = Configuration.of(mapping), Configuration.of({name: mapping[name] for name in names})
    assert one == other
    assert (one.hash, one.id, one.names) == (other.hash, other.id, other.names)
    assert sorted(one.names) == sorted(mapping)


def test_block_2_comes_before_block_10() -> None:
    assert Configuration.of({f"layers.{n}.up": KEEP for n in (10, 2, 1)}).names == [
        "layers.1.up",
        "layers.2.up",
        "layers.10.up",
    ]


@given(mapping=mappings, other=mappings)
def test_different_configurations_have_different_hashes(mapping: dict[str, Option], other: dict[str, Option]) -> None:
    assert (Configuration.of(mapping).hash == Configuration.of(other).hash) is (mapping == other)


def test_the_hash_is_that_of_the_sorted_slugs_and_the_id_its_beginning() -> None:
    configuration = Configuration.of({"b": KEEP, "a": quantize(4)})
    expected = hashlib.sha256(b'[["a","rtn-int4-channel-sym"],["b","keep"]]').hexdigest()
    assert (configuration.hash, configuration.id) == (expected, expected[:ID_LENGTH])


@given(mapping=mappings)
def test_what_is_dumped_reads_as_itself(mapping: dict[str, Option]) -> None:
    configuration = Configuration.of(mapping)
    assert Configuration.parse(configuration.dump()) == configuration
    assert Configuration.parse(configuration.dump(sorted(mapping, reverse=True))) == configuration


def test_a_dump_has_one_line_for_each_layer_in_the_order_given() -> None:
    text = Configuration.of({"a": KEEP, "b": quantize(3, 64, symmetric=False, solver="gptq")}).dump(["b", "a"])
    assert text == '{\n  "b": "gptq-int3-g64-asym",\n  "a": "keep"\n}\n'


def test_layers_are_looked_up_by_name() -> None:
    configuration = Configuration.of({"a": DROP})
    assert (configuration["a"], "a" in configuration, "b" in configuration) == (DROP, True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the configuration is not JSON: Expecting value"),
        ('{"a": "keep",}', "the configuration is not JSON"),
        ("[" * 100_000, "the configuration is not JSON"),
        ('["keep"]', "must be one JSON object"),
        ('{"a": 4}', "must be one JSON object"),
        ('{"a": {"b": "keep"}}', "must be one JSON object"),
        ('{"a": "keep", "b": "keep", "a": "drop"}', "names 'a' more than once; leave one line"),
        ('{"a": "gptq-int9-g32-sym"}', "a: bits must be a whole number from 2 to 8, got 9"),
        ('{"model.x": "dorp"}', "model.x: unknown option 'dorp'"),
    ],
)
def test_what_does_not_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Configuration.parse(text)


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_levels_of_a_configuration_configure_the_same_one(space: Space, data: st.DataObject) -> None:
    levels = tuple(data.draw(st.integers(0, len(unit.options) - 1)) for unit in space.units)
    configuration = space.configure(levels)
    again = space.levels(configuration)
    assert space.configure(again) == configuration
    assert space.measure(again) == space.measure(levels)


def test_all_levels_that_differ_only_inside_dropped_parts_are_one_configuration() -> None:
    space = space_of([([(2, 32)], [quantize(2), quantize(4), KEEP])], drops=["block0", "block0.attn"])
    found = {space.configure(levels).hash for levels in every(space)}
    assert len(list(every(space))) == 3 * 2 * 2
    assert len(found) == 3 + 1 + 1  # a choice of weight, or no attention, or no block


def test_what_lies_in_a_dropped_part_is_written_as_dropped(space: Space) -> None:
    levels = list(space.kept)
    levels[next(n for n, unit in enumerate(space.units) if space.layers[unit.layers[0]].name == FIRST)] = 0
    dropped = space.configure(levels)
    inside = {name for name in space.names if name == FIRST or name.startswith(f"{FIRST}.")}
    assert {name for name in space.names if dropped[name] == DROP} == inside


def kept(space: Space) -> dict[str, Option]:
    return dict(space.configure(space.kept).options)


def test_a_hand_edit_may_leave_options_inside_a_dropped_part(space: Space) -> None:
    by_hand = Configuration.of(kept(space) | {f"{FIRST}.self_attn": DROP})
    canonical = space.configure(space.levels(by_hand))
    assert by_hand.hash != canonical.hash
    assert canonical[f"{FIRST}.self_attn.q_proj"] == DROP


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {f"{FIRST}.self_attn.q_prod": KEEP},
            rf"unknown layer '{FIRST}.self_attn.q_prod'; did you mean '{FIRST}.self_attn.q_proj'",
        ),
        ({"lm_head": KEEP}, "unknown layer 'lm_head'; known: model.layers.0.self_attn.q_proj, "),
        (
            {f"{FIRST}.mlp.down_proj": quantize(4, 32)},
            rf"option rtn-int4-g32-sym is not open to {FIRST}.mlp.down_proj; its options are gptq-int4-.*, keep$",
        ),
        ({f"{FIRST}.mlp.down_proj": DROP}, f"option drop is not open to {FIRST}.mlp.down_proj"),
        (
            {f"{FIRST}.self_attn": quantize(4, 32)},
            f"option rtn-int4-g32-sym is not open to {FIRST}.self_attn; its options are drop, keep",
        ),
        (
            {f"{FIRST}.mlp.up_proj": quantize(4, 32)},
            rf"{FIRST}.mlp.gate_proj: keep, {FIRST}.mlp.up_proj: rtn-int4-g32-sym are tied \(ties: vllm\)",
        ),
    ],
)
def test_what_does_not_fit_the_space_is_refused(space: Space, changes: dict[str, Option], message: str) -> None:
    with pytest.raises(InputError, match=message):
        space.levels(Configuration.of(kept(space) | changes))


def test_missing_layers_are_counted_and_the_first_named(space: Space) -> None:
    some = {name: option for name, option in kept(space).items() if "mlp" not in name}
    with pytest.raises(InputError, match=rf"leaves out 6 of 18 layers, the first '{FIRST}.mlp.gate_proj'; give every"):
        space.levels(Configuration.of(some))


def test_a_file_that_dump_wrote_has_unique_names(space: Space) -> None:
    text = space.configure(space.kept).dump(space.names)
    assert list(json.loads(text)) == space.names
