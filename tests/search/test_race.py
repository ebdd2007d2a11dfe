"""Races: how often they err, what they read, and when they end; and the windows of text that they read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from synthetic_search import make_problem, quantize, tiny_space

from search.engine.answers import drive
from search.region.local_model import squared_error
from search.region.race import Belief, Race, Raced, run_race
from search.region.windows import Windows, differences
from search.strategy import Ask, Losses, Problem, Question
from spaces.errors import InputError
from spaces.space import Levels

LENGTH = 512  # tokens of a sequence
PARENT: Levels = (0,) * 7
NUM_RACES = 800
Noise = Callable[[np.random.Generator, int], np.ndarray]  # of mean 0 and variance 1

SIGMA = 1.0  # of the logarithm
SKEW_MEAN, SKEW_SPREAD = np.exp(SIGMA**2 / 2), np.sqrt(np.expm1(SIGMA**2) * np.exp(SIGMA**2))
NOISES: dict[str, Noise] = {
    "normal": lambda rng, count: rng.standard_normal(count),
    "rarely much worse": lambda rng, count: (rng.lognormal(0, SIGMA, count) - SKEW_MEAN) / SKEW_SPREAD,
    "rarely much better": lambda rng, count: (SKEW_MEAN - rng.lognormal(0, SIGMA, count)) / SKEW_SPREAD,
}


def rivals(count: int) -> list[Levels]:
    return [tuple(int(unit == number) for unit in range(7)) for number in range(count)]


def problem_of(sequences: int) -> Problem:
    return make_problem(tiny_space(1, quantize(2, 3)), {"nominal_bits_per_weight": 32}, max_tokens=sequences * LENGTH)


@dataclass(kw_only=True)
class Game:
    """Answers a race: each rival's losses are the parent's plus its true difference plus noise."""

    true: Mapping[Levels, float]
    noise: Noise = NOISES["normal"]
    spread: float = 1.0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    asks: list[Ask] = field(default_factory=list)

    def answer(self, question: Question) -> Losses:
        assert isinstance(question, Ask)
        self.asks.append(question)
        count = -(-question.tokens // LENGTH)
        parent = self.rng.lognormal(0.0, 0.5, count)
        return [
            parent + self.true.get(levels, 0.0) + (levels in self.true) * self.spread * self.noise(self.rng, count)
            for levels in question.candidates
        ]

    def play(self, race: Race, beliefs: Mapping[Levels, Belief], sequences: int = 400) -> Raced:
        windows = Windows(problem=problem_of(sequences))
        return drive(run_race(PARENT, beliefs, race, windows, "a race"), self.answer)

    @property
    def num_tokens(self) -> int:
        return sum(len(ask.candidates) * ask.tokens for ask in self.asks)


def held(names: list[Levels], mean: float = 0.0, variance: float = np.inf) -> dict[Levels, Belief]:
    return dict.fromkeys(names, Belief(mean=mean, variance=variance))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("mean", [0.0, -1.0])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_of_the_winners_no_more_are_worse_than_the_confidence_states(
    noise: str, mean: float, confidence: float
) -> None:
    # true differences drawn from the beliefs, sequences that spread as much as the differences do
    rng = np.random.default_rng([3, round(100 * confidence)])
    won, wrong = 0, 0
    for _ in range(NUM_RACES):
        true = {rival: mean + rng.standard_normal() for rival in rivals(4)}
        game = Game(true=true, noise=NOISES[noise], rng=rng)
        winner = game.play(Race(confidence=confidence), held(rivals(4), mean, 1.0)).winner
        won += winner is not None
        wrong += winner is not None and true[winner] >= 0
    assert won > NUM_RACES / 2
    # 4 standard deviations of a binomial: a race that errs exactly as often as it may fails once in 30,000 seeds
    allowed = won * (1 - confidence)
    assert wrong <= allowed + 4 * np.sqrt(allowed * confidence)


@pytest.mark.parametrize("sequences", [1, 2, 4, 8])  # in the first rung
@pytest.mark.parametrize("spread", [3.0, 5.0])
def test_it_errs_no_more_often_where_sequences_spread_far_more_than_differences(spread: float, sequences: int) -> None:
    rng = np.random.default_rng(5)
    race = Race(tokens=sequences * LENGTH)
    won, wrong = 0, 0
    for _ in range(NUM_RACES):
        true = {rival: rng.standard_normal() for rival in rivals(4)}
        winner = Game(true=true, spread=spread, rng=rng).play(race, held(rivals(4), 0.0, 1.0)).winner
        won += winner is not None
        wrong += winner is not None and true[winner] >= 0
    assert wrong <= 0.2 * won + 4 * np.sqrt(0.2 * 0.8 * won)  # as above


def test_clear_cases_end_at_the_first_rung_and_cost_less_than_unclear_ones() -> None:
    race, rng = Race(tokens=4096, rungs=4), np.random.default_rng(7)
    costs, winners = {}, {}
    for name, difference in {"better": -3.0, "worse": 3.0, "like it": 0.0}.items():
        games = [Game(true=dict.fromkeys(rivals(3), difference), rng=rng) for _ in range(60)]
        winners[name] = [game.play(race, held(rivals(3), 0.0, 9.0)).winner for game in games]
        costs[name] = np.mean([game.num_tokens for game in games])
    # 8 sequences, 8 standard errors from 0: 1e-17 for a normal mean, and less than 1e-4 for an error from 8 sequences
    assert sum(winner is not None for winner in winners["better"]) >= 58
    assert sum(winner is not None for winner in winners["worse"]) <= 2
    assert costs["better"] < 1.1 * 4 * 4096
    assert costs["worse"] < 1.5 * 4 * 4096
    assert costs["like it"] > max(costs["better"], costs["worse"])


@pytest.mark.parametrize(("sequences", "read"), [(400, [1, 2, 4, 8]), (7, [1, 2, 4]), (2, [1, 1])])
def test_a_sure_winner_waits_for_eight_sequences_or_the_end_of_the_stream(sequences: int, read: list[int]) -> None:
    game = Game(true=dict.fromkeys(rivals(2), -1.0), spread=0.0)
    raced = game.play(Race(tokens=LENGTH, rungs=4), held(rivals(2)), sequences)
    assert raced.winner in rivals(2)
    assert [ask.tokens // LENGTH for ask in game.asks] == read


def test_a_sure_loser_waits_for_nothing() -> None:
    game = Game(true=dict.fromkeys(rivals(2), 1.0), spread=0.0)
    assert game.play(Race(tokens=LENGTH, rungs=4), held(rivals(2))).winner is None
    assert [ask.tokens // LENGTH for ask in game.asks] == [1]


def test_every_rung_asks_the_parent_once_and_reads_on() -> None:
    # nothing is ever decided at such a confidence
    game = Game(true=dict.fromkeys(rivals(2), 0.0), spread=1.0)
    raced = game.play(Race(tokens=2048, rungs=4, growth=2, confidence=0.999999), held(rivals(2)))
    assert [ask.tokens // LENGTH for ask in game.asks] == [4, 8, 16, 32]
    assert [ask.first for ask in game.asks] == [0, 4, 12, 28]
    assert all(ask.candidates == (PARENT, *rivals(2)) for ask in game.asks)
    assert all(ask.incumbent == PARENT and ask.label == "a race" for ask in game.asks)
    assert raced.winner is None
    assert {rival: len(values) for rival, values in raced.differences.items()} == dict.fromkeys(rivals(2), 60)


@pytest.mark.parametrize("sequences", [1, 5, 12, 20])
def test_a_short_stream_is_read_once_and_no_more(sequences: int) -> None:
    game = Game(true=dict.fromkeys(rivals(2), 0.0))
    game.play(Race(tokens=2048, rungs=4, confidence=0.999999), held(rivals(2)), sequences)
    read = [ask.first + number for ask in game.asks for number in range(ask.tokens // LENGTH)]
    assert sorted(read) == list(range(sequences))


def test_rivals_that_break_or_lose_are_asked_no_more() -> None:
    good, bad, broken = rivals(3)
    game = Game(true={good: -0.1, bad: 50.0, broken: np.inf})
    raced = game.play(Race(tokens=4096, rungs=4, confidence=0.99), held([good, bad, broken]))
    assert game.asks[0].candidates == (PARENT, good, bad, broken)
    assert all(ask.candidates == (PARENT, good) for ask in game.asks[1:])
    assert len(raced.differences[bad]) == len(raced.differences[broken]) == 8
    assert np.isinf(raced.differences[broken]).all()


def test_the_best_of_several_that_are_accepted_wins() -> None:
    first, second, third = rivals(3)
    game = Game(true={first: -10.0, second: -12.0, third: 5.0}, spread=0.5)
    assert game.play(Race(), held([first, second, third])).winner == second


def test_a_race_of_nobody_asks_nothing() -> None:
    game = Game(true={})
    assert game.play(Race(), {}) == Raced(winner=None, differences={})
    assert game.asks == []


@pytest.mark.parametrize("mean", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize("variance", [0.01, 1.0, 100.0])
def test_a_belief_joins_measurements_as_two_normals_do(mean: float, variance: float) -> None:
    difference = np.array([0.3, -0.5, -1.0, 0.1])
    noise = squared_error(difference, mean)
    after = Belief(mean=mean, variance=variance).after(difference)
    precision = 1 / variance + 1 / noise
    assert after.variance == pytest.approx(1 / precision, rel=1e-12)
    assert after.mean == pytest.approx((mean / variance + difference.mean() / noise) / precision, rel=1e-12)
    # P(x < 0) by integration of the density
    grid = np.linspace(after.mean - 12 * after.variance**0.5, after.mean + 12 * after.variance**0.5, 200_001)
    density = np.exp(-((grid - after.mean) ** 2) / (2 * after.variance)) / np.sqrt(2 * np.pi * after.variance)
    assert after.is_better == pytest.approx(float(density[grid < 0].sum() * (grid[1] - grid[0])), abs=1e-3)


def test_beliefs_at_their_ends() -> None:
    difference = np.array([-1.0, -3.0])
    vague = Belief(mean=5.0, variance=np.inf)
    assert vague.is_better == 0.5
    assert vague.after(difference).mean == -2.0
    assert Belief(mean=5.0, variance=0.0).after(difference) == Belief(mean=5.0, variance=0.0)
    assert Belief(mean=0.0, variance=1.0).after(np.zeros(3)) == Belief(mean=0.0, variance=0.0)
    inf, nan = np.inf, np.nan
    for worse in ([inf, 0.0], [inf, -inf], [inf, nan], [nan, 0.0], [nan, nan]):  # or no better
        assert Belief(mean=-5.0, variance=1.0).after(np.array(worse)).is_better == 0.0
    for better in ([-inf, 5.0], [-inf, nan]):
        assert Belief(mean=5.0, variance=1.0).after(np.array(better)).is_better == 1.0


def test_who_holds_where_the_parent_breaks_wins() -> None:
    sound, broken = rivals(2)

    def answer(question: Question) -> Losses:
        assert isinstance(question, Ask)
        losses = {PARENT: [1.0, np.inf], sound: [9.0, 9.0], broken: [0.1, np.inf]}
        return [np.array(losses[levels]) for levels in question.candidates]

    windows = Windows(problem=problem_of(8))
    raced = drive(run_race(PARENT, held([broken, sound]), Race(tokens=2 * LENGTH), windows, "a race"), answer)
    assert raced.winner == sound
    surely = {sound: Belief(mean=-np.inf, variance=0.0)}  # it was seen before the race
    whole = Game(true={sound: 5.0})
    assert whole.play(Race(), surely).winner == sound


def test_the_plan_drops_half_at_every_rung_and_ends_with_the_stream() -> None:
    race = Race(tokens=1024, rungs=3, growth=2)
    assert race.planned_tokens(4, problem_of(400)) == 5 * 1024 + 3 * 2048 + 2 * 4096
    assert race.lengths(problem_of(5)) == [1024, 1536]
    assert race.planned_tokens(4, problem_of(5)) == 5 * 1024 + 3 * 1536


def test_windows_lie_in_a_circle() -> None:
    windows = Windows(problem=problem_of(7))
    asked: list[tuple[int, int]] = []

    def answer(question: Question) -> Losses:
        assert isinstance(question, Ask)
        asked.append((question.first, question.tokens // LENGTH))
        return [np.arange(question.first, question.first + question.tokens // LENGTH, dtype=float)] * 2

    for expected in ([0, 1, 2], [3, 4, 5], [6, 0, 1], [2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6]):
        tokens = len(expected) * LENGTH - 5  # rounded up to whole sequences
        losses = drive(windows.ask([PARENT, *rivals(1)], tokens, "a label", PARENT), answer)
        assert [list(each) for each in losses] == [expected] * 2
    assert asked == [(0, 3), (3, 3), (6, 1), (0, 2), (2, 5), (0, 7)]
    assert windows.tokens == 2 * 21 * LENGTH


def test_differences_are_paired_and_infinite_where_one_broke() -> None:
    losses = [np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.array([1.0, np.inf]), np.array([np.nan, 2.0])]
    np.testing.assert_array_equal(differences(losses), [[2.0, -1.0], [0.0, np.inf], [np.inf, 0.0]])
    losses = [np.array([1.0, np.inf]), np.array([3.0, 1.0]), np.array([3.0, np.inf]), np.array([np.nan, np.nan])]
    np.testing.assert_array_equal(differences(losses), [[2.0, -np.inf], [2.0, np.nan], [np.inf, np.nan]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens": 0}, "race tokens must be at least 1, got 0"),
        ({"rungs": 0}, "race rungs must be at least 1, got 0"),
        ({"growth": 0}, "race growth must be at least 1, got 0"),
        ({"confidence": 0.4}, r"from 0\.5 to below 1, got 0\.4"),
        ({"confidence": 1.0}, r"from 0\.5 to below 1, got 1\.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Race(**settings)  # type: ignore[arg-type]
