"""Scores without gradients: what they ask for, and the table they make of samples, against plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from synthetic_search import make_problem, quantize, recorded_errors, tiny_space
from tiny_models import TINY

from evaluators.sensitivity.entropy import EntropyChanges
from evaluators.sensitivity.noise import NoiseResponse
from evaluators.sensitivity.similarity import ResidualTurns
from evaluators.sensitivity.spectrum import OperatorErrors
from search.engine.answers import drive
from search.scores.activation_entropy import ActivationEntropy
from search.scores.cosine_similarity import CosineSimilarity
from search.scores.inter_layer import InterLayer
from search.scores.linearity import Linearity
from search.scores.score import SCORES, Score, Scores, name_of_score
from search.scores.spectral_error import SpectralError
from search.settings import make_score
from search.strategy import Estimate, Problem
from spaces.build import build_space
from spaces.discovery import find_anatomy
from spaces.errors import InputError
from spaces.option import DROP, KEEP, Option, Quantize
from spaces.space import Unit
from spaces.spec import DropSpec, SpaceSpec
from spaces.tables import load

BITS = quantize(2, 3, 4)
LENGTH = 128
QUANTIZING: list[Score] = [Linearity(), SpectralError(), ActivationEntropy()]


def problem_of(*options: Any, **spec: Any) -> Problem:
    budget: dict[str, object] = {"nominal_bits_per_weight": 3.0} if BITS in options else {"dropped_attentions": 1}
    return replace(make_problem(tiny_space(2, *options, **spec), budget, seed=7), sequence_length=LENGTH)


def asked(score: Score, problem: Problem) -> Estimate:
    question = next(score.score(problem))
    assert isinstance(question, Estimate)
    return question


def answered(score: Score, problem: Problem, name: str, values: np.ndarray) -> Scores:
    return drive(score.score(problem), lambda question: {name: values})


def names_of(problem: Problem, unit: Unit) -> list[str]:
    return [problem.space.layers[index].name for index in unit.layers]


def chosen(problem: Problem, scores: Scores) -> list[tuple[list[str], Option, float, float]]:
    """(layers, option, cost, standard error) of every move; NaN where no errors are known."""
    rows = scores.errors or [np.full(len(costs), np.nan) for costs in scores.costs]
    return [
        (names_of(problem, unit), option, float(cost), float(error))
        for unit, costs, errors in zip(problem.space.units, scores.costs, rows, strict=True)
        for option, cost, error in zip(unit.options, costs, errors, strict=True)
    ]


@pytest.mark.parametrize("ties", ["none", "vllm"])
def test_linearity_is_a_fitted_coefficient_times_the_banks_relative_error(ties: str) -> None:
    problem = problem_of(BITS, quantize(8, layers=("*q_proj",)), ties=ties, exclude=("*.o_proj",))
    score = Linearity(noise_levels=(0.2, 0.5), tokens=3 * LENGTH - 1)
    question = asked(score, problem)
    statistic = question.statistic
    assert isinstance(statistic, NoiseResponse)
    assert sorted(statistic.layers) == sorted(problem.space.names)
    assert (statistic.noise_levels, statistic.sequences, statistic.seed) == ((0.2, 0.5), 3, 7)
    assert (question.start, question.stop) == (0, len(statistic.layers))
    kl = np.random.default_rng(0).uniform(0.1, 1.0, size=(len(statistic.layers), 2))
    scores = answered(score, problem, "kl", kl)
    for layers, option, cost, error in chosen(problem, scores):
        if not isinstance(option, Quantize):
            assert (option, cost, error) == (KEEP, 0.0, 0.0)
            continue
        costs, squares = [], []
        for layer in layers:
            low, high = kl[statistic.layers.index(layer)] / np.array([0.04, 0.25])
            costs.append((low + high) / 2 * recorded_errors(layer, option).weight)
            squares.append((abs(low - high) / 2 * recorded_errors(layer, option).weight) ** 2)
        assert cost == pytest.approx(sum(costs), rel=1e-12)
        assert error == pytest.approx(sum(squares) ** 0.5, rel=1e-12)
    assert score.planned_tokens(problem) == len(statistic.layers) * 2 * 3 * LENGTH


@pytest.mark.parametrize("ties", ["none", "vllm"])
def test_spectral_error_of_tied_layers_is_the_largest(ties: str) -> None:
    problem = problem_of(BITS, ties=ties)
    score = SpectralError()
    question = asked(score, problem)
    entries = question.statistic.entries()
    assert question.statistic == OperatorErrors(changes=entries)
    assert (question.start, question.stop) == (0, len(problem.space.layers) * 3)
    ratios = np.random.default_rng(0).uniform(size=len(entries))
    for layers, option, cost, _ in chosen(problem, answered(score, problem, "ratios", ratios)):
        if isinstance(option, Quantize):
            assert cost == max(ratios[entries.index((layer, option))] for layer in layers)
        else:
            assert cost == 0.0
    assert score.planned_tokens(problem) == 0


@pytest.mark.parametrize("ties", ["none", "vllm"])
def test_entropy_counts_a_gain_like_a_loss_and_adds_over_tied_layers(ties: str) -> None:
    problem = problem_of(BITS, ties=ties)
    score = ActivationEntropy(tokens=4 * LENGTH, bins=50)
    question = asked(score, problem)
    entries = question.statistic.entries()
    assert question.statistic == EntropyChanges(changes=entries, bins=50, sequences=4)
    assert (question.start, question.stop) == (0, 4)
    changes = np.random.default_rng(0).standard_normal((4, len(entries)))
    for layers, option, cost, error in chosen(problem, answered(score, problem, "changes", changes)):
        if isinstance(option, Quantize):
            each = [sum(abs(row[entries.index((layer, option))]) for layer in layers) for row in changes]
            assert cost == pytest.approx(np.mean(each), rel=1e-12)
            assert error == pytest.approx(np.std(each, ddof=1) / 2, rel=1e-12)
        else:
            assert (cost, error) == (0.0, 0.0)
    assert score.planned_tokens(problem) == 4 * 4 * LENGTH


def test_cosine_similarity_prices_the_drop_of_each_part_that_is_open() -> None:
    problem = problem_of(DropSpec(parts=("attention", "mlp")), pin={"model.layers.1.mlp": DROP})
    score = CosineSimilarity(tokens=3 * LENGTH)
    question = asked(score, problem)
    parts = ("model.layers.0.self_attn", "model.layers.0.mlp", "model.layers.1.self_attn")
    assert question.statistic == ResidualTurns(parts=parts, sequences=3)
    distances = np.random.default_rng(0).uniform(size=(3, 3))
    for (part,), option, cost, error in chosen(problem, answered(score, problem, "distances", distances)):
        if option == DROP and part in parts:
            column = distances[:, parts.index(part)]
            assert cost == pytest.approx(column.mean(), rel=1e-12)
            assert error == pytest.approx(column.std(ddof=1) / 3**0.5, rel=1e-12)
        else:
            assert (cost, error) == (0.0, 0.0)
    assert score.planned_tokens(problem) == 2 * 3 * LENGTH


def test_an_attention_whose_block_has_no_mlp_that_is_found_has_no_turn_of_its_own() -> None:
    model = TINY["llama"].skeleton()
    for block in model.model.layers:  # type: ignore[union-attr]
        block.wide = block.mlp
        del block.mlp
    anatomy = find_anatomy(model)
    for kind, refusal in (("attention", r"self_attn from the rest of its block.*drop whole blocks"), ("block", "")):
        space = build_space(anatomy, SpaceSpec(options=(DropSpec(parts=(kind,)),)))  # type: ignore[arg-type]
        problem = make_problem(space, {"parameters": anatomy.num_parameters - 1})
        if refusal:
            with pytest.raises(InputError, match=refusal):
                CosineSimilarity().check(problem)
        else:
            CosineSimilarity().check(problem)


@pytest.mark.parametrize("score", QUANTIZING, ids=lambda score: type(score).__name__)
def test_a_choice_to_drop_is_refused_but_not_a_pinned_one(score: Score) -> None:
    with pytest.raises(
        InputError, match=r"no number for dropping model\.layers\.0\.self_attn; use score fisher or measured-kl"
    ):
        score.check(problem_of(BITS, DropSpec()))
    score.check(problem_of(BITS, DropSpec(), pin={"*.self_attn": DROP, "*.mlp": KEEP}))


def test_cosine_similarity_refuses_a_choice_to_quantize_but_not_a_pinned_one() -> None:
    message = (
        r"drops alone, not for rtn-int2-g32-asym, an option of model\.layers\.0\.self_attn\.q_proj; .*score fisher"
    )
    with pytest.raises(InputError, match=message):
        CosineSimilarity().check(problem_of(BITS, DropSpec()))
    four = Quantize(bits_per_code=4, group_size=32, symmetric=False, solver="rtn")
    CosineSimilarity().check(problem_of(DropSpec(), quantize(4), pin={"*_proj": four}))


@pytest.mark.parametrize("name", ["linearity", "activation-entropy", "cosine-similarity", "inter-layer"])
def test_tokens_are_at_least_one(name: str) -> None:
    with pytest.raises(InputError, match=r"score: score tokens must be at least 1, got 0"):
        make_score({"name": name, "tokens": 0})


@pytest.mark.parametrize("levels", [[], [0.1, 0.0], [-0.2], [float("inf")], [float("nan")]])
def test_noise_levels_are_positive(levels: list[float]) -> None:
    with pytest.raises(InputError, match=r"noise_levels must be one or more positive .*got \[.*write, say"):
        Linearity(noise_levels=tuple(levels))


def test_one_bin_is_refused() -> None:
    with pytest.raises(InputError, match=r"bins must be at least 2, .* got 1"):
        ActivationEntropy(bins=1)


def test_settings_are_read_from_a_job_file() -> None:
    assert make_score({"name": "linearity", "noise_levels": (0.3,), "tokens": 512}) == Linearity(
        noise_levels=(0.3,), tokens=512
    )
    assert name_of_score(InterLayer().singles) == "hessian-trace"
    for name in ("linearity", "spectral-error", "activation-entropy", "cosine-similarity", "inter-layer"):
        assert make_score(name) == load(SCORES, name, "score")()


def test_the_defaults_cost_three_minutes_at_most_on_the_reference_model() -> None:
    """84 layers and 6 options on one core that reads 3,500 tokens a second."""
    problem = replace(
        make_problem(tiny_space(12, quantize(2, 3, 4, 5, 6, 8)), {"nominal_bits_per_weight": 3.0}),
        max_tokens=10**6,
        sequence_length=512,
    )
    assert len(problem.space.units) == 84
    for score in (*QUANTIZING, InterLayer()):
        assert score.planned_tokens(problem) / 3500 <= 180
