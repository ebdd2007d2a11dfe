"""A search over several budgets: exact where each one is, never worse with more room, and nothing asked twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import Known, cost_of, cost_tables, open_levels
from strategy_contract import make, space_named
from synthetic_search import SyntheticLoss, make_problem, quantize, tiny_space

from evaluators.statistic import Samples
from search.engine.answers import drive
from search.fronts import Front, planned_front_tokens, search_front
from search.scores.fisher import Fisher
from search.scores.measured import MeasuredKL
from search.scores.score import Scores
from search.settings import make_strategy
from search.strategies.allocate import Allocate
from search.strategy import STRATEGIES, Ask, Estimate, Losses, Problem, Question, Search, Strategy, measured
from spaces.budgets import make_budgets
from spaces.constraints import make_constraints
from spaces.space import Levels, Space
from spaces.spec import DropSpec

BITS = "nominal_bits_per_weight"
FULL = 4096
STAGES = [{"tokens": 512, "survivors": 2}, {"tokens": 2048, "survivors": 1}]
SPACES = {
    "quantize": lambda: tiny_space(1, quantize(2, 3, 4, 6, layers=["*.q_proj", "*.v_proj", "*.up_proj"])),
    "mixed": lambda: tiny_space(2, DropSpec(), quantize(2, 4, layers=["*.0.*q_proj", "*.1.*down_proj"])),
}


def problems(space: Space, values: Iterable[object], name: str = BITS) -> tuple[Problem, ...]:
    budgets = make_budgets({name: list(values)}, space)
    return tuple(make_problem(space, budget) for budget in budgets)


class Answering:
    """Answers from a made-up loss, and counts what is asked of it."""

    def __init__(self, loss: SyntheticLoss) -> None:
        self.loss = loss
        self.asks: list[Ask] = []
        self.estimates: list[Estimate] = []

    def __call__(self, question: Question) -> Losses | Samples:
        if isinstance(question, Estimate):
            self.estimates.append(question)
            rng = np.random.default_rng(0)
            count = len(question.statistic.changes)  # type: ignore[attr-defined]
            return {"products": rng.normal(size=(question.stop - question.start, count))}
        self.asks.append(question)
        return [self.loss(levels, question.tokens) for levels in question.candidates]


def answers_of(strategy: Strategy, asked: tuple[Problem, ...], told: Answering) -> tuple[Levels, ...]:
    for problem in asked:
        strategy.check(problem)
    answers = drive(search_front(strategy, asked), told)
    assert all(problem.holds(levels) for problem, levels in zip(asked, answers, strict=True))
    return answers


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 10_000), st.lists(st.integers(0, 100), min_size=2, max_size=5))
def test_additive_losses_are_solved_exactly_at_every_budget(name: str, seed: int, places: list[int]) -> None:
    space = SPACES[name]()
    low, high = make_budgets({"size": {"points": 2}}, space)
    sizes = {
        -(-(low.limits[0].limit + (high.limits[0].limit - low.limits[0].limit) * place // 100) // 8) for place in places
    }
    asked = problems(space, sorted(sizes), "size")
    loss = SyntheticLoss(space=space, seed=seed)
    found = answers_of(Allocate(score=MeasuredKL(tokens=FULL)), asked, Answering(loss))
    best = [min(loss.exact(levels) for levels in open_levels(problem, loss.separable)) for problem in asked]
    assert [loss.exact(levels) for levels in found] == pytest.approx(best, rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_answers_of_scores_that_mislead_still_never_get_worse(data: st.DataObject) -> None:
    space = SPACES["quantize"]()
    costs = data.draw(cost_tables(space))
    loss = SyntheticLoss(space=space, interaction=0.5, noise=0.3, seed=data.draw(st.integers(0, 100)))
    asked = problems(space, [8.0, 9.0, 10.0, 11.0, 12.0])
    found = answers_of(Allocate(score=Known(scores=Scores(costs=costs))), asked, Answering(loss))
    means = [float(loss(levels, FULL).mean()) for levels in found]
    assert means == sorted(means, reverse=True)
    own = [drive(Allocate(score=Known(scores=Scores(costs=costs))).search(each), Answering(loss)) for each in asked]
    for index, (problem, mean) in enumerate(zip(asked, means, strict=True)):
        fitting = [float(loss(levels, FULL).mean()) for levels in own if problem.holds(levels)]
        assert mean == min(fitting), index


def test_whatever_was_measured_on_the_way_competes_for_every_budget_it_meets() -> None:
    space = tiny_space(2, quantize(2, 3, 4))
    loss = SyntheticLoss(space=space, interaction=0.3, noise=0.2)
    asked, told = problems(space, [2.2, 2.4, 2.6, 2.8, 3.0, 3.2]), Answering(loss)
    strategy = make_strategy({"name": "evolution", "generations": 3, "offspring": 6, "stages": STAGES})
    found = answers_of(strategy, asked, told)
    at_full = {levels for ask in told.asks if ask.tokens == 2048 for levels in ask.candidates}
    for problem, levels in zip(asked, found, strict=True):
        least = min(float(loss(each, 2048).mean()) for each in at_full if problem.holds(each))
        assert float(loss(levels, 2048).mean()) == least
    means = [float(loss(levels, 2048).mean()) for levels in found]
    assert means == sorted(means, reverse=True)


@dataclass(frozen=True, kw_only=True)
class Wandering:
    """Answers with the smallest choices, after measuring better ones on other text than the last choice's."""

    better: tuple[Levels, ...]
    tokens: int
    first: int

    def check(self, problem: Problem) -> None:
        pass

    def fidelity(self, problem: Problem) -> int:
        return FULL

    def planned_tokens(self, problem: Problem) -> int:
        return 0

    def search(self, problem: Problem) -> Search:
        yield from measured(self.better, self.tokens, "elsewhere", first=self.first)
        return (0,) * len(problem.space.units)


@pytest.mark.parametrize(("tokens", "first", "is_taken"), [(FULL, 0, True), (FULL, 1, False), (512, 0, False)])
def test_only_the_text_of_the_last_choice_is_compared(tokens: int, first: int, is_taken: bool) -> None:
    space = tiny_space(1, quantize(2, 3, 4))
    better = tuple(1 for _ in space.units)
    asked = problems(space, [2.5, 3.5])
    strategy = Wandering(better=(better,), tokens=tokens, first=first)
    found = answers_of(strategy, asked, Answering(SyntheticLoss(space=space)))
    assert found == ((0,) * len(space.units), better if is_taken else (0,) * len(space.units))


def test_a_sample_is_asked_for_once_for_all_budgets() -> None:
    space = tiny_space(2, quantize(2, 3, 4))
    asked, told = problems(space, [2.5, 3.0, 3.5]), Answering(SyntheticLoss(space=space))
    answers_of(Allocate(score=Fisher(tokens=FULL)), asked, told)
    samples = [(each.statistic, number) for each in told.estimates for number in range(each.start, each.stop)]
    assert samples
    assert len(set(samples)) == len(samples)


def test_the_plan_counts_a_score_once_for_each_base_it_is_measured_around() -> None:
    space = tiny_space(2, quantize(2, 3, 4))
    asked = problems(space, [2.1, 2.2, 2.9, 3.1])  # the nearest uniform choice has 2 bits twice, and 3 bits twice
    fisher, around = Allocate(score=Fisher(tokens=1024)), Allocate(score=MeasuredKL(tokens=512))
    last = len(asked) * FULL  # the answers on the whole text
    assert planned_front_tokens(fisher, asked) == fisher.planned_tokens(asked[0]) + last
    assert planned_front_tokens(around, asked) == 2 * around.planned_tokens(asked[0]) + last
    random = make_strategy({"name": "random", "samples": 8, "stages": STAGES})
    assert planned_front_tokens(random, asked) == 4 * (random.planned_tokens(asked[0]) + 2048)
    told = Answering(SyntheticLoss(space=space))
    answers_of(around, asked, told)
    read = {(levels, ask.tokens) for ask in told.asks for levels in ask.candidates}
    assert sum(tokens for _, tokens in read) <= planned_front_tokens(around, asked)


@dataclass(frozen=True, kw_only=True)
class OfItsOwn(Wandering):
    """Knows a search of fronts."""

    def search_front(self, problems: tuple[Problem, ...]) -> Front:
        yield from measured(self.better, self.tokens, "all at once", first=self.first)
        return self.better

    def planned_front_tokens(self, problems: tuple[Problem, ...]) -> int:
        return 17


def test_a_strategy_may_search_all_budgets_in_its_own_way() -> None:
    space = tiny_space(1, quantize(2, 3, 4))
    asked = problems(space, [2.5, 3.5])
    own = tuple(tuple(level for _ in space.units) for level in (0, 1))
    told = Answering(SyntheticLoss(space=space))
    strategy = OfItsOwn(better=own, tokens=FULL, first=0)
    assert answers_of(strategy, asked, told) == own
    assert [ask.label for ask in told.asks] == ["all at once"]  # what it measured is not asked for again
    assert planned_front_tokens(strategy, asked) == 17 + 2 * FULL


def test_a_restart_asks_the_same_and_ends_the_same() -> None:
    space = tiny_space(2, quantize(2, 3, 4))
    asked = problems(space, [2.3, 2.6, 3.0])
    strategy = make_strategy({"name": "evolution", "generations": 2, "offspring": 4, "stages": STAGES})
    runs = [Answering(SyntheticLoss(space=space, noise=0.2)) for _ in range(2)]
    assert answers_of(strategy, asked, runs[0]) == answers_of(strategy, asked, runs[1])
    assert runs[0].asks == runs[1].asks
    assert runs[0].asks[0].label.startswith("budget 1 of 3: ")


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_answers_every_budget_and_never_worse_with_more_room(name: str) -> None:
    space = space_named("three units")
    asked = problems(space, [3.0, 3.4, 4.0])
    strategy, loss = make(name, asked[0]), SyntheticLoss(space=space, interaction=0.3, noise=0.2)
    found = answers_of(strategy, asked, Answering(loss))
    tokens = max(strategy.fidelity(problem) for problem in asked)
    means = [float(loss(levels, tokens).mean()) for levels in found]
    assert means == sorted(means, reverse=True)


def test_constraints_bind_every_budget() -> None:
    space = tiny_space(1, quantize(2, 3, 4))
    constraints = make_constraints([{"at_most": 0, "option": "*int2*", "layers": "*.q_proj"}], space)
    asked = tuple(replace(each, constraints=constraints) for each in problems(space, [2.5, 3.0, 3.5]))
    strategy = make_strategy({"name": "allocate", "score": "weight-error", "solver": "integer-program"})
    answers_of(strategy, asked, Answering(SyntheticLoss(space=space)))  # asserts that they hold


def test_a_broken_configuration_is_no_winner() -> None:
    space = SPACES["quantize"]()
    costs = [np.arange(len(unit.options), dtype=float) for unit in space.units]

    class Breaking(SyntheticLoss):
        def __call__(self, levels: Levels, num_tokens: int) -> np.ndarray:
            value = super().__call__(levels, num_tokens)
            return value * np.nan if sum(levels) == 0 else value

    asked = problems(space, [8.0, 9.0])
    strategy = Allocate(score=Known(scores=Scores(costs=costs)))  # likes the smallest, which breaks
    better = OfItsOwn(better=((0,) * len(space.units), (1,) + (0,) * (len(space.units) - 1)), tokens=FULL, first=0)
    assert cost_of(space, costs, answers_of(strategy, asked, Answering(Breaking(space=space)))[0]) == 0
    found = answers_of(better, asked, Answering(Breaking(space=space)))
    assert sum(found[1]) == 1
