"""Scores by the Hessian: the formula against plain loops, when the probes stop, and what is refused."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_search import make_problem, quantize, recorded_errors, tiny_space

from evaluators.sensitivity.hessian_trace import HessianTrace as TraceStatistic
from evaluators.sensitivity.weight_norms import WeightNorms
from evaluators.statistic import Samples
from search.scores.hessian_eigenvalue import HessianEigenvalue, HessianEigenvalueSpread
from search.scores.hessian_trace import HessianTrace
from search.scores.score import SCORES, Score, Scores
from search.settings import make_strategy
from search.strategies.allocate import Allocate
from search.strategy import Estimate, Problem
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Quantize
from spaces.spec import DropSpec
from spaces.tables import load

FOUR = quantize(2, 3, 4)
SCALES = np.geomspace(0.01, 10.0, 14)  # of the layers' traces and eigenvalues
NAMES = ("hessian-trace", "hessian-eigenvalue", "hessian-eigenvalue-spread")


def problem_of(*options: Any, **spec: Any) -> Problem:
    return make_problem(tiny_space(2, *options, **spec), {"nominal_bits_per_weight": 12.0})


def noisy_forms(noise: float) -> Callable[[int], np.ndarray]:  # probe -> (layers,)
    def form(number: int) -> np.ndarray:
        return SCALES * (1 + noise * np.random.default_rng(number).standard_normal(len(SCALES)))

    return form


def eigenvalue(layer: int, batch: int) -> float:
    return float((-1.0) ** layer * SCALES[layer] * (1 + 0.3 * batch))


def answer(estimate: Estimate, form: Callable[[int], np.ndarray]) -> Samples:
    statistic, numbers = estimate.statistic, range(estimate.start, estimate.stop)
    if isinstance(statistic, WeightNorms):
        return {"squared_norms": np.array([1.0 + number for number in numbers])}
    if isinstance(statistic, TraceStatistic):
        return {"quadratic_forms": np.array([form(number)[: len(statistic.layers)] for number in numbers])}
    batches = range(statistic.batches)  # type: ignore[attr-defined]
    return {"eigenvalues": np.array([[eigenvalue(number, batch) for batch in batches] for number in numbers])}


SURE = noisy_forms(0.1)


def scored(by: Score, problem: Problem, form: Callable[[int], np.ndarray] = SURE) -> tuple[Scores, list[Estimate]]:
    by.check(problem)
    running, asked = by.score(problem), []
    question = next(running)
    while True:
        assert isinstance(question, Estimate)
        asked.append(question)
        try:
            question = running.send(answer(question, form))
        except StopIteration as stop:
            return stop.value, asked


def expected_table(problem: Problem, curvature: Callable[[str], float]) -> list[list[float]]:
    """1/2 c |dW|^2 for every unit and option, layer by layer; the layers' squared norms are 1, 2, 3, ..."""
    names = [layer.name for layer in problem.space.layers]
    table = []
    for unit in problem.space.units:
        row = []
        for option in unit.options:
            cost = 0.0
            for index in unit.layers:
                if isinstance(option, Quantize):
                    square = recorded_errors(names[index], option).weight * (1.0 + index)
                    cost += curvature(names[index]) * square / 2
            row.append(cost)
        table.append(row)
    return table


def probes_of(asked: list[Estimate]) -> list[tuple[int, int]]:
    return [(each.start, each.stop) for each in asked if isinstance(each.statistic, TraceStatistic)]


@pytest.mark.parametrize("ties", ["none", "vllm"])
def test_the_trace_score_is_half_the_mean_trace_times_the_squared_perturbation(ties: str) -> None:
    problem = problem_of(FOUR, ties=ties)
    scores, asked = scored(HessianTrace(max_probes=8), problem)
    layers = {layer.name: layer for layer in problem.space.layers}
    order = list(layers)
    traces = np.mean([SURE(number) for number in range(8)], axis=0)

    def mean_trace(name: str) -> float:
        return float(traces[order.index(name)] / (layers[name].rows * layers[name].columns))

    for found, expected in zip(scores.costs, expected_table(problem, mean_trace), strict=True):
        assert found.tolist() == pytest.approx(expected, rel=1e-12)
    assert probes_of(asked) == [(0, 8)]
    assert {len(unit.layers) for unit in problem.space.units} == ({1} if ties == "none" else {1, 2, 3})


@pytest.mark.parametrize("ties", ["none", "vllm"])
def test_its_error_is_that_of_a_unit_s_sum_over_probes(ties: str) -> None:
    problem = problem_of(FOUR, ties=ties)
    scores, _ = scored(HessianTrace(max_probes=5), problem)
    order = [layer.name for layer in problem.space.layers]
    sizes = {layer.name: layer.rows * layer.columns for layer in problem.space.layers}
    single = [
        expected_table(problem, lambda name, n=number: SURE(n)[order.index(name)] / sizes[name])  # type: ignore[misc]
        for number in range(5)
    ]
    assert scores.errors is not None
    for unit, errors in enumerate(scores.errors):
        for level, error in enumerate(errors):
            costs = [table[unit][level] for table in single]
            assert error == pytest.approx(np.std(costs, ddof=1) / math.sqrt(5), rel=1e-9, abs=1e-18)


def test_keep_costs_nothing_and_more_bits_cost_less() -> None:
    problem = problem_of(FOUR)
    for name in NAMES:
        scores, _ = scored(load(SCORES, name, "score")(), problem)
        for unit, costs in zip(problem.space.units, scores.costs, strict=True):
            assert costs[unit.options.index(KEEP)] == 0
            assert (np.diff(costs) < 0).all()


def test_a_cost_below_its_error_is_raised_to_it() -> None:
    problem = problem_of(FOUR)

    def form(number: int) -> np.ndarray:
        return np.where(np.arange(14) == 4, -5.0 + (-1) ** number, SCALES)

    scores, _ = scored(HessianTrace(max_probes=8), problem, form)
    assert scores.errors is not None
    rows, columns = next((layer.rows, layer.columns) for layer in problem.space.layers[4:])
    square = recorded_errors(problem.space.layers[4].name, problem.space.units[4].options[0]).weight * 5.0  # type: ignore[arg-type]
    deviation = math.sqrt(8 / 7)  # of -6, -4, -6, ...
    assert scores.costs[4][0] == pytest.approx(deviation / math.sqrt(8) / (rows * columns) * square / 2, rel=1e-9)
    assert scores.costs[4].tolist() == scores.errors[4].tolist()
    assert all((costs >= errors).all() for costs, errors in zip(scores.costs, scores.errors, strict=True))


@pytest.mark.parametrize(
    ("noise", "most", "expected"),
    [
        (0.0, 32, [(0, 8)]),  # sure at once
        (0.0, 3, [(0, 3)]),  # no more than may be
        (50.0, 32, [(0, 8), (8, 16), (16, 32)]),  # never sure: doubled to the end
        (50.0, 20, [(0, 8), (8, 16), (16, 20)]),
    ],
)
def test_probes_are_asked_in_rounds(noise: float, most: int, expected: list[tuple[int, int]]) -> None:
    _, asked = scored(HessianTrace(max_probes=most), problem_of(FOUR), noisy_forms(noise))
    assert probes_of(asked) == expected


@pytest.mark.parametrize("wanted", [0.02, 0.05, 0.1])
def test_probes_stop_when_the_predicted_loss_is_as_sure_as_asked(wanted: float) -> None:
    problem, form = problem_of(FOUR), noisy_forms(0.8)
    _, asked = scored(HessianTrace(relative_error=wanted, max_probes=4096), problem, form)
    largest = [max(row) for row in expected_table(problem, lambda name: 1.0)]
    sizes = np.array([layer.rows * layer.columns for layer in problem.space.layers])
    totals = np.array([form(number) / sizes @ largest for number in range(probes_of(asked)[-1][1])])

    def relative_error(count: int) -> float:
        return float(totals[:count].std(ddof=1) / math.sqrt(count) / totals[:count].mean())

    counts = [stop for _, stop in probes_of(asked)]
    assert relative_error(counts[-1]) <= wanted
    assert all(relative_error(count) > wanted for count in counts[:-1])
    assert all(later <= 2 * count for count, later in itertools.pairwise(counts))


def test_probes_are_all_used_where_the_predicted_loss_is_negative() -> None:
    _, asked = scored(HessianTrace(max_probes=16), problem_of(FOUR), lambda number: -SCALES)
    assert probes_of(asked) == [(0, 8), (8, 16)]


def test_the_eigenvalue_score_takes_the_magnitude() -> None:
    problem = problem_of(FOUR, ties="vllm")
    scores, asked = scored(HessianEigenvalue(), problem)
    order = [layer.name for layer in problem.space.layers]
    expected = expected_table(problem, lambda name: SCALES[order.index(name)])
    for found, row in zip(scores.costs, expected, strict=True):
        assert found.tolist() == pytest.approx(row, rel=1e-12)
    assert (asked[-1].start, asked[-1].stop, scores.errors) == (0, 14, None)


def test_the_spread_adds_the_deviation_over_batches() -> None:
    problem = problem_of(FOUR)
    scores, _ = scored(HessianEigenvalueSpread(batches=3), problem)
    order = [layer.name for layer in problem.space.layers]
    # of 1, 1.3 and 1.6: mean 1.3, deviation 0.3
    expected = expected_table(problem, lambda name: 1.6 * SCALES[order.index(name)])
    for found, row in zip(scores.costs, expected, strict=True):
        assert found.tolist() == pytest.approx(row, rel=1e-12)


def test_layers_that_nothing_quantizes_are_not_differentiated() -> None:
    problem = problem_of(FOUR, DropSpec(), pin={"*.self_attn": DROP, "*.mlp": KEEP, "*.up_proj": KEEP})
    scores, asked = scored(HessianTrace(max_probes=2), problem)
    assert not any("up_proj" in name or name.endswith("mlp") for name in asked[0].statistic.layers)  # type: ignore[attr-defined]
    pinned = [n for n, unit in enumerate(problem.space.units) if unit.options in ((DROP,), (KEEP,))]
    assert [scores.costs[n].tolist() for n in pinned] == [[0.0]] * 6


@pytest.mark.parametrize("name", NAMES)
def test_what_it_plans_is_at_least_what_it_asks(name: str) -> None:
    problem, by = problem_of(FOUR), load(SCORES, name, "score")()
    _, asked = scored(by, problem, noisy_forms(50.0))
    costs = [each.statistic.passes(problem.sequence_length) * (each.stop - each.start) for each in asked]
    assert by.planned_tokens(problem) == sum(cost.total_tokens for cost in costs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_types_are_refused(name: str, dtype: str) -> None:
    with pytest.raises(
        InputError, match=rf"{name} needs second derivatives.*{dtype}; write evaluation\.dtype: float32"
    ):
        load(SCORES, name, "score")().check(replace(problem_of(FOUR), dtype=dtype))


@pytest.mark.parametrize("name", NAMES)
def test_a_choice_to_drop_is_refused_but_not_a_pinned_one(name: str) -> None:
    by = load(SCORES, name, "score")()
    with pytest.raises(
        InputError, match=rf"{name} has no number for dropping model\.layers\.0\.self_attn.*measured-kl"
    ):
        by.check(problem_of(FOUR, DropSpec()))
    by.check(problem_of(FOUR, DropSpec(), pin={"*.self_attn": DROP, "*.mlp": KEEP}))


def test_a_text_shorter_than_the_batches_is_refused() -> None:
    short = replace(problem_of(FOUR), max_tokens=1536)
    with pytest.raises(
        InputError, match=r"4 batches of 1 sequences, and the calibration text has 3; lower its batches"
    ):
        HessianEigenvalueSpread().check(short)
    HessianEigenvalueSpread(batches=3).check(short)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HessianTrace(tokens=0), "at least 1, got 0"),
        (lambda: HessianTrace(relative_error=0.0), r"above 0, got 0\.0"),
        (lambda: HessianTrace(relative_error=math.nan), "above 0, got nan"),
        (lambda: HessianTrace(max_probes=1), "at least 2 to have a standard error, got 1"),
        (lambda: HessianEigenvalue(tokens=-1), "at least 1, got -1"),
        (lambda: HessianEigenvalue(max_iterations=0), "at least 1, got 0"),
        (lambda: HessianEigenvalue(tolerance=-0.1), r"at least 0, got -0\.1"),
        (lambda: HessianEigenvalueSpread(batches=1), "at least 2 to have a spread, got 1"),
        (lambda: HessianEigenvalueSpread(max_iterations=-3), "at least 1, got -3"),
    ],
)
def test_settings_are_checked(make: Callable[[], Score], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_job_file_sets_them() -> None:
    score = {"name": "hessian-eigenvalue-spread", "method": "finite-differences", "batches": 2, "tolerance": 0.1}
    made = make_strategy({"name": "allocate", "score": score})
    assert isinstance(made, Allocate)
    assert made.score == HessianEigenvalueSpread(method="finite-differences", batches=2, tolerance=0.1)
    with pytest.raises(InputError, match="'exact'"):
        make_strategy({"name": "allocate", "score": {"name": "hessian-trace", "method": "exact"}})
