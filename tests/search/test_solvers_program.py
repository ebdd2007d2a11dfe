"""The integer program on plain arrays: against every choice, at every scale, and on HAWQ-V3's own numbers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.program import Program, Row

HAWQ: dict[str, Any] = json.loads((Path(__file__).parents[1] / "fixtures" / "hawq_v3_resnet18.json").read_text())
BITS = (4, 8)


def column_sets(program: Program) -> Iterator[np.ndarray]:
    """Every choice of the program, as its columns."""
    starts = program.starts.tolist()
    for options in itertools.product(*map(range, program.counts)):
        columns = [start + option for start, option in zip(starts, options, strict=True)]
        closed: set[int] = set()
        for group in sorted(program.closers):  # a holder comes before what it holds
            closer = program.closers[group]
            holder = max(n for n, start in enumerate(starts) if start <= closer)
            if holder in closed or columns[holder] == closer:
                closed.add(group)
        yield np.array([column for group, column in enumerate(columns) if group not in closed], dtype=np.int64)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    counts = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=5)))
    starts = np.cumsum([0, *counts])
    closers = {}
    for group in range(1, len(counts)):
        holder = draw(st.one_of(st.none(), st.integers(0, group - 1)))
        if holder is not None and counts[holder] > 1:
            closers[group] = int(starts[holder])
    return Program(counts=counts, closers=closers)


@given(program=programs(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_cheapest_choice_within_every_row_is_that_of_brute_force(program: Program, data: st.DataObject) -> None:
    columns = sum(program.counts)
    weight = st.integers(-30, 100)
    rows = [
        Row(
            weights=np.array(data.draw(st.lists(weight, min_size=columns, max_size=columns)), dtype=np.int64) * unit,
            limit=data.draw(st.integers(-50, 250)) * unit + data.draw(st.integers(0, unit - 1)),
        )
        for unit in data.draw(st.lists(st.sampled_from([1, 16, 10**9]), max_size=3))
    ]
    scale = data.draw(st.sampled_from([1e-12, 1.0, 1e9]))
    cost = st.one_of(st.integers(-3, 9).map(float), st.floats(-1, 1), st.just(np.inf))
    costs = np.array(data.draw(st.lists(cost, min_size=columns, max_size=columns))) * scale
    totals = [
        float(costs[chosen].sum()) for chosen in column_sets(program) if all(row.excess(chosen) <= 0 for row in rows)
    ]
    assert program.refutes(rows) is not bool(totals)
    best = min(totals, default=np.inf)
    answer = program.cheapest(costs, rows)
    if answer is None:
        assert best == np.inf
        return
    assert any(np.array_equal(answer, chosen) for chosen in column_sets(program))
    assert all(row.excess(answer) <= 0 for row in rows)
    assert float(costs[answer].sum()) == pytest.approx(best, rel=1e-8, abs=1e-8 * scale)


def test_one_unit_is_seen_among_sums_of_half_a_million() -> None:
    """A tolerance of a millionth of the largest weight must not let a limit slip by the last unit."""
    program = Program(counts=(2,) * 8)
    heavy = np.array([499_979, 499_957, 499_943, 499_927, 499_903, 499_897, 499_883, 499_879], dtype=np.int64)
    row_weights = np.stack([np.zeros(8, dtype=np.int64), heavy], axis=1).ravel()
    costs = np.stack([np.zeros(8), -heavy.astype(float)], axis=1).ravel()  # as heavy as it can be
    sums = sorted({int(heavy[list(some)].sum()) for k in range(9) for some in itertools.combinations(range(8), k)})
    for target in sums[40:140:10]:
        for limit in (target, target - 1):
            answer = program.cheapest(costs, [Row(weights=row_weights, limit=limit)])
            assert answer is not None
            assert int(row_weights[answer].sum()) == max(total for total in sums if total <= limit)


def test_a_limit_finer_than_the_solvers_tolerance_is_met_to_the_unit() -> None:
    """Weights of 1e13 and a step of one unit: what HiGHS takes for met is checked, cut off and solved again."""
    big = 10**13
    program = Program(counts=(2, 2))
    row = Row(weights=np.array([0, big, 0, 1], dtype=np.int64), limit=big)
    answer = program.cheapest(np.array([1.0, 0.0, 1.0, 0.0]), [row])
    assert answer is not None
    assert row.excess(answer) <= 0
    assert answer.tolist() in ([1, 2], [0, 3])


def test_small_costs_beside_large_ones_are_told_apart() -> None:
    """The answer lies where costs are a billionth of the largest."""
    costs = np.array([1e3, 3e-6, 2e-6, 1e3, 1e-6, 2e-6])
    row = Row(weights=np.array([0, 1, 2, 0, 1, 2], dtype=np.int64), limit=3)
    answer = Program(counts=(3, 3)).cheapest(costs, [row])
    assert answer is not None
    assert answer.tolist() == [2, 4]


def whole(values: list[str], digits: int) -> list[int]:
    """Decimals as whole numbers, exactly."""
    scaled = [Fraction(value) * 10**digits for value in values]
    assert all(value.denominator == 1 for value in scaled)
    return [int(value) for value in scaled]


def hawq_weights(budget: str) -> tuple[list[list[int]], Fraction]:
    """[at 4 bits, at 8 bits] for each layer, and what one unit is in the notebook's own."""
    if budget == "size":  # bits of codes, in MiB
        return [[bits * count for bits in BITS] for count in HAWQ["num_weights"]], Fraction(1, 8 * 2**20)
    if budget == "bit-operations":  # multiply-adds x (bits / 32)^2, in millions
        return [[macs * bits**2 for bits in BITS] for macs in whole(HAWQ["mega_macs"], 6)], Fraction(1, 32**2 * 10**6)
    pairs = zip(whole(HAWQ["latency_ms_int4"], 8), whole(HAWQ["latency_ms_int8"], 8), strict=True)
    return [list(pair) for pair in pairs], Fraction(1, 10**8)


def hawq_groups() -> list[list[int]]:
    """Layers that share one bit-width: the first convolution of a stage and its shortcut."""
    tied = {second: first for first, second in HAWQ["ties"]}
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(HAWQ["layers"]):
        groups.setdefault(tied.get(name, name), []).append(number)
    return list(groups.values())


def hawq_costs() -> list[list[float]]:
    squared = zip(HAWQ["squared_change_int4"], HAWQ["squared_change_int8"], strict=True)
    traces = map(float, HAWQ["trace_per_weight"])
    return [[trace * float(change) for change in changes] for trace, changes in zip(traces, squared, strict=True)]


@pytest.mark.parametrize("published", HAWQ["published"], ids=lambda case: f"{case['budget']} {case['fraction']}")
def test_the_program_is_no_worse_than_hawq_v3_s_published_configurations(published: dict[str, str]) -> None:
    weights, unit = hawq_weights(published["budget"])
    low, high = (sum(layer[end] for layer in weights) for end in (0, 1))
    limit = floor(low + Fraction(published["fraction"]) * (high - low))
    assert f"{float(limit * unit):.5f}" == published["limit"]
    groups, costs = hawq_groups(), hawq_costs()
    columns = np.array([[sum(weights[n][end] for n in group) for end in (0, 1)] for group in groups], dtype=np.int64)
    prices = np.array([[sum(costs[n][end] for n in group) for end in (0, 1)] for group in groups])
    row = Row(weights=columns.ravel(), limit=limit)
    program = Program(counts=(2,) * len(groups))
    chosen = program.cheapest(prices.ravel(), [row])
    assert chosen is not None
    assert row.excess(chosen) <= 0
    found = float(prices.ravel()[chosen].sum())

    ends = np.array(list(itertools.product((0, 1), repeat=len(groups))))  # all 65,536
    sizes = np.take_along_axis(columns, ends.T, axis=1).sum(axis=0)
    totals = np.take_along_axis(prices, ends.T, axis=1).sum(axis=0)
    assert found == pytest.approx(totals[sizes <= limit].min(), rel=1e-12)

    bits = [int(digit) for digit in published["bits"]]
    theirs = sum(costs[n][BITS.index(width)] for n, width in enumerate(bits))
    used = sum(weights[n][BITS.index(width)] for n, width in enumerate(bits))
    assert (f"{theirs:.5f}", f"{float(used * unit):.5f}") == (published["objective"], published["used"])
    assert found <= theirs * (1 + 1e-12)
    mine = {n: BITS[end] for group, end in zip(groups, program.options(chosen), strict=True) for n in group}
    assert [mine[n] for n in range(len(bits))] == bits  # their choice is the optimum, ties and all
