"""The knapsack against brute force, a dense dynamic program, an integer program and closed forms."""

from __future__ import annotations

import functools
import itertools
import logging
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from search.solvers.core import settle
from search.solvers.items import Item
from search.solvers.knapsack import knapsack, smallest
from search.solvers.relaxation import relax, undominated
from spaces.errors import BudgetError, InputError

INF = float("inf")


def item(sizes: Sequence[int], costs: Sequence[float]) -> Item:
    return Item(sizes=np.array(sizes, dtype=np.int64), costs=np.array(costs, dtype=np.float64))


def totals(items: Sequence[Item], options: Sequence[int]) -> tuple[int, float]:
    assert len(options) == len(items)
    pairs = list(zip(items, options, strict=True))
    return sum(int(each.sizes[j]) for each, j in pairs), float(sum(each.costs[j] for each, j in pairs))


def every_total(items: Sequence[Item]) -> list[tuple[int, float]]:
    """Size and cost of every allowed combination."""
    ranges = [range(len(each.sizes)) for each in items]
    combinations = (totals(items, options) for options in itertools.product(*ranges))
    return [(size, cost) for size, cost in combinations if cost < INF]


@st.composite
def small_items(draw: st.DrawFn, costs: st.SearchStrategy[float], most: int = 12) -> list[Item]:
    """A few items of which each allows an option."""
    items = []
    for _ in range(draw(st.integers(1, 6))):
        sizes = draw(st.lists(st.integers(0, most), min_size=1, max_size=4))
        row = draw(st.lists(costs | st.just(INF), min_size=len(sizes), max_size=len(sizes)))
        row[draw(st.integers(0, len(row) - 1))] = draw(costs)
        items.append(item(sizes, row))
    return items


WHOLE = st.integers(-4, 4).map(float)  # sums are exact and ties abound
ANY = st.floats(-1e3, 1e3, allow_subnormal=False)


@settings(deadline=None, max_examples=150)
@given(items=small_items(WHOLE), share=st.floats(0, 1))
def test_knapsack_equals_brute_force_with_ties_to_the_smaller_size(items: list[Item], share: float) -> None:
    every = every_total(items)
    sizes = sorted({size for size, _ in every})
    limit = sizes[int(share * (len(sizes) - 1))]
    best = min((cost, size) for size, cost in every if size <= limit)
    size, cost = totals(items, knapsack(items, limit))
    assert (cost, size) == best


@settings(deadline=None, max_examples=150)
@given(items=small_items(ANY, most=10**10), share=st.floats(0, 1.1))
def test_knapsack_equals_brute_force_with_real_costs_and_huge_sizes(items: list[Item], share: float) -> None:
    every = every_total(items)
    least, most = min(every)[0], max(every)[0]
    limit = least + int(share * (most - least))
    size, cost = totals(items, knapsack(items, limit))
    assert size <= limit
    assert cost == pytest.approx(min(cost for size, cost in every if size <= limit), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=150)
@given(items=small_items(WHOLE), share=st.floats(0, 1))
def test_smallest_equals_brute_force_with_ties_to_the_lower_cost(items: list[Item], share: float) -> None:
    every = every_total(items)
    costs = sorted({cost for _, cost in every})
    limit = costs[int(share * (len(costs) - 1))]
    assert totals(items, smallest(items, limit)) == min(total for total in every if total[1] <= limit)


@settings(deadline=None, max_examples=100)
@given(items=small_items(ANY, most=10**10), data=st.data())
def test_the_cost_of_a_combination_is_a_limit_that_it_meets(items: list[Item], data: st.DataObject) -> None:
    every = every_total(items)
    _, limit = data.draw(st.sampled_from(every))
    found_size, found_cost = totals(items, smallest(items, limit))
    assert found_cost <= limit + 1e-9
    assert found_size <= min(size for size, cost in every if cost <= limit)


def llama_like(num_items: int, num_options: int, seed: int) -> list[Item]:
    """Costs that fall fourfold per bit up to noise, sizes in units of 2**22 bits."""
    rng = np.random.default_rng(seed)
    bits = np.arange(2, 2 + num_options)
    weights = rng.choice([1, 4, 14], num_items)
    scales = rng.lognormal(0, 1.5, num_items)
    costs = scales[:, None] * 4.0**-bits * rng.uniform(0.7, 1.3, (num_items, num_options))
    return [item(count * bits * 2**22, row) for count, row in zip(weights, costs, strict=True)]


def share_of(items: Sequence[Item], share: float) -> int:
    least, most = (sum(int(end(each.sizes)) for each in items) for end in (np.min, np.max))
    return least + int(share * (most - least))


def least_cost_by_size(items: Sequence[Item], unit: int, limit: int) -> float:
    """The plain dynamic program: the least cost at each whole number of units up to the limit."""
    best = np.zeros(limit // unit + 1)
    for each in items:
        before, best = best, np.full(len(best), INF)
        for size, cost in zip(each.sizes // unit, each.costs, strict=True):
            best[size:] = np.minimum(best[size:], before[: len(before) - size] + cost)
    return float(best[-1])


CORRELATED = {
    "llama": lambda sizes, costs: costs,
    "negative noise": lambda sizes, costs: costs - costs.mean(),
    "cost is minus size": lambda sizes, costs: -(sizes / 2**22),
    "nearly minus size": lambda sizes, costs: -(sizes / 2**22) * (1 + 1e-3 * np.cos(np.arange(len(sizes)) + costs[0])),
    "one marginal price": lambda sizes, costs: np.exp2(-sizes / sizes.min()),
}


@pytest.mark.parametrize("kind", CORRELATED)
@pytest.mark.parametrize("share", [0.0, 0.003, 0.35, 0.9])
def test_knapsack_equals_the_dynamic_program_by_size(kind: str, share: float, caplog: pytest.LogCaptureFixture) -> None:
    items = [
        item(list(each.sizes), CORRELATED[kind](each.sizes, each.costs)) for each in llama_like(60, 8, seed=len(kind))
    ]
    limit = share_of(items, share) + 12_345  # no multiple of the unit
    size, cost = totals(items, knapsack(items, limit))
    assert size <= limit
    assert cost == pytest.approx(least_cost_by_size(items, 2**22, limit), rel=1e-9)
    again, _ = totals(items, smallest(items, cost))
    assert again <= size
    assert not caplog.records


@pytest.mark.parametrize("seed", range(3))
def test_knapsack_equals_the_integer_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = [item(rng.integers(1, 1_000, 5), rng.normal(size=5)) for _ in range(60)]
    limit = share_of(items, 0.2)  # under 1e6, so that HiGHS' relative tolerance is less than one unit of size
    size, cost = totals(items, knapsack(items, limit))
    their_size, their_cost = totals(items, integer_program(items, limit))
    assert max(size, their_size) <= limit
    assert cost == pytest.approx(their_cost, abs=1e-6)


def integer_program(items: Sequence[Item], limit: int) -> list[int]:
    sizes, costs = np.stack([each.sizes for each in items]), np.stack([each.costs for each in items])
    one_each = np.kron(np.eye(len(items)), np.ones(sizes.shape[1]))
    result = milp(
        costs.ravel(),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(sizes.reshape(1, -1) / limit, -INF, 1)],
        integrality=np.ones(costs.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    assert result.status == 0, result.message
    return [int(j) for j in result.x.reshape(costs.shape).argmax(axis=1)]


@pytest.mark.parametrize(
    ("steps_left", "raised"), [(0, 0), (1, 0), (2, 1), (1_999, 999), (20_000, 10_000), (10**9, 10_000)]
)
def test_many_equal_items_fill_the_limit(steps_left: int, raised: int) -> None:
    items = [item([20, 22], [1.0, 0.25])] * 10_000
    options = knapsack(items, 200_000 + steps_left)
    assert sum(options) == raised


@pytest.mark.parametrize(
    ("items", "limit", "options"),
    [
        ([], 0, []),
        ([item([7], [-1.0])], 7, [0]),
        ([item([1, 2, 3], [0.0, 0.0, 0.0])] * 3, 9, [0, 0, 0]),
        ([item([2, 2, 1, 1], [1.0, 1.0, 1.0, 1.0])], 9, [2]),
        ([item([1, 2, 3], [5.0, 9.0, 1.0]), item([1, 2, 3], [6.0, 9.0, 1.0])], 5, [0, 2]),
        ([item([1, 2], [INF, 0.0]), item([1, 2], [3.0, INF])], 3, [1, 0]),
        ([item([0, 10], [1e30, 0.0]), item([0, 1], [1e-9, 0.0])], 10, [1, 0]),
        ([item([2, 4, 5], [0.0, -1.0, -4.0]), item([3, 1, 6], [-5.0, -2.0, 0.0])], 7, [2, 1]),  # as good: 7 bits
        ([item([6, 2], [-5.0, 0.0]), item([1, 4], [0.0, -4.0]), item([3, 1], [-5.0, -4.0])], 9, [0, 0, 1]),  # or 9 bits
        ([item([0, 2**61], [1.0, 0.0])], 10**30, [1]),
    ],
)
def test_knapsack_of_a_few_items_by_hand(items: list[Item], limit: int, options: list[int]) -> None:
    assert knapsack(items, limit) == options


@pytest.mark.parametrize("noise", [0.0, 1e2, 1e4, 1e6])
@pytest.mark.parametrize("seed", range(3))
def test_thinned_lists_say_how_far_the_optimum_may_be(
    seed: int, noise: float, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 10**10, (7, 5))
    costs = rng.normal(-sizes, noise)
    all_sizes, all_costs = outer_sum(sizes), outer_sum(costs)
    limit = int(np.quantile(all_sizes, 0.4))
    optimum = all_costs[all_sizes <= limit].min()
    index = np.arange(sizes.size)
    choices = undominated(index // 5, index % 5, sizes.ravel(), costs.ravel())
    room = limit - int(sizes.min(axis=1).sum())
    start = relax(choices, room, rounding=1e-12 * room)

    answer = settle(choices, start, pass_states=(10, 1_000))
    value = choices.value[answer].sum()
    assert choices.weight[answer].sum() <= limit
    assert optimum - 1e-3 <= value <= optimum + 1e-3 + stated_distance(caplog, value)
    assert noise > 1e4 or caplog.records  # the nearer costs are to sizes, the harder

    settled = settle(choices, start)
    assert choices.value[settled].sum() == pytest.approx(optimum, rel=1e-12)


def outer_sum(rows: NDArray[np.generic]) -> NDArray[np.generic]:
    """The totals of all combinations of one entry from each row."""
    return functools.reduce(lambda sums, row: np.add.outer(sums, row).ravel(), rows)


def stated_distance(caplog: pytest.LogCaptureFixture, value: float) -> float:
    """What the warning, if any, says the answer may be above the optimum."""
    if not caplog.records:
        return 0.0
    [record] = caplog.records
    stated = re.search(r"of 7 items not settled .* value (\S+) meets the limit .* at most (\S+) above", record.message)
    assert stated is not None, record.message
    assert record.levelno == logging.WARNING
    assert float(stated[1]) == pytest.approx(value, rel=1e-8)
    return float(stated[2]) * 1.01  # printed to three digits


def test_a_limit_under_the_smallest_sizes_is_refused_with_their_sum() -> None:
    items = [item([3, 8], [1.0, 0.0]), item([2, 5, 9], [INF, 1.0, 0.0])]
    assert knapsack(items, 8) == [0, 1]
    with pytest.raises(BudgetError, match=r"at least 8 bits, .* got 7;"):
        knapsack(items, 7)
    with pytest.raises(BudgetError, match=r"at least 0 bits, .* got -1;"):
        knapsack([], -1)


def test_a_cost_limit_under_the_lowest_costs_is_refused_with_their_sum() -> None:
    items = [item([3, 8], [1.0, 0.5]), item([2, 5], [1.0, -2.0])]
    assert smallest(items, -1.5) == [1, 1]
    with pytest.raises(BudgetError, match=r"at least -1\.5, .* got -1\.75;"):
        smallest(items, -1.75)


@pytest.mark.parametrize("limit", [INF, -INF, float("nan")])
def test_a_cost_limit_that_is_no_number_is_refused(limit: float) -> None:
    with pytest.raises(InputError, match=f"finite number, got {limit};"):
        smallest([item([1], [0.0])], limit)


def test_an_item_without_an_allowed_option_is_refused_by_its_place() -> None:
    with pytest.raises(InputError, match="all 2 options of item 1 cost inf"):
        knapsack([item([1], [0.0]), item([1, 2], [INF, INF])], 5)


def test_sizes_whose_sum_could_overflow_are_refused() -> None:
    items = [item([1, 2**60], [1.0, 0.0])] * 4
    with pytest.raises(InputError, match=f"less than 2\\*\\*62 bits, got {2**62};"):
        knapsack(items, 100)
    assert knapsack(items[:3], 2**60 + 2) in ([1, 0, 0], [0, 1, 0], [0, 0, 1])


@pytest.mark.parametrize(
    ("sizes", "costs", "message"),
    [
        (np.array([1, 2]), np.array([0.0]), r"got shapes \(2,\) and \(1,\)"),
        (np.array([], dtype=np.int64), np.array([]), r"got shapes \(0,\) and \(0,\)"),
        (np.array([1.5]), np.array([0.0]), "got float64"),
        (np.array([4, -3]), np.array([0.0, 0.0]), "at least 0 bits, got -3"),
        (np.array([1]), np.array([float("nan")]), "got nan"),
        (np.array([1, 2]), np.array([INF, -INF]), "got -inf"),
    ],
)
def test_an_item_refuses_what_it_cannot_count(
    sizes: NDArray[np.int64], costs: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Item(sizes=sizes, costs=costs)
