"""Proposals: exact within the radius against brute force, in the budget, and probes where answers disagree."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from small_spaces import cost_of, space_named
from synthetic_search import all_levels, hidden_units, make_problem, quantize, tiny_space

from search.mutation import group_units
from search.region.local_model import Doubt, LocalModel, changed_units, model_of
from search.region.proposals import Region, cautious, imagined, kicked, mutated, undecided_moves, with_hidden
from search.scores.score import Scores
from search.solvers.allocation import Allocator
from search.strategy import Problem
from spaces.budget import extremes
from spaces.space import Levels, Space

SPACES = ["weights", "ties", "nested", "parts", "two options"]


@cache
def problem_of(name: str) -> Problem:
    """A budget half way between the smallest and the largest."""
    space = space_named(name)
    if not space.num_weights:  # parts to drop, and nothing else
        return make_problem(space, {"parameters": sum(extremes(space, "parameters")) // 2})
    bits = sum(extremes(space, "nominal_bits")) / 2
    return make_problem(space, {"nominal_bits_per_weight": bits / space.num_weights})


@cache
def fitting(name: str) -> tuple[Levels, ...]:
    problem = problem_of(name)
    return tuple(levels for levels in all_levels(problem.space) if problem.holds(levels))


def make_model(space: Space, seed: int) -> LocalModel:
    """Costs that fall with the size of the option, but not always."""
    rng = np.random.default_rng(seed)
    costs = [np.sort(rng.lognormal(0, 1, len(unit.options)))[::-1] + rng.normal(0, 0.1) for unit in space.units]
    return model_of(space, Scores(costs=costs, errors=[0.1 * np.abs(row) for row in costs]), Doubt())


def region_of(name: str, seed: int, radius: int) -> Region:
    choices = fitting(name)
    parent = choices[int(np.random.default_rng([seed, 1]).integers(len(choices)))]
    return Region(allocator=Allocator(problem_of(name)), parent=parent, radius=radius, sound=parent)


def priced(region: Region, table: list[np.ndarray], price: float) -> list[np.ndarray]:
    """The costs with every change from the parent made dearer."""
    return [row + price * (np.arange(len(row)) != level) for row, level in zip(table, region.parent, strict=True)]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(6))
def test_with_room_for_every_change_the_best_is_the_optimum_of_brute_force(name: str, seed: int) -> None:
    region, space = region_of(name, seed, 99), space_named(name)
    model = make_model(space, seed)
    table = model.table(model.mean)
    best = region.best(model, model.mean) or region.parent
    assert problem_of(name).holds(best)
    least = min(cost_of(space, table, levels) for levels in fitting(name))
    assert cost_of(space, table, best) == pytest.approx(least, abs=1e-12)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_within_a_radius_the_best_is_the_optimum_at_some_price_of_a_change(name: str, radius: int) -> None:
    space, found = space_named(name), 0
    for seed in range(8):
        region, model = region_of(name, seed, radius), make_model(space, seed)
        table = model.table(model.mean)
        best = region.best(model, model.mean)
        if best is None:
            continue
        found += 1
        assert problem_of(name).holds(best)
        changed = changed_units(region.parent, best)
        assert changed <= radius
        gain = cost_of(space, table, region.parent) - cost_of(space, table, best)
        assert gain > 0
        # among all that change as many units or fewer, nothing is better
        near = [levels for levels in fitting(name) if changed_units(region.parent, levels) <= changed]
        assert cost_of(space, table, best) == pytest.approx(min(cost_of(space, table, each) for each in near))
    assert found >= 3


@pytest.mark.parametrize("name", SPACES)
def test_a_price_that_is_paid_loses_nothing_that_another_could_reach(name: str) -> None:
    """All that a price can reach lies on the lower hull of cost over number of changes; bisection finds its end."""
    space, radius = space_named(name), 2
    for seed in range(8):
        region, model = region_of(name, seed, radius), make_model(space, seed)
        table = model.table(model.mean)
        best = region.best(model, model.mean) or region.parent
        for price in np.geomspace(1e-3, 1e2, 40):
            paid = priced(region, table, float(price))
            reached = min(
                fitting(name), key=lambda levels: (cost_of(space, paid, levels), changed_units(region.parent, levels))
            )
            if changed_units(region.parent, reached) <= radius:
                assert cost_of(space, table, best) <= cost_of(space, table, reached) + 1e-9


def test_what_lies_in_a_dropped_part_keeps_its_levels() -> None:
    space = space_named("nested")
    for levels in all_levels(space):
        filled = with_hidden(space, levels, space.kept)
        assert space.configure(filled) == space.configure(levels)
        hidden = hidden_units(space, levels)
        assert all(filled[unit] == space.kept[unit] for unit in hidden)
        assert all(filled[unit] == levels[unit] for unit in range(len(levels)) if unit not in hidden)


def test_no_proposal_is_the_parent_or_breaks_the_budget_or_the_radius() -> None:
    for name in SPACES:
        problem, space = problem_of(name), space_named(name)
        for seed in range(6):
            rng, model, region = np.random.default_rng(seed), make_model(space, seed), region_of(name, seed, 2)
            exact = [*cautious(model, region, (0.0, 0.5, 2.0)), *imagined(model, region, 8, rng)]
            assert len(exact) <= 11
            for levels in [*exact, *mutated(region, 3, rng)]:
                assert problem.holds(levels)
                assert space.configure(levels) != space.configure(region.parent)
            assert all(changed_units(region.parent, levels) <= 2 for levels in exact)


def test_the_optimum_of_the_costs_proposes_nothing() -> None:
    name = "weights"
    model = make_model(space_named(name), 0)
    parent = Allocator(problem_of(name)).solve(model.table(model.mean))
    region = Region(allocator=Allocator(problem_of(name)), parent=parent, radius=3, sound=parent)
    assert list(cautious(model, region, (0.0, 0.5, 1.0, 4.0))) == []
    certain = model_of(model.space, Scores(costs=model.table(model.mean)), Doubt(scale=0, unit=0, option=0))
    assert list(imagined(certain, region, 5, np.random.default_rng(0))) == []


def test_caution_changes_fewer_units_and_avoids_what_is_little_known() -> None:
    space = tiny_space(1, quantize(2, 3, layers=["*.q_proj", "*.o_proj"]))  # both 64 x 64: q, o at 2, 3 or all bits
    problem = make_problem(space, {"nominal_bits_per_weight": 2.5})
    costs = [np.array([1.0, 0.0, 0.0]), np.array([1.1, 0.0, 0.0])]
    little_known = [np.array([2.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0])]
    model = model_of(space, Scores(costs=costs, errors=little_known), Doubt(scale=0, unit=0, option=0))
    region = Region(allocator=Allocator(problem), parent=(1, 0), radius=2, sound=(1, 0))
    assert list(cautious(model, region, (0.0,))) == [(0, 1)]  # 0.1 better, and q's cost is anyone's guess
    assert list(cautious(model, region, (0.5,))) == []


@pytest.mark.parametrize("groups", ["equal-size", "last-name"])
def test_groups_keep_their_bits(groups: str) -> None:
    space = tiny_space(2, quantize(2, 3, 4, layers=["*.q_proj", "*.k_proj", "*.down_proj"]))
    problem = make_problem(space, {"nominal_bits_per_weight": 3.0})
    model, rng = make_model(space, 1), np.random.default_rng(1)
    parent = (1,) * len(space.units)
    region = Region(allocator=Allocator(problem, groups), parent=parent, radius=6, sound=parent)
    proposed = [*cautious(model, region, (0.0, 1.0)), *imagined(model, region, 10, rng), *mutated(region, 4, rng)]
    assert len(set(proposed)) > 3
    for levels in proposed:
        for members in group_units(space, groups):
            weights = [space.layers[space.units[unit].layers[0]].num_weights for unit in members]
            bits = [(2, 3, 4, 32)[levels[unit]] for unit in members]
            assert sum(w * b for w, b in zip(weights, bits, strict=True)) <= 3 * sum(weights)


def test_probes_go_to_moves_that_are_contested_and_little_known() -> None:
    space = tiny_space(1, quantize(2, 3, layers=["*.q_proj", "*.k_proj", "*.v_proj", "*.o_proj"]))
    errors = [np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.1, 0.0]), np.array([0.0, 5.0, 0.0]), np.zeros(3)]
    scores = Scores(costs=[np.zeros(3)] * 4, errors=errors)
    model = model_of(space, scores, Doubt())
    parent = (0, 0, 0, 0)
    # q and k are raised by half of the draws, v by none, o by half, but of o everything is known
    draws = [(1, 1, 0, 1), (1, 1, 0, 1), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert undecided_moves(model, parent, draws, 9) == [(0, 1), (1, 1)]
    assert undecided_moves(model, parent, draws, 1) == [(0, 1)]
    assert undecided_moves(model, parent, draws, 0) == []
    assert undecided_moves(model, parent, [], 9) == []
    # k's cost is as little known as q's; all but one raise q, half raise k
    even = Scores(costs=[np.zeros(3)] * 4, errors=[np.array([0.0, 1.0, 0.0])] * 4)
    split = [(1, 1, 0, 0), (1, 1, 0, 0), (1, 1, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0)]
    assert undecided_moves(model_of(space, even, Doubt()), parent, split, 9) == [(1, 1), (0, 1)]


def test_a_kick_moves_the_parent_within_the_budget_and_nowhere_where_it_has_no_neighbour() -> None:
    problem = problem_of("weights")
    for seed in range(10):
        parent = region_of("weights", seed, 1).parent
        after = kicked(parent, "global", problem, np.random.default_rng(seed))
        assert problem.holds(after)
    lonely = tiny_space(1, quantize(2, layers=["*.down_proj"]))
    bits = lonely.measure((0,)).nominal_bits / lonely.num_weights
    alone = make_problem(lonely, {"nominal_bits_per_weight": bits})
    assert kicked((0,), "global", alone, np.random.default_rng(0)) == (0,)
