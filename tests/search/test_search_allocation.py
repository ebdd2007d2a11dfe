"""The knapsack over families of units equals brute force, droppable parts with their weights included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import SPACES, cost_of, cost_tables, space_named
from synthetic_search import all_levels, limit, make_problem, quantize, tiny_space

from search.mutation import group_units
from search.settings import make_strategy
from search.solvers.allocation import check_allocation, solve_knapsack
from search.solvers.families import families
from search.strategy import Problem
from spaces.budget import Budget, extremes
from spaces.errors import InputError, JobError
from spaces.option import Quantize, parse_option
from spaces.space import Space
from spaces.spec import DropSpec


def least_cost(problem: Problem, costs: list[np.ndarray]) -> float:
    fitting = (levels for levels in all_levels(problem.space) if problem.holds(levels))
    return min((cost_of(problem.space, costs, levels) for levels in fitting), default=np.inf)


@pytest.mark.parametrize("measure", ["stored_bits", "nominal_bits", "parameters", "attentions"])
@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_the_answer_is_the_optimum_of_brute_force(name: str, measure: str, data: st.DataObject) -> None:
    space = space_named(name)
    low, high = extremes(space, measure)
    problem = make_problem(space, limit(measure, data.draw(st.integers(low, high))))
    costs = data.draw(cost_tables(space))
    answer = solve_knapsack(problem, costs)
    assert problem.holds(answer)
    assert cost_of(space, costs, answer) == least_cost(problem, costs)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_limits_on_different_units_are_met_together_exactly(data: st.DataObject) -> None:
    space = tiny_space(3, DropSpec())
    budget = {"dropped_attentions": data.draw(st.integers(0, 3)), "dropped_mlps": data.draw(st.integers(0, 3))}
    problem = make_problem(space, dict(budget))
    costs = data.draw(cost_tables(space))
    answer = solve_knapsack(problem, costs)
    assert problem.holds(answer)
    assert cost_of(space, costs, answer) == least_cost(problem, costs)


def both(problem: Problem, *budgets: Budget) -> Problem:
    limits = tuple(each for budget in budgets for each in budget.limits)
    return make_problem(problem.space, Budget(limits=limits))


def test_limits_on_the_same_units_are_settled_where_one_optimum_meets_all() -> None:
    space = space_named("weights")
    alone = make_problem(space, limit("nominal_bits", 4 * space.num_weights))
    costs = [np.array([9.0, 4.0, 2.0, 1.0])] * len(space.units)
    expected = solve_knapsack(alone, costs)
    loose = limit("stored_bits", space.measure(space.kept).stored_bits)
    for problem in (both(alone, alone.budget, loose), both(alone, loose, alone.budget)):
        assert solve_knapsack(problem, costs) == expected


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_limits_that_pull_the_same_units_apart_are_settled_exactly(name: str, data: st.DataObject) -> None:
    space = space_named(name)
    limits = []
    for measure in ("stored_bits", "nominal_bits", "parameters"):
        low, high = extremes(space, measure)
        limits.append(limit(measure, data.draw(st.integers(low, high))))
    problem = both(make_problem(space, limits[0]), *limits)
    costs = data.draw(cost_tables(space))
    best = least_cost(problem, costs)
    if not np.isfinite(best):  # each limit can be met, all together cannot
        with pytest.raises(JobError, match=f"no allocation was found that meets {problem.budget}"):
            solve_knapsack(problem, costs)
        return
    answer = solve_knapsack(problem, costs)
    assert problem.holds(answer)
    assert cost_of(space, costs, answer) == pytest.approx(best, abs=1e-9)


def test_a_closed_option_is_never_chosen() -> None:
    space = space_named("weights")
    problem = make_problem(space, {"nominal_bits_per_weight": 32})
    costs = [
        np.array([0.0, 5.0, 4.0, np.inf]),
        np.array([np.inf, 0.0, 1.0, 1.0]),
        np.array([3.0, 2.0, np.inf, np.inf]),
        np.array([np.inf, np.inf, 1.0, 0.5]),
    ]
    assert solve_knapsack(problem, costs) == (0, 1, 1, 3)


def test_a_budget_that_the_open_options_cannot_meet_is_told_in_its_own_words() -> None:
    space = space_named("weights")
    problem = make_problem(space, {"nominal_bits_per_weight": 2.5})
    closed = [np.array([np.inf, 2.0, 1.0, 0.0])] * len(space.units)  # 3 bits at least
    with pytest.raises(JobError, match=r"nothing meets nominal_bits_per_weight 2\.5: .* raise the budget"):
        solve_knapsack(problem, closed)
    drops = tiny_space(3, DropSpec())
    problem = make_problem(drops, {"dropped_attentions": 2, "dropped_mlps": 2})
    costs = [np.array([1.0, 0.0])] * len(drops.units)
    costs[0] = costs[2] = np.array([np.inf, 0.0])
    with pytest.raises(JobError, match=r"nothing meets dropped_attentions 2, dropped_mlps 2: .* raise the budget"):
        solve_knapsack(problem, costs)


def test_of_equal_costs_the_smaller_size_wins() -> None:
    space = space_named("weights")
    problem = make_problem(space, {"nominal_bits_per_weight": 32})
    assert solve_knapsack(problem, [np.zeros(4)] * 4) == (0, 0, 0, 0)


def test_a_family_lists_its_choices_with_their_true_sizes_and_costs() -> None:
    space = space_named("nested")
    [family] = families(space, [np.ones(len(unit.options)) for unit in space.units], "nominal_bits")
    assert sorted(family.units) == list(range(len(space.units)))
    kept = space.measure(space.kept).nominal_bits
    for row, size, cost in zip(family.levels, family.sizes, family.costs, strict=True):
        levels = tuple(int(row[family.units.index(unit)]) for unit in range(len(space.units)))
        assert space.measure(levels).nominal_bits - kept == size
        assert cost_of(space, [np.ones(len(unit.options)) for unit in space.units], levels) == cost


def least_cost_in_groups(space: Space, costs: list[np.ndarray], groups: list[list[int]], bits: int) -> float:
    """Every group by brute force on its own, within ``bits`` for each of its weights."""
    total = 0.0
    for group in groups:
        weights = sum(space.layers[i].num_weights for unit in group for i in space.units[unit].layers)
        choices = itertools.product(*(range(len(space.units[unit].options)) for unit in group))
        total += min(
            sum(costs[unit][level] for unit, level in zip(group, levels, strict=True))
            for levels in choices
            if sum(nominal(space, unit, level) for unit, level in zip(group, levels, strict=True)) <= bits * weights
        )
    return total


def nominal(space: Space, unit: int, level: int) -> int:
    option, layers = space.units[unit].options[level], [space.layers[i] for i in space.units[unit].layers]
    bits = option.bits_per_code if isinstance(option, Quantize) else 32
    return sum(layer.num_weights * bits for layer in layers)


@pytest.mark.parametrize("pin", [{}, {"*.k_proj": parse_option("rtn-int2-g32-asym")}])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_each_group_of_equal_size_keeps_its_share(pin: dict[str, object], data: st.DataObject) -> None:
    layers = ["*.q_proj", "*.o_proj", "*.k_proj", "*.v_proj", "*.up_proj"]
    space = tiny_space(1, quantize(2, 3, 4, layers=layers), pin=pin)  # type: ignore[arg-type]
    problem = make_problem(space, {"nominal_bits_per_weight": 3})
    costs = data.draw(cost_tables(space))
    groups = group_units(space, "equal-size")
    assert sorted(map(len, groups)) == [1, 2, 2]
    answer = solve_knapsack(problem, costs, "equal-size")
    assert problem.holds(answer)
    assert cost_of(space, costs, answer) == least_cost_in_groups(space, costs, groups, 3)


def test_groups_need_the_one_budget_that_they_share_out() -> None:
    space = space_named("weights")
    for budget in ({"size": "1MB"}, {"nominal_bits_per_weight": 3, "size": "1MB"}):
        with pytest.raises(InputError, match=r"groups: equal-size needs the one budget .*size 1MB"):
            check_allocation(make_problem(space, dict(budget)), "equal-size")


def test_groups_are_refused_where_weights_go_with_a_droppable_part() -> None:
    problem = make_problem(space_named("nested"), {"nominal_bits_per_weight": 3})
    with pytest.raises(InputError, match=r"equal-size cannot hold bits apart .*model\.layers\.0"):
        make_strategy({"name": "allocate", "solver": {"name": "knapsack", "groups": "equal-size"}}).check(problem)


def test_a_group_above_its_share_is_refused_before_any_work() -> None:
    pin = {"*.k_proj": parse_option("rtn-int8-g32-asym"), "*.v_proj": parse_option("rtn-int4-g32-asym")}
    space = tiny_space(1, quantize(2, 3), pin=pin)
    problem = make_problem(space, {"nominal_bits_per_weight": 3.2})
    with pytest.raises(
        InputError, match=r"group of model\.layers\.0\.self_attn\.k_proj needs at least 24,576 .*13,107"
    ):
        make_strategy({"name": "allocate", "solver": {"name": "knapsack", "groups": "equal-size"}}).check(problem)
    make_strategy("allocate").check(problem)


def test_tied_layers_in_different_droppable_parts_are_refused_before_any_work() -> None:
    space = tiny_space(1, quantize(2, 3), DropSpec())
    q, up = (
        next(n for n, layer in enumerate(space.layers) if layer.name.endswith(name)) for name in ("q_proj", "up_proj")
    )
    tied = next(unit for unit in space.units if q in unit.layers)
    units = tuple(
        type(unit)(layers=(q, up), options=tied.options) if unit == tied else unit
        for unit in space.units
        if up not in unit.layers
    )
    crossed = Space(anatomy=space.anatomy, layers=space.layers, units=units, ties="none")
    problem = make_problem(crossed, limit("nominal_bits", 10**9))
    with pytest.raises(InputError, match=r"q_proj, .*up_proj are tied but lie in different droppable parts"):
        make_strategy("allocate").check(problem)
