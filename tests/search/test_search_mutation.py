"""Level switches: their number, what they conserve, and what is thrown away."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from synthetic_search import limit, make_problem, quantize, tiny_space

from search.mutation import GROUPS, children, group_units, num_flips, switch_globally, switch_in_groups
from search.repair import draw, lower_until_it_holds, raise_while_it_holds
from search.sampling.fitting import drawn
from search.sampling.rules import Rules
from search.scores.score import hidden_units
from search.strategy import Problem
from spaces.budget import extremes
from spaces.errors import InputError
from spaces.space import Levels
from spaces.spec import DropSpec, QuantizeSpec


def at_bits(bits: int, problem: Problem) -> Levels:
    return tuple(
        next(level for level, option in enumerate(unit.options) if f"int{bits}-" in option.slug)
        for unit in problem.space.units
    )


def bits_problem(num_blocks: int = 3, budget: float = 3.0, seed: int = 0) -> Problem:
    space = tiny_space(num_blocks, quantize(2, 3, 4, 5, 6))
    return make_problem(space, {"nominal_bits_per_weight": budget}, seed=seed)


def test_one_two_or_three_flips_come_five_three_and_one_times_in_nine() -> None:
    rng = np.random.default_rng(0)
    draws = np.array([num_flips(rng) for _ in range(18_000)])
    counts = np.array([(draws == flips).sum() for flips in (1, 2, 3)])
    assert counts.sum() == 18_000
    expected = np.array([10_000, 6_000, 2_000])
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 27.6  # 2 degrees of freedom: fails for one seed in a million


def test_switches_inside_groups_of_equal_size_conserve_nominal_bits() -> None:
    problem = bits_problem()
    groups = group_units(problem.space, "equal-size")
    assert sorted(map(len, groups)) == [6, 6, 9]  # q and o; k and v; gate, up and down: three blocks of each
    parent, rng = at_bits(3, problem), np.random.default_rng(1)
    for _ in range(300):
        child = switch_in_groups(parent, groups, problem, rng)
        for group in groups:
            assert sum(child[unit] - parent[unit] for unit in group) == 0
        assert sum(child[unit] != parent[unit] for unit in range(len(parent))) <= 6
        assert problem.space.measure(child).nominal_bits == problem.space.measure(parent).nominal_bits


def test_groups_are_drawn_by_their_number_of_units() -> None:
    problem = bits_problem()
    groups = group_units(problem.space, "last-name")
    assert len(groups) == 7
    assert all(len(group) == 3 for group in groups)
    merged = [[0, 1, 2], list(range(3, 21))]
    parent, rng = at_bits(3, problem), np.random.default_rng(2)
    touched = np.zeros(2)
    for _ in range(4000):
        child = switch_in_groups(parent, merged, problem, rng)
        for index, group in enumerate(merged):
            touched[index] += any(child[unit] != parent[unit] for unit in group)
    # a switch in a group of n does nothing with probability 1/n; P(touched) sums over 1, 2, 3 flips, closed form
    for index, group in enumerate(merged):
        hit = len(group) / 21 * (1 - 1 / len(group))
        missed = 5 / 9 * (1 - hit) + 3 / 9 * (1 - hit) ** 2 + 1 / 9 * (1 - hit) ** 3
        # two or three flips may undo each other, hence the small allowance; 5 standard deviations beside
        assert touched[index] / 4000 == pytest.approx(1 - missed, abs=0.03 + 5 * np.sqrt(0.25 / 4000))


def test_parts_trade_with_parts_of_their_kind() -> None:
    space = tiny_space(3, quantize(2, 4), DropSpec())
    for groups in ("equal-size", "last-name"):
        kinds = [{space.layers[space.units[n].layers[0]].part for n in group} for group in group_units(space, groups)]
        assert all(len(kind) == 1 for kind in kinds)
        assert kinds.count({"attention"}) == kinds.count({"mlp"}) == 1
    assert group_units(space, "global") == [list(range(len(space.units)))]


def test_an_unknown_grouping_gives_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown grouping 'equalsize'; did you mean 'equal-size'"):
        group_units(tiny_space(1, quantize(2)), "equalsize")


def test_global_switches_meet_the_budget_with_at_most_ten_changes() -> None:
    problem = bits_problem(num_blocks=6)
    parent = at_bits(3, problem)
    outcomes = [switch_globally(parent, problem, np.random.default_rng(seed)) for seed in range(300)]
    kept = [child for child in outcomes if child is not None]
    assert 30 < len(kept) < 300
    for child in kept:
        assert problem.holds(child)
        assert sum(new != old for new, old in zip(child, parent, strict=True)) <= 10
        assert sum(max(0, new - old) for new, old in zip(child, parent, strict=True)) <= 3


def test_a_raise_that_needs_more_than_ten_lowerings_is_thrown_away() -> None:
    space = tiny_space(6, quantize(2, 3))  # from 3 bits the next level is keep, 32 bits: 29 more
    problem = make_problem(space, {"nominal_bits_per_weight": 3.0})
    parent = at_bits(3, problem)
    outcomes = {switch_globally(parent, problem, np.random.default_rng(seed)) for seed in range(100)}
    assert None in outcomes
    assert outcomes <= {None, parent}


@pytest.mark.parametrize(
    ("layers", "is_kept"),
    [
        (["*.v_proj", "*.gate_proj"], False),  # 2048 weights up, 6144 down: a third of what was freed
        (["*.q_proj", "*.gate_proj"], False),  # 4096 up, 6144 down: two thirds
        (["*.down_proj", "*.gate_proj"], True),  # 6144 each
    ],
)
def test_raises_that_take_up_less_than_four_fifths_are_thrown_away(layers: list[str], is_kept: bool) -> None:
    space = tiny_space(1, quantize(2, 3, layers=layers))
    large = max(range(2), key=lambda number: space.layers[number].num_weights)
    parent = tuple(int(number == large) for number in range(2))
    other = tuple(int(number != large) for number in range(2))
    problem = make_problem(space, limit("nominal_bits", space.measure(parent).nominal_bits))
    assert problem.holds(other)
    outcomes = {switch_globally(parent, problem, np.random.default_rng(seed)) for seed in range(100)}
    assert outcomes - {None, parent} == ({other} if is_kept else set())


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("options", ["bits", "drop", "mixed"])
def test_children_differ_from_the_parent_and_each_other_and_meet_the_budget(groups: str, options: str) -> None:
    bits, drop = quantize(2, 3, 4), DropSpec()
    space = {"bits": tiny_space(4, bits), "drop": tiny_space(4, drop), "mixed": tiny_space(4, bits, drop)}[options]
    budget: dict[str, object] = {"nominal_bits_per_weight": 2.6} if options != "drop" else {"dropped_mlps": 2}
    problem = make_problem(space, budget)
    rng = np.random.default_rng(3)
    ceiling = tuple(min(1, len(unit.options) - 1) for unit in space.units)
    parent = lower_until_it_holds(ceiling, problem, rng)
    found = children(parent, 20, groups, problem, rng)
    configurations = {space.configure(child) for child in found}
    assert len(found) > 3
    assert len(configurations) == len(found)
    assert space.configure(parent) not in configurations
    assert all(problem.holds(child) for child in found)


def test_children_of_a_drop_keep_exactly_as_many_of_each_kind() -> None:
    space = tiny_space(6, DropSpec())
    problem = make_problem(space, {"dropped_attentions": 2, "dropped_mlps": 3})
    rng = np.random.default_rng(4)
    parent = raise_while_it_holds(lower_until_it_holds(space.kept, problem, rng), problem, rng)
    for groups in ("equal-size", "last-name"):
        found = children(parent, 40, groups, problem, rng)
        assert len(found) == 40
        measures = [space.measure(child) for child in found]
        assert {(each.attentions, each.mlps) for each in measures} == {(4, 3)}


def test_an_exhausted_neighbourhood_ends_soon() -> None:
    space = tiny_space(1, quantize(2, layers=["*.q_proj", "*.o_proj"]))
    problem = make_problem(space, limit("nominal_bits", space.measure((0, 1)).nominal_bits))
    begun = time.process_time()
    for groups in GROUPS:
        reached = [] if groups == "last-name" else [(1, 0)]  # q and o have no partner of their own name
        assert children((0, 1), 64, groups, problem, np.random.default_rng(0)) == reached
        assert children((0, 0), 64, "equal-size", problem, np.random.default_rng(0)) == []
    assert time.process_time() - begun < 5.0


def test_lowering_touches_only_what_brings_a_broken_limit_nearer() -> None:
    space = tiny_space(3, quantize(2, 3, 4), DropSpec())
    problem = make_problem(space, {"dropped_attentions": 2})
    lowered = lower_until_it_holds(space.kept, problem, np.random.default_rng(5))
    changed = [n for n, (new, old) in enumerate(zip(lowered, space.kept, strict=True)) if new != old]
    assert [space.layers[space.units[n].layers[0]].part for n in changed] == ["attention", "attention"]


def test_lowering_refuses_limits_that_contradict_each_other() -> None:
    space = tiny_space(2, quantize(2, 3))
    impossible = limit("attentions", 1, "dropped_attentions")
    with pytest.raises(InputError, match=r"meets all of the budget \(dropped_attentions 1\)"):
        lower_until_it_holds(space.kept, make_problem(space, impossible), np.random.default_rng(0))


def test_raising_leaves_no_room_for_a_single_raise() -> None:
    problem = bits_problem(budget=3.3)
    rng = np.random.default_rng(6)
    full = raise_while_it_holds(tuple(0 for _ in problem.space.units), problem, rng)
    assert problem.holds(full)
    for number, unit in enumerate(problem.space.units):
        if full[number] < len(unit.options) - 1:
            assert not problem.holds(tuple(level + (n == number) for n, level in enumerate(full)))


EVERY_PART = DropSpec(parts=("attention", "mlp", "block"))
TIED_SIZES = QuantizeSpec(bits=(2, 4), group_sizes=(32,), solver="gptq"), quantize(2, 4)
FILLED = {
    "options of one size": tiny_space(2, *TIED_SIZES),
    "weights in parts": tiny_space(2, quantize(2, 4), EVERY_PART),
    "both": tiny_space(1, *TIED_SIZES, EVERY_PART),
}


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("by_rules", [False, True])
def test_a_draw_uses_its_budget_up(name: str, by_rules: bool) -> None:
    space = FILLED[name]
    problem = make_problem(space, limit("stored_bits", sum(extremes(space, "stored_bits")) // 2))
    rules, seen = Rules.of(problem), Counter[str]()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = drawn(rules, rng) if by_rules else draw(problem, rng)
        assert found is not None
        assert problem.holds(found)
        seen.update(unit.options[level].slug for unit, level in zip(space.units, found, strict=True))
        hidden = hidden_units(space, found)
        for unit in set(range(len(found))) - hidden:
            for level in space.larger[unit][found[unit]]:
                assert not problem.holds((*found[:unit], level, *found[unit + 1 :]))
    assert set(seen) == {option.slug for unit in space.units for option in unit.options}
    if name != "weights in parts":  # of two options of one size neither is drawn much more often
        counts = [sum(seen[slug] for slug in seen if slug.startswith(solver)) for solver in ("gptq", "rtn")]
        assert max(counts) < 1.3 * min(counts)


def test_the_next_larger_size_may_be_that_of_several_options() -> None:
    space = FILLED["options of one size"]
    assert [option.slug for option in space.units[0].options] == [
        "gptq-int2-g32-asym",
        "rtn-int2-g32-asym",
        "gptq-int4-g32-asym",
        "rtn-int4-g32-asym",
        "keep",
    ]
    assert space.larger[0] == ((2, 3), (2, 3), (4,), (4,), ())
