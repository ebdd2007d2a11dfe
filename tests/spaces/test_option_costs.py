"""Options: what each costs, by formulas worked out by hand, and how each is written."""

from __future__ import annotations

import pytest
from hand_made import quantize
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InputError
from spaces.option import BIT_WIDTHS, DROP, GROUP_SIZES, KEEP, OPTION_KINDS, SOLVERS, Bits, parse_option


@pytest.mark.parametrize("dense_bits", [16, 32])
def test_keep_costs_its_dense_elements_and_drop_nothing(dense_bits: int) -> None:
    assert KEEP.bits(96, 64, dense_bits) == Bits(stored=6144 * dense_bits, nominal=6144 * dense_bits)
    assert DROP.bits(96, 64, dense_bits) == Bits(stored=0, nominal=0)


@pytest.mark.parametrize(
    ("bits", "group", "symmetric", "rows", "columns", "stored"),
    [
        # symmetric, words filled: bits for each code, 16 for each group of a row
        (4, 128, True, 4096, 4096, 4096 * 4096 * 4 + 4096 * 32 * 16),
        (8, None, True, 4096, 4096, 4096 * 4096 * 8 + 4096 * 16),
        (3, 32, True, 64, 64, 64 * 64 * 3 + 64 * 2 * 16),  # 192 bits in a row are 6 words
        # asymmetric: a zero point of as many bits for each group of a row, packed along the rows
        (4, 128, False, 4096, 4096, 4096 * 4096 * 4 + 4096 * 32 * 16 + 4096 * 32 * 4),
        (2, 64, False, 96, 128, 96 * 128 * 2 + 96 * 2 * 16 + 96 * 2 * 2),
        # a row of 10 codes of 3 bits fills 30 bits of one word
        (3, None, True, 5, 10, 5 * 32 + 5 * 16),
        (3, None, True, 5, 11, 5 * 64 + 5 * 16),  # 33 bits take two
        # 5 rows of zero points of 3 bits fill 15 bits of one word
        (3, None, False, 5, 10, 5 * 32 + 5 * 16 + 32),
        (5, 32, False, 7, 96, 7 * 15 * 32 + 7 * 3 * 16 + 3 * 64),  # 35 bits of zeros take two words, for each group
        (2, None, False, 1, 1, 32 + 16 + 32),
    ],
)
def test_quantize_costs_codes_scales_and_zeros_in_whole_words(
    bits: int, group: int | None, symmetric: bool, rows: int, columns: int, stored: int
) -> None:
    found = quantize(bits, group, symmetric=symmetric).bits(rows, columns, 16)
    assert found == Bits(stored=stored, nominal=rows * columns * bits)


@given(
    bits=st.sampled_from(BIT_WIDTHS),
    group=st.sampled_from([None, *GROUP_SIZES]),
    symmetric=st.booleans(),
    solver=st.sampled_from(SOLVERS),
)
def test_a_slug_names_one_option(bits: int, group: int | None, symmetric: bool, solver: str) -> None:
    option = quantize(bits, group, symmetric=symmetric, solver=solver)
    assert parse_option(option.slug) == option
    assert option.slug == (
        f"{solver}-int{bits}-{'channel' if group is None else f'g{group}'}-{'sym' if symmetric else 'asym'}"
    )


def test_keep_and_drop_are_written_as_they_are_called() -> None:
    assert (parse_option("keep"), parse_option("drop")) == (KEEP, DROP)
    assert list(OPTION_KINDS) == ["keep", "quantize", "drop", "ggml"]


@pytest.mark.parametrize(
    ("slug", "message"),
    [
        ("kep", "unknown option 'kep'; write keep, drop"),
        ("gptq-int4", "unknown option 'gptq-int4'"),
        ("KEEP", "unknown option 'KEEP'"),
        ("", "unknown option ''"),
        ("gtpq-int4-g128-asym", "unknown quantize solver 'gtpq'; did you mean 'gptq'"),
        ("gptq-int9-g128-asym", "bits must be a whole number from 2 to 8, got 9"),
        ("gptq-int1-g128-asym", "bits must be a whole number from 2 to 8, got 1"),
        ("gptq-int4-g100-asym", "group_size must be one of 32, 64, 128 or channel, got 100"),
        ("gptq-int" + "4" * 5000 + "-g32-sym", "unknown option 'gptq-int444"),
    ],
)
def test_an_option_that_does_not_read_is_refused_with_its_value(slug: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_option(slug)


@pytest.mark.parametrize(("group", "columns", "divides"), [(None, 7, True), (32, 96, True), (64, 96, False)])
def test_groups_divide_whole_rows(group: int | None, columns: int, divides: bool) -> None:
    assert quantize(4, group).divides(columns) is divides
