"""A search that is followed: its answers on the way, its tokens, and where it is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import TINY

from benchmarks.recorded import Recorded
from benchmarks.search.meter import EngineMeter, PublishedMeter
from benchmarks.search.trail import Trail, follow
from compressors.measure import EntryErrors
from evaluators.statistic import Samples
from evaluators.stream import Stream
from search.engine.answers import drive
from search.scores.errors import WeightError
from search.scores.measured import MeasuredKL
from search.selection import Stage
from search.strategies.allocate import Allocate
from search.strategies.evolution import Evolution
from search.strategies.random import Random
from search.strategies.uniform import Uniform
from search.strategy import Ask, Losses, Problem, Question, Search, Strategy, measured
from spaces.budget import make_budget
from spaces.build import build_space
from spaces.errors import JobError
from spaces.option import Quantize
from spaces.spec import QuantizeSpec, SpaceSpec

LENGTH, NUM_SEQUENCES = 8, 16
STAGES = (Stage(tokens=12, survivors=2), Stage(tokens=48, survivors=1))
STRATEGIES: dict[str, Strategy] = {
    "uniform": Uniform(),
    "random": Random(samples=12, stages=STAGES),
    "allocate": Allocate(score=MeasuredKL(tokens=20)),
    "reads nothing": Allocate(score=WeightError()),
    "evolution": Evolution(generations=4, offspring=6, stages=STAGES, groups="global"),
}


@pytest.fixture
def problem() -> Problem:
    request = QuantizeSpec(bits=(2, 3, 4), group_sizes=(32,))
    space = build_space(TINY["llama"].anatomy(), SpaceSpec(options=(request,)))

    def errors(layer: str, option: Quantize) -> EntryErrors:
        return EntryErrors(weight=4.0**-option.bits_per_code, output=0.0)

    return Problem(
        space=space,
        budget=make_budget({"nominal_bits_per_weight": 3}, space),
        seed=0,
        max_tokens=LENGTH * NUM_SEQUENCES,
        errors=errors,
        sequence_length=LENGTH,
    )


class MadeUp:
    """Losses that each token of the stream weighs differently; keeps what it was asked."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.asked: list[Ask] = []
        self._units = np.random.default_rng(0).uniform(0.5, 2, len(problem.space.units))
        self._sequences = np.random.default_rng(1).uniform(0.5, 2, NUM_SEQUENCES)

    def __call__(self, question: Question) -> Losses | Samples:
        assert isinstance(question, Ask)
        self.asked.append(question)
        count = self.problem.sequences(question.tokens)
        weights = self._sequences[question.first : question.first + count]
        return [weights * (self._units @ 4.0 ** -np.array(levels)) for levels in question.candidates]


def followed(search: Search, problem: Problem, limit: int | None = None) -> tuple[Trail, MadeUp]:
    answer = MadeUp(problem)
    return follow(search, problem, answer, EngineMeter(problem), limit), answer


@pytest.mark.parametrize("name", STRATEGIES)
def test_it_ends_with_what_the_strategy_answers(name: str, problem: Problem) -> None:
    strategy = STRATEGIES[name]
    trail, _ = followed(strategy.search(problem), problem)
    assert trail.moments[-1].levels == drive(strategy.search(problem), MadeUp(problem))
    assert not trail.is_cut
    assert all(problem.holds(moment.levels) for moment in trail.moments)


@pytest.mark.parametrize("name", STRATEGIES)
def test_its_tokens_are_those_that_the_other_benchmarks_count(name: str, problem: Problem) -> None:
    strategy = STRATEGIES[name]
    trail, _ = followed(strategy.search(problem), problem)
    recorded = Recorded(strategy, Stream(torch.arange(NUM_SEQUENCES * LENGTH).reshape(NUM_SEQUENCES, LENGTH)))
    drive(recorded.search(problem), MadeUp(problem))
    assert trail.read == recorded.num_tokens
    assert trail.computed <= trail.read
    reads = [moment.read for moment in trail.moments]
    assert reads == sorted(reads)
    assert reads[-1] <= trail.read


def test_without_incumbents_the_best_on_the_most_text_counts(problem: Problem) -> None:
    space = problem.space
    good, better, best = ((level,) * len(space.units) for level in (0, 0, 1))
    better = (1, *better[1:])

    def search() -> Search:
        yield from measured((best,), LENGTH, "little text")
        yield from measured((good,), 2 * LENGTH, "more text")
        yield from measured((best,), LENGTH, "little text again")
        yield from measured((better, (2,) * len(space.units)), 2 * LENGTH, "more text, and one over the budget")
        return better

    trail, _ = followed(search(), problem)
    assert [moment.levels for moment in trail.moments] == [best, good, better]
    assert [moment.read // LENGTH for moment in trail.moments] == [1, 3, 7]
    assert trail.read == 7 * LENGTH


def test_an_incumbent_that_is_named_counts_from_its_question_on(problem: Problem) -> None:
    low, high = ((level,) * len(problem.space.units) for level in (0, 1))

    def search() -> Search:
        yield from measured((low,), LENGTH, "first", incumbent=low)
        yield from measured((high,), LENGTH, "second", incumbent=low)
        yield from measured((low,), 2 * LENGTH, "third", incumbent=high)
        return high

    trail, _ = followed(search(), problem)
    assert [(moment.read // LENGTH, moment.levels) for moment in trail.moments] == [(0, low), (2, high)]
    assert trail.read == 3 * LENGTH


def test_a_search_is_cut_before_the_question_that_would_pass_the_limit(problem: Problem) -> None:
    whole, everything = followed(STRATEGIES["evolution"].search(problem), problem)
    for limit in (LENGTH * 20, LENGTH * 50):
        trail, answer = followed(STRATEGIES["evolution"].search(problem), problem, limit)
        assert trail.is_cut
        assert trail.read <= limit
        assert answer.asked == everything.asked[: len(answer.asked)]
        one_more = EngineMeter(problem)
        for question in everything.asked[: len(answer.asked) + 1]:
            one_more.note(question)
        assert one_more.read > limit
    assert not followed(STRATEGIES["evolution"].search(problem), problem, whole.read)[0].is_cut


def test_a_search_without_an_answer_at_its_limit_is_refused(problem: Problem) -> None:
    with pytest.raises(JobError, match="cut after 0 tokens"):
        followed(STRATEGIES["uniform"].search(problem), problem, LENGTH)


def test_as_published_everything_counts_whenever_it_is_asked(problem: Problem) -> None:
    meter, answer = PublishedMeter(problem), MadeUp(problem)
    follow(STRATEGIES["evolution"].search(problem), problem, answer, meter, None)
    expected = sum(len(ask.candidates) * problem.sequences(ask.tokens) * LENGTH for ask in answer.asked)
    assert meter.read == meter.computed == expected


def test_text_that_begins_elsewhere_is_read_anew(problem: Problem) -> None:
    low = (0,) * len(problem.space.units)
    meter = EngineMeter(problem)
    for first, tokens, total in ((0, 16, 16), (0, 32, 32), (4, 16, 48), (4, 16, 64), (0, 32, 64)):
        meter.note(Ask(candidates=(low,), tokens=tokens, label="", first=first))
        assert meter.read == total
