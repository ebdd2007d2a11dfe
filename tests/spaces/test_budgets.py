"""Several budgets in one: lists and points become exact limits, and what means nothing is refused by name."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product

import pytest
from hand_made import quantize, space_of
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.budget import make_budget
from spaces.budgets import at_budgets, limit_named, make_budgets, nearest_budget, show_budgets, varied_limit
from spaces.constraints import make_constraints
from spaces.errors import BudgetError, InputError
from spaces.feasibility import reach
from spaces.option import DROP, KEEP
from spaces.space import Space

BITS = "nominal_bits_per_weight"


@pytest.fixture(scope="module")
def space() -> Space:
    """Four weights of 60 in two blocks, at 2, 4 or 16 bits; the second attention may be dropped."""
    return space_of([([(10, 6), (10, 6)], [quantize(2), quantize(4), KEEP])] * 2, drops=["block1.attn"])


def limits(name: str, asked: dict[str, object], space: Space) -> list[int]:
    return [limit_named(name, budget).limit for budget in make_budgets(asked, space)]


def written(name: str, asked: dict[str, object], space: Space) -> list[str]:
    return [limit_named(name, budget).written for budget in make_budgets(asked, space)]


def test_a_plain_budget_is_the_only_one(space: Space) -> None:
    assert make_budgets({BITS: 3}, space) == (make_budget({BITS: 3}, space),)
    assert varied_limit({BITS: "3", "size": 900}) is None
    assert at_budgets({BITS: "3"}, ()) == [{BITS: "3"}]


def test_a_list_is_sorted_from_the_tightest_on_and_the_other_limits_stay(space: Space) -> None:
    asked: dict[str, object] = {"size": "900B", BITS: [4, 2.5, "3.25"]}
    assert limits(BITS, asked, space) == [600, 780, 960]
    assert {limit_named("size", budget).limit for budget in make_budgets(asked, space)} == {7200}
    assert varied_limit(asked) == BITS
    assert show_budgets(BITS, make_budgets(asked, space)) == f"{BITS} 2.5 to 4 (3 budgets), size 900B"
    assert show_budgets(BITS, make_budgets({BITS: [3]}, space)) == f"{BITS} 3"
    assert at_budgets(asked, make_budgets(asked, space))[0] == {"size": "900B", BITS: "2.5"}


def test_of_what_must_be_reached_more_is_tighter(space: Space) -> None:
    assert written("dropped_attentions", {"dropped_attentions": [0, 1]}, space) == ["1", "0"]
    assert written("dropped_attentions", {"dropped_attentions": {"points": 2}}, space) == ["1", "0"]


@given(count=st.integers(2, 40), ends=st.tuples(st.integers(200, 1600), st.integers(200, 1600)))
def test_points_are_evenly_spread_to_the_bit(count: int, ends: tuple[int, int]) -> None:
    space = space_of([([(10, 6), (10, 6)], [quantize(2), quantize(4), KEEP])] * 2)
    low, high = (Fraction(end, 100) for end in sorted(ends))
    if high - low < Fraction(1, 2):
        return
    asked: dict[str, object] = {BITS: {"points": count, "from": float(low), "to": float(high)}}
    found = limits(BITS, asked, space)
    assert (found[0], found[-1]) == (int(low * 240), int(high * 240))
    even = [found[0] + (found[-1] - found[0]) * n / (count - 1) for n in range(count)]
    assert all(abs(own - exact) <= 1 for own, exact in zip(found, even, strict=True))


def test_points_without_ends_go_from_the_smallest_to_the_largest_feasible_value(space: Space) -> None:
    pinned = space_of([([(10, 6)], [quantize(2), quantize(4), KEEP])] * 2)
    assert written(BITS, {BITS: {"points": 3}}, pinned) == ["2", "9", "16"]
    assert written(BITS, {BITS: {"points": 3, "to": 4}}, pinned) == ["2", "3", "4"]
    assert written(BITS, {BITS: {"points": 2, "from": 2.5}}, pinned) == ["2.5", "16"]
    assert limits(BITS, {BITS: {"points": 2}}, space) == [240, 3840]  # a block dropped, or all kept


def brute(space: Space, measure: str, holds: object) -> list[int]:
    every = product(*(range(len(unit.options)) for unit in space.units))
    return [int(getattr(space.measure(levels), measure)) for levels in every if holds(levels)]  # type: ignore[operator]


@settings(max_examples=25)  # each solves integer programs
@given(st.integers(2700, 9000), st.integers(0, 2))
def test_points_go_to_what_the_other_limits_and_constraints_leave(size_bits: int, at_most: int) -> None:
    space = space_of([([(10, 6), (10, 6)], [quantize(2), quantize(4), KEEP])] * 2, drops=["block1.attn"])
    constraints = make_constraints([{"at_most": at_most, "option": "keep", "layers": "*w*"}], space)

    def holds(levels: tuple[int, ...]) -> bool:
        return space.measure(levels).stored_bits <= size_bits and all(rule.holds(space, levels) for rule in constraints)

    values = brute(space, "nominal_bits", holds)
    if values:
        found = reach(space, "nominal_bits", [("stored_bits", size_bits), *constraints])
        assert found == (min(values), max(values))


def test_a_dropped_part_counts_once_in_what_can_be_reached() -> None:
    space = space_of([([(10, 6)], [quantize(2), KEEP])] * 2, drops=["block1.attn"])
    assert DROP in space.units[-1].options
    values = brute(space, "stored_bits", lambda levels: space.measure(levels).attentions <= 1)
    assert reach(space, "stored_bits", [("attentions", 1)]) == (min(values), max(values))


def test_the_nearest_budget_is_found_in_a_measure_that_both_limit(space: Space) -> None:
    budgets = make_budgets({BITS: [2, 3, 4]}, space)
    assert [nearest_budget(make_budget({BITS: bits}, space), budgets) for bits in (2.4, 2.6, 9)] == [0, 1, 2]
    assert nearest_budget(make_budget({"dropped_attentions": 1}, space), budgets) == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({BITS: []}, f"{BITS} must list at least one value, got []"),
        ({BITS: [3, 4, "3.0"]}, f"{BITS} lists 3 and 3.0, which are one limit"),
        ({BITS: [3, True]}, f"{BITS} must be a number or a text such as 1.5GiB, got True"),
        ({BITS: [3, [4]]}, "got [4]"),
        ({BITS: [3], "size": ["1kB"]}, f"only one limit of a budget may have several values, got {BITS} and size"),
        ({BITS: {"points": 1}}, f"budget.{BITS}.points must be a whole number from 2 to 256, got 1"),
        ({BITS: {"points": "9"}}, "got '9'"),
        ({BITS: {"points": True}}, "got True"),
        ({BITS: {"from": 2, "to": 3}}, "got None"),
        ({BITS: {"point": 9}}, f"unknown key of budget.{BITS} 'point'; did you mean 'points'"),
        ({BITS: {"points": 3, "from": 4, "to": 3}}, "from must be below to, got 4 and 3; exchange them"),
        ({BITS: {"points": 3, "from": 4, "to": 4}}, "got 4 and 4"),
        ({"dropped_attentions": {"points": 2, "from": 1, "to": 0}}, "from must be below to, got 1 and 0"),
        ({"dropped_attentions": {"points": 3}}, "has 2 values at most between 1 and 0, got points: 3"),
        ({"nominal_bits": [3]}, f"unknown budget 'nominal_bits'; did you mean '{BITS}'"),
    ],
)
def test_what_is_not_several_budgets_is_refused(asked: dict[str, object], message: str, space: Space) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make_budgets(asked, space)


@pytest.mark.parametrize("value", [[0.9, 3], [3, 0.9], {"points": 3, "from": 0.9}])
def test_a_value_that_nothing_meets_is_named_with_those_that_can_be(value: object, space: Space) -> None:
    with pytest.raises(BudgetError, match=rf"{BITS} must be at least 1\.0000 .* got 0\.9; .* from 1\.0000 to 16\.0000"):
        make_budgets({BITS: value}, space)


def test_a_value_that_nothing_meets_beside_a_constraint_is_named(space: Space) -> None:
    kept = make_constraints([{"at_most": 0, "option": "drop", "layers": "*attn"}], space)
    with pytest.raises(BudgetError, match=rf"no configuration .* {BITS} 1 .* together"):
        make_budgets({BITS: [4, 1]}, space, kept)
    low, high = (limit_named(BITS, budget) for budget in make_budgets({BITS: {"points": 2}}, space, kept))
    assert (low.written, high.written) == ("2", "16")
