"""The gram score: what it asks, and what it makes of the samples that it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from synthetic_search import SEQUENCE_TOKENS, make_problem, quantize, tiny_space

from evaluators.sensitivity.logit_shifts import LogitShifts
from evaluators.statistic import Samples
from search.engine.answers import drive
from search.scores.gram import Base, Gram
from search.scores.score import Scores, first_moves
from search.settings import make_strategy
from search.strategies.allocate import Allocate
from search.strategy import Estimate, Problem, Question
from spaces.configuration import Configuration
from spaces.errors import InputError, JobError
from spaces.option import DROP, KEEP, Quantize
from spaces.spec import DropSpec

Answer = Callable[[LogitShifts], Samples]


def driven(problem: Problem, by: Gram, answer: Answer) -> Scores:
    def checked(question: Question) -> dict[str, np.ndarray]:
        assert isinstance(question, Estimate)
        assert isinstance(question.statistic, LogitShifts)
        assert question.start == 0
        samples = answer(question.statistic)
        assert {len(array) for array in samples.values()} == {question.stop}
        return samples

    return drive(by.score(problem), checked)


def made_up(statistic: LogitShifts) -> dict[str, np.ndarray]:
    """Random samples of the shapes that the statistic has."""
    rng = np.random.default_rng(0)
    count, moves = statistic.sequences // statistic.sequences_per_sample, len(statistic.moves)
    gram = rng.standard_normal((count, moves, moves)).astype(np.float32)
    kl = rng.exponential(size=(count, statistic.sequences_per_sample, 1 + moves))
    return {"gram": gram + gram.transpose(0, 2, 1), "residual": np.zeros((count, moves)), "kl": kl}


def problem_at(bits: float, **changes: object) -> Problem:
    space = tiny_space(1, quantize(2, 4, 8, layers=["*.q_proj", "*.o_proj"]), DropSpec(parts=("mlp",)))
    problem = make_problem(space, {"nominal_bits_per_weight": bits})
    return replace(problem, sequence_length=SEQUENCE_TOKENS, **changes)


def moves_of(problem: Problem) -> list[tuple[int, int]]:
    return [(unit, level) for unit, each in enumerate(problem.space.units) for level in range(len(each.options))]


@pytest.mark.parametrize("base", ["uniform", "dense"])
def test_costs_are_differences_of_the_kl_and_interactions_the_gram(base: Base) -> None:
    problem, by = problem_at(4.0), Gram(base=base, shrink=0.5)
    statistic, levels = by.statistic(problem), by.base_levels(problem)
    samples, scores = made_up(statistic), driven(problem, by, made_up)
    kl = samples["kl"].reshape(-1, 1 + len(statistic.moves))
    place = {move.hash: number for number, move in enumerate(statistic.moves)}
    probe: dict[tuple[int, int], int | None] = {}
    for unit, level in moves_of(problem):
        layers, options = problem.space.units[unit].layers, problem.space.units[unit].options
        stands_in = options[level] == KEEP and any(isinstance(option, Quantize) for option in options)
        option = options[-2] if stands_in else options[level]  # eight bits in place of keep
        wanted = {problem.space.layers[index].name: option for index in layers}
        is_base = level == levels[unit]
        probe[unit, level] = None if is_base else place[Configuration.of(wanted).hash]
    assert scores.interactions is not None
    assert scores.errors is not None
    starts = first_moves(problem.space)
    for (unit, level), number in probe.items():
        difference = kl[:, 1 + number] - kl[:, 0] if number is not None else np.zeros(len(kl))
        assert scores.costs[unit][level] == pytest.approx(difference.mean(), abs=1e-12)
        assert scores.errors[unit][level] == pytest.approx(difference.std(ddof=1) / np.sqrt(len(kl)), abs=1e-12)
        for (other, at), column in probe.items():
            found = scores.interactions.matrix[starts[unit] + level, starts[other] + at]
            both = number is not None and column is not None
            assert found == pytest.approx(0.5 * samples["gram"][:, number, column].mean() if both else 0.0, abs=1e-6)


def test_a_broken_option_is_closed_and_interacts_with_none() -> None:
    problem = problem_at(4.0)

    def broken(statistic: LogitShifts) -> Samples:
        samples = made_up(statistic)
        samples["kl"][0, 0, 1] = np.inf
        return samples

    whole, scores = driven(problem, Gram(), made_up), driven(problem, Gram(), broken)
    [closed] = [move for move in range(len(moves_of(problem))) if np.isinf(np.concatenate(scores.costs)[move])]
    assert whole.interactions is not None
    assert scores.interactions is not None
    expected = whole.interactions.matrix.copy()
    expected[closed], expected[:, closed] = 0.0, 0.0
    assert scores.interactions.matrix.tolist() == expected.tolist()
    others = np.delete(np.concatenate(scores.costs), closed)
    assert others.tolist() == np.delete(np.concatenate(whole.costs), closed).tolist()


def test_a_broken_base_ends_the_job() -> None:
    problem = problem_at(4.0)
    name = problem.space.configure(Gram().base_levels(problem)).id

    def broken(statistic: LogitShifts) -> Samples:
        samples = made_up(statistic)
        samples["kl"][1, 0, 0] = np.inf
        return samples

    with pytest.raises(JobError, match=f"measure changes from {name}, the uniform base for the budget nominal.* 4.0"):
        driven(problem, Gram(), broken)


def test_the_base_is_the_uniform_choice_within_the_budget_or_the_dense_model() -> None:
    problem = problem_at(4.5)
    space = problem.space
    uniform = [unit.options[level] for unit, level in zip(space.units, Gram().base_levels(problem), strict=True)]
    assert [getattr(option, "bits_per_code", option) for option in uniform] == [4, 4, KEEP]
    assert Gram(base="dense").base_levels(problem) == space.kept
    assert DROP in [option for move in Gram().statistic(problem).moves for _, option in move.options]


@pytest.mark.parametrize(
    ("tokens", "max_tokens", "length", "sequences", "each"),
    [
        (2048, 4096, 256, 8, 2),
        (2048, 4096, 512, 4, 1),
        (2048, 65536, 2048, 1, 1),
        (16384, 65536, 512, 32, 4),
        (9 * 256, 4096, 256, 8, 2),  # one does not fill a sample
        (10**6, 1024, 256, 4, 1),  # all there are
    ],
)
def test_whole_samples_are_read_and_planned(
    tokens: int, max_tokens: int, length: int, sequences: int, each: int
) -> None:
    problem, by = replace(problem_at(4.0), max_tokens=max_tokens, sequence_length=length), Gram(tokens=tokens)
    statistic = by.statistic(problem)
    assert (statistic.sequences, statistic.sequences_per_sample) == (sequences, each)
    assert len(statistic.moves) == 2 + 2 + 1  # two and eight bits of two layers, and a drop: keep is not measured
    assert by.planned_tokens(problem) == sequences * length * (5 + 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens": 0}, "tokens must be at least 1, got 0"),
        ({"entries": -3}, "entries must be at least 1, got -3"),
        ({"shrink": 1.5}, r"shrink must be from 0 .* to 1 .*, got 1\.5"),
        ({"base": "sparse"}, "base .*'sparse'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Mapping[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_strategy({"name": "allocate", "score": {"name": "gram", **settings}})


def test_a_job_file_can_ask_for_it() -> None:
    asked = {"name": "gram", "tokens": 512, "entries": 8, "base": "dense", "shrink": 0.5}
    strategy = make_strategy({"name": "allocate", "score": asked, "solver": "quadratic"})
    assert isinstance(strategy, Allocate)
    assert strategy.score == Gram(tokens=512, entries=8, base="dense", shrink=0.5)
