"""Feasibility: extremes and conflicts of random small spaces, against trying every configuration."""

from __future__ import annotations

from itertools import combinations

import pytest
from hand_made import every, quantize, small_spaces, space_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import TINY

from spaces.budget import BUDGETS, make_budget
from spaces.build import build_space
from spaces.errors import BudgetError
from spaces.feasibility import Bound, conflict, extremes, least_excess, unit_costs
from spaces.option import DROP, KEEP, Option
from spaces.space import Measures, Space
from spaces.spec import DropSpec, QuantizeSpec, SpaceSpec

MEASURES = ("stored_bits", "nominal_bits", "parameters", "flops", "attentions", "mlps")


def values(space: Space) -> list[Measures]:
    return [space.measure(levels) for levels in every(space)]


def is_met(found: list[Measures], bounds: list[Bound]) -> bool:
    return any(all(getattr(each, measure) <= limit for measure, limit in bounds) for each in found)


@given(space=small_spaces())
@settings(max_examples=60, deadline=None)
def test_extremes_are_those_of_every_configuration(space: Space) -> None:
    found = values(space)
    for measure in MEASURES:
        ordered = sorted(getattr(each, measure) for each in found)
        assert extremes(space, measure) == (ordered[0], ordered[-1])


@given(space=small_spaces(), data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_conflict_is_found_exactly_where_no_configuration_meets_all(space: Space, data: st.DataObject) -> None:
    found = values(space)
    bounds = [
        (measure, data.draw(st.sampled_from(sorted({getattr(v, measure) for v in found})))) for measure in MEASURES
    ]
    clash = conflict(space, bounds)
    assert bool(clash) is not is_met(found, bounds)
    named = [bounds[number] for number in clash]
    for size in range(len(named)):  # each of them is needed
        assert all(is_met(found, list(some)) for some in combinations(named, size))
    assert not named or not is_met(found, named)


@given(space=small_spaces(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_smallest_value_beside_other_limits_is_that_of_every_configuration(
    space: Space, data: st.DataObject
) -> None:
    found = values(space)
    limit = data.draw(st.sampled_from([each.nominal_bits for each in found]))
    expected = min(each.stored_bits for each in found if each.nominal_bits <= limit)
    dense = space.kept_measures.stored_bits
    assert least_excess(space, ("stored_bits", dense), [("nominal_bits", limit)]) == expected - dense


def test_a_unit_s_costs_are_those_of_the_dense_model_with_it_alone_changed() -> None:
    space = space_of([([(2, 32)], [quantize(2), KEEP]), ([(2, 32)], [quantize(3), KEEP])])
    rest = 10 + 2 * (3 + 4)  # outside the blocks, and the biases and norms of two
    assert unit_costs(space, 0, "stored_bits") == [16 * (rest + 64) + 2 * (64 + 16), 16 * (rest + 128)]


def clashing() -> Space:
    """Two bits take more room than three here: 2 x 32 bits of codes and 64 of scales and zeros in each row."""
    return space_of([([(1, 64)], [quantize(3), quantize(2, 32, symmetric=False), KEEP])])


def test_limits_that_clash_are_named_with_a_value_that_would_do() -> None:
    space = clashing()
    three, two = (option.bits(1, 64, 16) for option in space.units[0].options[:2])
    assert (three.stored, two.stored) == (6 * 32 + 16, 4 * 32 + 2 * 16 + 2 * 32)
    rest = (10 + 7) * 16
    size = (rest + three.stored) // 8
    with pytest.raises(BudgetError, match=f"meets nominal_bits_per_weight 2 and size {size} together.*size to 62 B,"):
        make_budget({"nominal_bits_per_weight": 2, "dropped_attentions": 0, "size": size}, space)
    assert (rest + two.stored) / 8 == 62
    assert make_budget({"nominal_bits_per_weight": 2, "size": 62}, space).holds(space.measure((1,)))


def test_limits_of_a_large_space_are_found_to_clash_in_whole_bits() -> None:
    """Hundreds of layers of billions of bits: one bit less than needed must be seen, one enough must pass."""
    options: list[Option] = [quantize(3), quantize(2, 32, symmetric=False), KEEP]
    space = space_of([([(1, 64)] * 25, options)] * 4, rest=10**9)
    least_nominal, least_stored = (extremes(space, measure)[0] for measure in ("nominal_bits", "stored_bits"))
    excess = least_excess(space, ("stored_bits", least_stored), [("nominal_bits", least_nominal)])
    assert excess == 100 * 16  # each of 100 layers takes 224 bits instead of 208
    stored = least_stored + excess
    assert conflict(space, [("nominal_bits", least_nominal), ("stored_bits", stored)]) == ()
    assert conflict(space, [("nominal_bits", least_nominal), ("stored_bits", stored - 1)]) == (0, 1)
    assert set(MEASURES) == {rule.measure for rule in BUDGETS.values()}


@pytest.mark.parametrize("pin", [{}, {"model.layers.0": DROP}], ids=["free", "a block pinned away"])
@pytest.mark.parametrize("measure", MEASURES)
def test_unit_costs_equal_measuring_the_whole_model(measure: str, pin: dict[str, Option]) -> None:
    options = (QuantizeSpec(bits=(2, 4), group_sizes=(32,)), DropSpec(parts=("attention", "block")))
    space = build_space(TINY["llama"].anatomy(), SpaceSpec(options=options, ties="vllm", pin=pin))
    for number, unit in enumerate(space.units):
        changed = [[*space.kept[:number], level, *space.kept[number + 1 :]] for level in range(len(unit.options))]
        assert unit_costs(space, number, measure) == [getattr(space.measure(levels), measure) for levels in changed]
