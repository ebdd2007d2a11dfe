"""Scores: the measured one equals the differences of the loss, the recorded ones sum the bank's errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_search import SyntheticLoss, make_problem, quantize, recorded_errors, tiny_space

from search.engine.answers import drive
from search.scores.errors import OutputError, WeightError
from search.scores.measured import MeasuredKL
from search.scores.score import Interactions, Score, Table
from search.strategy import Ask, Losses, Problem, Question
from spaces.errors import InputError, JobError
from spaces.option import DROP, KEEP, Quantize
from spaces.spec import DropSpec

FOUR, TWO = quantize(2, 3, 4), quantize(2, 8)


def with_budget(budget: dict[str, object], *options: Any, **spec: Any) -> Problem:
    return make_problem(tiny_space(2, *options, **spec), budget)


def score(problem: Problem, by: Score, loss: SyntheticLoss) -> tuple[Table, list[Ask]]:
    asks: list[Ask] = []

    def answer(question: Question) -> Losses:
        assert isinstance(question, Ask)
        asks.append(question)
        return [loss(levels, question.tokens) for levels in question.candidates]

    return drive(by.score(problem), answer).costs, asks


@pytest.mark.parametrize(
    ("budget", "options"),
    [
        ({"nominal_bits_per_weight": 3.0}, [FOUR]),
        ({"nominal_bits_per_weight": 2.5}, [FOUR, DropSpec()]),
        ({"dropped_attentions": 1}, [DropSpec()]),
        ({"dropped_attentions": 1, "nominal_bits_per_weight": 3.0}, [FOUR, DropSpec()]),
    ],
)
def test_the_measured_table_is_the_change_of_the_loss(budget: dict[str, object], options: list[Any]) -> None:
    problem = with_budget(budget, *options)
    loss = SyntheticLoss(space=problem.space, interaction=0.4, noise=0.2)
    by = MeasuredKL(tokens=1024)
    base = by.base(problem)
    table, asks = score(problem, by, loss)
    assert [ask.tokens for ask in asks] == [1024]
    assert len(asks[0].candidates) * 1024 == by.planned_tokens(problem)
    for number, costs in enumerate(table):
        for level, cost in enumerate(costs):
            changed = (*base[:number], level, *base[number + 1 :])
            expected = float(np.mean(loss(changed, 1024)) - np.mean(loss(base, 1024)))
            assert cost == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("bits", "near"), [(2.0, 2), (2.4, 2), (2.5, 3), (3.0, 3), (3.4, 3), (3.7, 4), (7.0, 4)])
def test_the_base_is_the_uniform_choice_nearest_the_budget_with_nothing_dropped(bits: float, near: int) -> None:
    problem = with_budget({"nominal_bits_per_weight": bits, "dropped_mlps": 1}, FOUR, DropSpec())
    chosen = [unit.options[level] for unit, level in zip(problem.space.units, MeasuredKL().base(problem), strict=True)]
    assert {option.bits_per_code for option in chosen if isinstance(option, Quantize)} == {near}
    assert {option for option in chosen if not isinstance(option, Quantize)} == {KEEP}


def test_eight_bits_stand_in_for_keep_which_is_not_measured() -> None:
    problem = with_budget({"nominal_bits_per_weight": 2.0}, TWO)
    table, asks = score(problem, MeasuredKL(), SyntheticLoss(space=problem.space))
    keep = [unit.options.index(KEEP) for unit in problem.space.units]
    assert len(asks[0].candidates) == 1 + len(problem.space.units)
    assert all(levels[n] != keep[n] for levels in asks[0].candidates for n in range(len(keep)))
    for number, costs in enumerate(table):
        assert costs[keep[number]] == costs[keep[number] - 1] < 0


def test_a_broken_option_is_closed_and_a_broken_base_ends_the_job() -> None:
    problem = with_budget({"nominal_bits_per_weight": 3.0}, FOUR)
    running = MeasuredKL().score(problem)
    ask = next(running)
    told = [np.ones(4) for _ in ask.candidates]
    told[1] = np.array([1.0, np.inf, 1.0, 1.0])
    with pytest.raises(StopIteration) as stop:
        running.send(told)
    assert np.isinf(np.concatenate(stop.value.value.costs)).sum() == 1
    running = MeasuredKL().score(problem)
    next(running)
    told[0] = told[1]
    with pytest.raises(JobError, match=r"nominal_bits_per_weight 3\.0\), whose loss is infinite; raise the budget"):
        running.send(told)


@pytest.mark.parametrize(("by", "field"), [(WeightError(), "weight"), (OutputError(), "output")])
def test_recorded_errors_add_up_over_tied_layers(by: Score, field: str) -> None:
    problem = with_budget({"nominal_bits_per_weight": 3.0}, FOUR, ties="vllm")
    table, asks = score(problem, by, SyntheticLoss(space=problem.space))
    assert asks == []
    assert by.planned_tokens(problem) == 0
    for unit, costs in zip(problem.space.units, table, strict=True):
        for option, cost in zip(unit.options, costs, strict=True):
            names = [problem.space.layers[index].name for index in unit.layers]
            errors = [recorded_errors(name, option) for name in names if isinstance(option, Quantize)]
            assert cost == pytest.approx(sum(getattr(each, field) for each in errors), rel=1e-15)
    assert {len(unit.layers) for unit in problem.space.units} == {1, 2, 3}


def test_recorded_errors_refuse_a_choice_to_drop_but_not_a_pinned_one() -> None:
    for by in (WeightError(), OutputError()):
        with pytest.raises(InputError, match=r"dropping model\.layers\.0\.self_attn; use score fisher or measured-kl"):
            by.check(with_budget({"nominal_bits_per_weight": 3.0}, FOUR, DropSpec()))
        pinned = with_budget(
            {"nominal_bits_per_weight": 3.0}, FOUR, DropSpec(), pin={"*.self_attn": DROP, "*.mlp": KEEP}
        )
        by.check(pinned)


def test_a_short_stream_is_read_whole() -> None:
    problem = replace(with_budget({"nominal_bits_per_weight": 3.0}, FOUR), max_tokens=300)
    _, asks = score(problem, MeasuredKL(tokens=2048), SyntheticLoss(space=problem.space))
    assert [ask.tokens for ask in asks] == [300]


def test_interactions_are_shrunk_by_their_own_noise() -> None:
    values = np.array([[0.0, 2.0, -2.0], [2.0, 0.0, 0.5], [-2.0, 0.5, 0.0]])
    errors = np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 1.0], [0.5, 1.0, np.inf]])
    shrunk = Interactions(matrix=values, errors=errors).shrunk().matrix
    # 2 (1 - 1/4), -2 (1 - 1/16), and 0.5 drowns in an error of 1
    np.testing.assert_allclose(shrunk, [[0.0, 1.5, -1.875], [1.5, 0.0, 0.0], [-1.875, 0.0, 0.0]])


def test_interactions_without_errors_are_left_as_they_are() -> None:
    interactions = Interactions(matrix=np.ones((2, 2)))
    assert interactions.shrunk() is interactions


def test_shrinking_brings_noisy_interactions_nearer_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 60)) * (rng.random((60, 60)) < 0.2)  # most pairs have none
    errors = np.full((60, 60), 0.3)
    seen = Interactions(matrix=truth + 0.3 * rng.normal(size=(60, 60)), errors=errors)
    before, after = (float(np.square(each.matrix - truth).mean()) for each in (seen, seen.shrunk()))
    assert after < 0.75 * before
