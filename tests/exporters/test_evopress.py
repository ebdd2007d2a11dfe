"""EvoPress' text files, read and written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.evopress import read_evopress, write_evopress
from spaces.configuration import Configuration
from spaces.errors import InputError
from spaces.ggml import TYPES
from spaces.option import DROP, KEEP, Option, Quantize

WORDS = ("none", "attn", "mlp", "attn+mlp")


def gptq(_layer: str, bits: int) -> Option:
    return Quantize(bits_per_code=bits, group_size=128, symmetric=False, solver="gptq")


def test_a_level_file_reads_as_bit_widths() -> None:
    text = "model.layers.0.self_attn.q_proj: 3\nmodel.layers.0.mlp.up_proj: 2\n\n"
    configuration = read_evopress(text, gptq)
    assert configuration["model.layers.0.self_attn.q_proj"] == gptq("", 3)
    assert configuration["model.layers.0.mlp.up_proj"] == gptq("", 2)


@given(st.dictionaries(st.integers(0, 99).map("model.layers.{}.mlp.up_proj".format), st.integers(2, 8), min_size=1))
def test_levels_survive_a_round_trip(levels: dict[str, int]) -> None:
    configuration = Configuration.of({name: gptq(name, bits) for name, bits in levels.items()})
    assert read_evopress(write_evopress(configuration), gptq) == configuration


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=40))
def test_drops_survive_a_round_trip(words: list[str]) -> None:
    text = "".join(f"{word}\n" for word in words)
    configuration = read_evopress(text, gptq)
    assert write_evopress(configuration) == text
    for number, word in enumerate(words):
        assert (configuration[f"model.layers.{number}.self_attn"] == DROP) == ("attn" in word)
        assert (configuration[f"model.layers.{number}.mlp"] == DROP) == ("mlp" in word)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("a.b: 3\na.b: 4\n", r"line 2: 'a\.b' has a level already"),
        ("a.b: three\n", r"line 1: expected 'layer: bit-width' with a whole number, got 'a\.b: three'"),
        ("none\natn\n", r"unknown drop on line 2 'atn'; did you mean 'attn'"),
        ("a.b: 9\n", r"bits must be a whole number from 2 to 8, got 9"),
    ],
)
def test_a_bad_file_is_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_evopress(text, gptq)


def test_a_block_that_the_search_left_out_has_a_line_of_its_own() -> None:
    dropped = Configuration.of({"model.layers.2.self_attn": DROP, "model.layers.5.mlp": DROP})
    text = "none\nnone\nattn\nnone\nnone\nmlp\n"
    assert write_evopress(dropped) == text
    assert write_evopress(dropped, num_blocks=8) == text + "none\nnone\n"
    read = read_evopress(text, gptq)
    assert [name for name in read.names if read[name] == DROP] == ["model.layers.2.self_attn", "model.layers.5.mlp"]


def test_ggml_types_are_no_bit_widths() -> None:
    for options in ({"a": TYPES["q4_k"]}, {"a": TYPES["q4_k"], "b": gptq("b", 3)}):
        with pytest.raises(InputError, match="holds bit-widths of kind quantize, got a: ggml-q4_k; export gguf"):
            write_evopress(Configuration.of(options))


def test_what_the_format_cannot_say_is_refused() -> None:
    other = Quantize(bits_per_code=3, group_size=64, symmetric=False, solver="gptq")
    with pytest.raises(InputError, match="gptq-int3-g128-asym, gptq-int3-g64-asym"):
        write_evopress(Configuration.of({"a": gptq("a", 3), "b": other}))
    with pytest.raises(InputError, match=r"got model\.layers\.0\.mlp\.up_proj: gptq-int3-g128-asym"):
        write_evopress(Configuration.of({"model.layers.0.mlp.up_proj": gptq("", 3), "model.layers.0.self_attn": KEEP}))
