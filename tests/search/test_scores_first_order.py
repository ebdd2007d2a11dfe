"""The first-order scores: what they ask for, and the table they make of samples, against plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_search import make_problem, quantize, tiny_space

from evaluators.sensitivity.delta_loss import DeltaLossSums
from evaluators.sensitivity.fisher import FisherProducts
from evaluators.sensitivity.gradient_output import GradientOutputSquares
from evaluators.statistic import Statistic
from search.engine.answers import drive
from search.scores.delta_loss import DeltaLoss
from search.scores.fisher import Fisher
from search.scores.gradient_output import GradientOutput, falling
from search.scores.score import SCORES, Score, Scores
from search.strategy import Estimate, Problem
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Quantize
from spaces.spec import DropSpec
from spaces.tables import load

BITS = quantize(2, 3, 4)
BUDGET: dict[str, object] = {"nominal_bits_per_weight": 3.0}
LENGTH = 128
NAMES = ("fisher", "gradient-output", "delta-loss")
ARRAYS = {"fisher": "products", "gradient-output": "squares", "delta-loss": "sums"}


def problem_of(*options: Any, **spec: Any) -> Problem:
    return replace(make_problem(tiny_space(2, *options, **spec), BUDGET, seed=7), sequence_length=LENGTH)


def made(name: str, **settings: Any) -> Any:
    return load(SCORES, name, "score")(**settings)


def asked(score: Score, problem: Problem) -> Estimate:
    question = next(score.score(problem))
    assert isinstance(question, Estimate)
    return question


def answered(score: Score, problem: Problem, name: str, values: np.ndarray) -> Scores:
    return drive(score.score(problem), lambda question: {name: values})


def drawn(statistic: Statistic, count: int) -> np.ndarray:  # (count, entries)
    return np.random.default_rng(1).standard_normal((count, len(statistic.entries())))


def expected_samples(name: str, parts: np.ndarray) -> list[float]:  # (samples, layers of a unit)
    if name == "fisher":
        return [sum(row) ** 2 / 2 / LENGTH for row in parts.tolist()]
    return [sum(row) / (2 * LENGTH if name == "gradient-output" else 1) for row in parts.tolist()]


@pytest.mark.parametrize("ties", ["none", "vllm"])
@pytest.mark.parametrize("name", NAMES)
def test_a_cost_is_the_mean_over_sequences_of_what_a_units_layers_make_together(name: str, ties: str) -> None:
    problem = problem_of(BITS, quantize(8, layers=("*q_proj",)), ties=ties)
    score = made(name, tokens=5 * LENGTH, **({"monotone": False} if name == "gradient-output" else {}))
    statistic = asked(score, problem).statistic
    values = drawn(statistic, 5)
    scores = answered(score, problem, ARRAYS[name], values)
    assert scores.errors is not None
    columns = {entry: column for column, entry in enumerate(statistic.entries())}
    for unit, costs, errors in zip(problem.space.units, scores.costs, scores.errors, strict=True):
        layers = [problem.space.layers[index].name for index in unit.layers]
        for option, cost, error in zip(unit.options, costs, errors, strict=True):
            if not isinstance(option, Quantize):
                assert (option, cost, error) == (KEEP, 0.0, 0.0)
                continue
            each = expected_samples(name, values[:, [columns[layer, option] for layer in layers]])
            assert cost == pytest.approx(np.mean(each), rel=1e-12)
            assert error == pytest.approx(np.std(each, ddof=1) / 5**0.5, rel=1e-12)
    assert (max(len(unit.layers) for unit in problem.space.units) > 1) is (ties == "vllm")


def test_products_of_tied_layers_cancel_before_they_are_squared() -> None:
    problem = problem_of(BITS, ties="vllm")
    score = Fisher(tokens=2 * LENGTH)
    changes = asked(score, problem).statistic.entries()
    values = np.array([[1.0 if layer.endswith("gate_proj") else -1.0 for layer, _ in changes]] * 2)
    costs = answered(score, problem, "products", values).costs
    names = [{problem.space.layers[index].module for index in unit.layers} for unit in problem.space.units]
    assert costs[names.index({"mlp.gate_proj", "mlp.up_proj"})].tolist() == [0.0] * 4
    assert costs[names.index({"mlp.down_proj"})].tolist() == [1 / (2 * LENGTH)] * 3 + [0.0]


@pytest.mark.parametrize(
    ("name", "kind", "passes"),
    [("fisher", FisherProducts, 2), ("gradient-output", GradientOutputSquares, 5), ("delta-loss", DeltaLossSums, 6)],
)
def test_every_entry_is_asked_for_on_whole_sequences(name: str, kind: type, passes: int) -> None:
    problem = problem_of(BITS)
    score = made(name, tokens=3 * LENGTH - 1)
    question = asked(score, problem)
    assert isinstance(question.statistic, kind)
    assert (question.start, question.stop, question.statistic.num_sequences(LENGTH)) == (0, 3, 3)
    assert set(question.statistic.entries()) == {(name, option) for name, option in every_pair(problem)}
    assert score.planned_tokens(problem) == passes * 3 * LENGTH
    assert "3 sequences" in question.label


def every_pair(problem: Problem) -> list[tuple[str, Quantize]]:
    options = [option for option in problem.space.units[0].options if isinstance(option, Quantize)]
    return [(name, option) for name in problem.space.names for option in options]


@pytest.mark.parametrize("name", NAMES)
def test_a_short_stream_is_read_whole(name: str) -> None:
    problem = replace(problem_of(BITS), max_tokens=2 * LENGTH)
    assert asked(made(name), problem).stop == 2


def test_labels_are_drawn_by_the_jobs_seed() -> None:
    statistic = asked(Fisher(), problem_of(BITS)).statistic
    assert isinstance(statistic, FisherProducts)
    assert statistic.seed == 7


@pytest.mark.parametrize("name", NAMES)
def test_a_pinned_option_has_its_cost_and_a_pinned_drop_none(name: str) -> None:
    space = {"pin": {"model.layers.0.mlp": DROP, "*.1.mlp": KEEP, "*.self_attn": KEEP, "*q_proj": option_of(3)}}
    problem = problem_of(BITS, DropSpec(), **space)
    score = made(name)
    score.check(problem)
    statistic = asked(score, problem).statistic
    scores = answered(score, problem, ARRAYS[name], np.ones((2, len(statistic.entries()))))
    by_unit = dict(
        zip([problem.space.layers[unit.layers[0]].name for unit in problem.space.units], scores.costs, strict=True)
    )
    assert by_unit["model.layers.0.mlp"].tolist() == [0.0]
    assert by_unit["model.layers.0.self_attn.q_proj"].shape == (1,)
    assert by_unit["model.layers.0.self_attn.q_proj"][0] > 0


def option_of(bits: int) -> Quantize:
    return Quantize(bits_per_code=bits, group_size=32, symmetric=False, solver="rtn")


def test_fisher_has_a_number_for_every_choice_to_drop() -> None:
    problem = problem_of(BITS, DropSpec(), pin={"model.layers.0.mlp": DROP, "model.layers.1.mlp": KEEP})
    score = Fisher(tokens=3 * LENGTH)
    score.check(problem)
    statistic = asked(score, problem).statistic
    assert isinstance(statistic, FisherProducts)
    drops = [part for part, option in statistic.changes if option == DROP]
    assert drops == ["model.layers.0.self_attn", "model.layers.1.self_attn"]
    assert set(statistic.entries()) == set(statistic.changes) - {(part, DROP) for part in drops}
    values = np.random.default_rng(1).standard_normal((3, len(statistic.changes)))
    scores = answered(score, problem, "products", values)
    assert scores.errors is not None
    columns = {change: column for column, change in enumerate(statistic.changes)}
    for unit, costs, errors in zip(problem.space.units, scores.costs, scores.errors, strict=True):
        (layer,) = (problem.space.layers[index].name for index in unit.layers)
        for option, cost, error in zip(unit.options, costs, errors, strict=True):
            if (layer, option) not in columns:
                assert (cost, error) == (0.0, 0.0)
                assert option == KEEP or layer == "model.layers.0.mlp"
                continue
            each = values[:, columns[layer, option]] ** 2 / 2 / LENGTH
            assert cost == pytest.approx(each.mean(), rel=1e-12)
            assert error == pytest.approx(each.std(ddof=1) / 3**0.5, rel=1e-12)


@pytest.mark.parametrize("name", ["gradient-output", "delta-loss"])
def test_a_choice_to_drop_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"score {name} has no number for dropping model\.layers\.0\.self_attn; use "):
        made(name).check(problem_of(BITS, DropSpec()))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_in_float16_are_refused(name: str) -> None:
    problem = problem_of(BITS)
    with pytest.raises(
        InputError, match=rf"score {name} needs gradients, .* evaluation\.dtype float16; write .*float32"
    ):
        made(name).check(replace(problem, dtype="float16"))
    for dtype in ("float32", "bfloat16"):
        made(name).check(replace(problem, dtype=dtype))


@pytest.mark.parametrize("name", NAMES)
def test_no_tokens_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"score tokens must be at least 1, got 0"):
        made(name, tokens=0)


def test_a_larger_option_costs_no_more_than_a_smaller_one() -> None:
    scores = Scores(
        costs=[np.array([3.0, 5.0, 1.0, 2.0, 0.0]), np.array([1.0])],
        errors=[np.array([0.3, 0.5, 0.1, 0.2, 0.0]), np.array([0.1])],
    )
    fallen = falling(scores)
    assert [costs.tolist() for costs in fallen.costs] == [[3.0, 3.0, 1.0, 1.0, 0.0], [1.0]]
    assert fallen.errors is not None
    assert [errors.tolist() for errors in fallen.errors] == [[0.3, 0.3, 0.1, 0.1, 0.0], [0.1]]


def test_gradient_output_falls_with_the_size_unless_told_otherwise() -> None:
    problem = problem_of(BITS)
    values = np.square(drawn(asked(GradientOutput(), problem).statistic, 4))
    fallen, plain = (
        answered(GradientOutput(monotone=monotone), problem, "squares", values).costs for monotone in (True, False)
    )
    assert all((np.diff(costs) <= 0).all() for costs in fallen)
    assert [costs.tolist() for costs in fallen] == [np.minimum.accumulate(costs).tolist() for costs in plain]
    assert any((np.diff(costs) > 0).any() for costs in plain)


def test_delta_loss_reads_for_each_option_what_fisher_reads_for_all() -> None:
    problem = problem_of(BITS)
    assert DeltaLoss(tokens=LENGTH).planned_tokens(problem) == 3 * Fisher(tokens=LENGTH).planned_tokens(problem)
