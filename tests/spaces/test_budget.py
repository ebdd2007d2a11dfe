"""Budgets: what people write becomes exact whole limits, and what cannot be met is refused with what can."""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor

import pytest
from hand_made import quantize, space_of
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import TINY

from spaces.budget import BUDGETS, feasible_range, make_budget, parse_count, parse_flops, parse_size, show_size
from spaces.build import build_space
from spaces.errors import BudgetError, InputError
from spaces.option import KEEP
from spaces.space import Measures, Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec


@pytest.fixture(scope="module")
def space() -> Space:
    """Both blocks' 60 weights take 2 bits at least; 30 parameters beside them stay as they are."""
    return space_of([([(10, 6)], [quantize(2), KEEP])] * 2, rest=16, drops=["block1.attn"])


@pytest.fixture(scope="module")
def llama() -> Space:
    return build_space(
        TINY["llama"].anatomy(), SpaceSpec(options=(QuantizeSpec(bits=(4,), group_sizes=(32,)), DropSpec()))
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ("12B", 12),
        ("1.5GiB", 3 * 2**29),
        ("1.5 gib", 3 * 2**29),
        ("12MB", 12_000_000),
        ("12MiB", 12 * 2**20),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("2TB", 2 * 10**12),
        ("2TiB", 2 * 2**40),
        ("1,234,567", 1_234_567),
        ("1_000", 1000),
        ("1.5e9", 1_500_000_000),
        ("1e+16", 10**16),
        ("0.1KB", 100),
        ("0.0019KB", 1),  # 1.9 bytes hold one byte, never two
        (" 7 kb ", 7000),
    ],
)
def test_sizes_read_exactly(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-1",
        "nan",
        "inf",
        "1.5GiBs",
        "1,5GB",
        "1.2.3MB",
        "GB",
        "1e999999999",
        "1/2",
        "٣MB",
        "0x10",
        "1 000",
        "+1",
    ],
)
def test_sizes_that_do_not_read_are_refused_with_their_value(text: str) -> None:
    with pytest.raises(
        InputError, match=re.escape(f"size must be written like 1.5GiB, 12MB or a number of bytes, got {text!r}")
    ):
        parse_size(text)


@pytest.mark.parametrize(("text", "count"), [("6.5B", 6_500_000_000), ("800M", 800_000_000), ("1.1k", 1100), ("7", 7)])
def test_counts_read_exactly(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize(
    ("text", "flops"), [("1.5G", 1_500_000_000), ("20M", 20_000_000), ("2t", 2 * 10**12), ("7", 7)]
)
def test_flops_read_exactly(text: str, flops: int) -> None:
    assert parse_flops(text) == flops


@given(bytes_=st.integers(0, 10**15))
def test_a_size_shown_in_an_error_reads_as_itself(bytes_: int) -> None:
    shown = BUDGETS["size"].show(bytes_ * 8, space_of([([(1, 1)], [KEEP])]))
    assert parse_size(shown) == bytes_


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (12_346, "12.346 kB"), (12_345_678, "12.346 MB"), (2.5e9, "2.500 GB")],
)
def test_sizes_are_shown_as_people_read_them(size: float, shown: str) -> None:
    assert show_size(size) == shown


@pytest.mark.parametrize(
    ("name", "value", "measure", "limit"),
    [
        ("bits_per_weight", 8, "stored_bits", 8 * 150),
        ("bits_per_weight", 8.1, "stored_bits", 1215),  # exactly: 8.1 in binary times 150 is 1214.99...
        ("bits_per_weight", "7.77777", "stored_bits", 1166),
        ("nominal_bits_per_weight", 2.3, "nominal_bits", 276),  # 2.3 * 120 is 275.99... in binary
        ("nominal_bits_per_weight", "3", "nominal_bits", 360),
        ("size", "1KB", "stored_bits", 8000),
        ("size", 1000, "stored_bits", 8000),
        ("parameters", "0.1k", "parameters", 100),
        ("flops", "0.2K", "flops", 200),
        ("dropped_attentions", 1, "attentions", 1),  # of two, at most one is kept
        ("dropped_attentions", "0", "attentions", 2),
        ("dropped_mlps", 0, "mlps", 0),
    ],
)
def test_limits_are_exact_whole_numbers(space: Space, name: str, value: object, measure: str, limit: int) -> None:
    assert space.anatomy.num_parameters == 2 * 60 + 2 * 7 + 16
    (found,) = make_budget({name: value}, space).limits
    assert (found.name, found.measure, found.limit, found.written) == (name, measure, limit, str(value))


@given(rate=st.decimals(min_value=10, max_value=100, places=3))
def test_a_rate_never_gains_a_bit_by_rounding(rate: object) -> None:
    space = space_of([([(10, 6)], [quantize(2), KEEP])] * 2)
    (limit,) = make_budget({"bits_per_weight": str(rate)}, space).limits
    assert limit.limit == floor(Fraction(str(rate)) * space.anatomy.num_parameters)


def measures(**changes: int) -> Measures:
    return Measures(
        **({"stored_bits": 8, "nominal_bits": 8, "parameters": 8, "flops": 8, "attentions": 8, "mlps": 8} | changes)
    )


def test_a_limit_holds_up_to_its_last_bit_and_not_beyond(space: Space) -> None:
    budget = make_budget({"size": 200, "nominal_bits_per_weight": 3}, space)
    assert budget.holds(measures(stored_bits=1600, nominal_bits=360))
    assert not budget.holds(measures(stored_bits=1601, nominal_bits=360))
    assert not budget.holds(measures(stored_bits=1600, nominal_bits=361))
    assert str(budget) == "size 200, nominal_bits_per_weight 3"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        # one weight at 2 bits is 10 rows of a word and a scale, 480 bits, the other is dropped: 30 - 3 parameters stay
        ({"size": 113}, "size must be at least 114 B for this space, got 113; feasible values go from 114 B to 300 B"),
        ({"size": 0}, "size must be at least 114 B for this space, got 0;"),
        ({"bits_per_weight": 6}, r"bits_per_weight must be at least 6\.0800 for .* from 6\.0800 to 16\.0000"),
        ({"nominal_bits_per_weight": "0.999"}, r"must be at least 1\.0000 for this space, got 0\.999; .* to 16\.0000"),
        ({"parameters": 86}, "parameters must be at least 87 for this space, got 86; .* from 87 to 150"),
        # the other weight of 60 is multiplied with each token, at 2 FLOPs each
        ({"flops": 119}, "flops must be at least 120 for this space, got 119; feasible values go from 120 to 240"),
        ({"dropped_attentions": 2}, "dropped_attentions must be at most 1 for this space, got 2; .* go from 0 to 1"),
        ({"dropped_mlps": 1}, "dropped_mlps must be at most 0 for this space, got 1; feasible values go from 0 to 0"),
    ],
)
def test_what_no_configuration_meets_is_refused_with_what_one_does(
    space: Space, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(BudgetError, match=message):
        make_budget(asked, space)


@pytest.mark.parametrize("name", BUDGETS)
def test_both_ends_of_the_feasible_range_are_feasible_as_they_are_written(llama: Space, name: str) -> None:
    for value in feasible_range(name, llama):
        assert make_budget({name: value.replace(",", "")}, llama).limits[0].limit >= 0


def test_the_range_of_dropped_parts_goes_from_none_to_all(llama: Space) -> None:
    assert feasible_range("dropped_attentions", llama) == ("0", "2")


def test_several_limits_hold_together(llama: Space) -> None:
    budget = make_budget({"size": "140KB", "dropped_mlps": 1, "parameters": "60K"}, llama)
    smallest = llama.measure((0,) * len(llama.units))
    assert budget.holds(smallest)
    assert not budget.holds(llama.measure(llama.kept))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "budget must have at least one limit; choose from bits_per_weight,"),
        ({"bits": 3}, "unknown budget 'bits'; "),
        ({"bits_per_wait": 3}, "unknown budget 'bits_per_wait'; did you mean 'bits_per_weight'"),
        ({"size": True}, "size must be a number or a text such as 1.5GiB, got True"),
        ({"size": None}, "got None"),
        ({"size": [3]}, r"got \[3\]"),
        ({"bits_per_weight": -3}, "bits_per_weight must be a number that is not negative, such as 3 or 2.5, got '-3'"),
        ({"bits_per_weight": float("nan")}, "got 'nan'"),
        ({"bits_per_weight": float("inf")}, "got 'inf'"),
        ({"bits_per_weight": "abc"}, "got 'abc'"),
        ({"bits_per_weight": "1e999999999"}, "got '1e999999999'"),
        ({"nominal_bits_per_weight": "3 bits"}, "nominal_bits_per_weight must be a number .* got '3 bits'"),
        (
            {"parameters": "6.5 billion"},
            "parameters must be written like 6.5B, 800M or a plain number, got '6.5 billion'",
        ),
        ({"flops": "20 MFLOPs"}, "flops must be written like 1.5G, 20M or a plain number, got '20 MFLOPs'"),
        ({"dropped_attentions": 1.5}, "dropped_attentions must be a whole number, got '1.5'"),
        ({"dropped_attentions": -1}, "dropped_attentions must be a whole number, got '-1'"),
        ({"dropped_mlps": "²"}, "dropped_mlps must be a whole number, got '²'"),
    ],
)
def test_what_does_not_read_is_refused_with_its_value(space: Space, asked: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_budget(asked, space)


def test_nominal_bits_of_a_space_without_weights_are_refused() -> None:
    space = build_space(TINY["llama"].anatomy(), SpaceSpec(options=(DropSpec(),)))
    with pytest.raises(InputError, match=r"only drops parts; limit bits_per_weight, size .* nominal_bits_per_weight 3"):
        make_budget({"nominal_bits_per_weight": 3}, space)
