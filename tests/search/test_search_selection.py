"""Multi-step selection: who survives, what the parent needs to be replaced, and how ties end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from synthetic_search import make_problem, quantize, tiny_space

from search.selection import Fitness, Reading, Stage, check_stages, distinct, select, stage_tokens
from search.strategy import Ask, Problem
from spaces.errors import InputError
from spaces.space import Levels
from spaces.spec import DropSpec

Loss = Callable[[Levels, int], float]
NESTED = Reading()


def candidates(count: int) -> list[Levels]:
    """Different levels of seven units."""
    return [tuple(int(digit) for digit in f"{number:07b}") for number in range(count)]


@pytest.fixture
def problem() -> Problem:
    return make_problem(tiny_space(1, quantize(2, 3)), {"nominal_bits_per_weight": 32})


def stages(*pairs: tuple[int, int]) -> list[Stage]:
    return [Stage(tokens=tokens, survivors=survivors) for tokens, survivors in pairs]


def play(
    pool: list[Levels],
    steps: list[Stage],
    problem: Problem,
    loss: Loss,
    parent: Levels | None = None,
    reading: Reading = NESTED,
) -> tuple[Levels, list[Ask]]:
    selection = select(pool, steps, problem, "a label", parent=parent, reading=reading)
    asks = [next(selection)]
    try:
        while True:
            told = [np.array([loss(levels, asks[-1].tokens)] * 2) for levels in asks[-1].candidates]
            asks.append(selection.send(told))
    except StopIteration as stop:
        return stop.value, asks


def test_each_stage_asks_the_best_of_the_stage_before(problem: Problem) -> None:
    pool = candidates(10)
    worth = dict(zip(pool, np.random.default_rng(0).permutation(10), strict=True))
    winner, asks = play(
        pool, stages((100, 4), (200, 2), (400, 1)), problem, lambda levels, tokens: float(worth[levels])
    )
    ranked = sorted(pool, key=lambda levels: worth[levels])
    assert [ask.tokens for ask in asks] == [100, 200, 400]
    assert [set(ask.candidates) for ask in asks] == [set(pool), set(ranked[:4]), set(ranked[:2])]
    assert winner == ranked[0]
    assert {ask.label for ask in asks} == {"a label"}


def test_a_later_stage_overrules_an_earlier_one(problem: Problem) -> None:
    first, second, third = candidates(3)
    losses = {100: {first: 1.0, second: 2.0, third: 3.0}, 200: {first: 2.0, second: 1.0}}
    winner, _ = play([first, second, third], stages((100, 2), (200, 1)), problem, lambda lv, tokens: losses[tokens][lv])
    assert winner == second


def test_the_parent_joins_only_stages_that_keep_as_many_as_the_last(problem: Problem) -> None:
    parent, *pool = candidates(6)
    _, asks = play(pool, stages((100, 3), (200, 1)), problem, lambda levels, tokens: float(sum(levels)), parent)
    assert [parent in ask.candidates for ask in asks] == [False, True]
    _, asks = play(pool, stages((100, 1), (200, 1)), problem, lambda levels, tokens: float(sum(levels)), parent)
    assert [parent in ask.candidates for ask in asks] == [True, True]


@pytest.mark.parametrize(("child_loss", "is_replaced"), [(0.999, True), (1.0, False), (1.001, False)])
def test_the_parent_is_replaced_only_by_what_is_strictly_better_on_the_most_text(
    problem: Problem, child_loss: float, is_replaced: bool
) -> None:
    parent, child = candidates(2)
    winner, _ = play(
        [child],
        stages((100, 3), (200, 1)),
        problem,
        lambda levels, tokens: child_loss if levels == child and tokens == 200 else 1.0,
        parent,
    )
    assert (winner == child) == is_replaced


def test_ties_go_to_the_first_asked(problem: Problem) -> None:
    pool = candidates(8)[::-1]
    winner, asks = play(pool, stages((100, 3), (200, 1)), problem, lambda levels, tokens: 7.0)
    assert asks[1].candidates == tuple(pool[:3])
    assert winner == pool[0]


def test_a_broken_candidate_loses_to_every_other(problem: Problem) -> None:
    broken, fine = candidates(2)
    winner, _ = play([broken, fine], stages((100, 1)), problem, lambda lv, tokens: np.inf if lv == broken else 1e30)
    assert winner == fine


def test_nested_text_begins_where_the_stream_does(problem: Problem) -> None:
    _, asks = play(candidates(4), stages((600, 2), (1200, 1)), problem, lambda levels, tokens: 0.0)
    assert [ask.first for ask in asks] == [0, 0]


def test_a_drawn_window_lies_in_the_stream_and_every_place_is_as_likely() -> None:
    problem = make_problem(tiny_space(1, quantize(2, 3)), {"nominal_bits_per_weight": 32}, max_tokens=6 * 512)
    reading = Reading(draw=np.random.default_rng(0))
    drawn = np.array([reading.first(problem, 2 * 512 + 1) for _ in range(4000)])  # three sequences of six
    # four places: binomial of 4000 draws at 1/4, 5 standard deviations fail 2 times in a million seeds
    assert np.abs(np.bincount(drawn) - 1000).max() < 5 * np.sqrt(4000 / 4 * 3 / 4)
    assert set(drawn) == {0, 1, 2, 3}
    assert {reading.first(problem, 6 * 512) for _ in range(20)} == {0}
    assert {reading.first(problem, 100 * 512) for _ in range(20)} == {0}


def test_every_stage_draws_a_window_of_its_own(problem: Problem) -> None:
    steps = stages((512, 8), (512, 4), (1024, 2), (2048, 1))
    reading = Reading(draw=np.random.default_rng(1))
    _, asks = play(candidates(20), steps, problem, lambda levels, tokens: float(sum(levels)), reading=reading)
    again = np.random.default_rng(1)
    starts = [int(again.integers(4096 // 512 - ask.tokens // 512 + 1)) for ask in asks]
    assert [ask.first for ask in asks] == starts
    assert len(set(starts)) > 1


@pytest.mark.parametrize(("fitness", "is_replaced"), [("float64", True), ("float16", False)])
def test_what_is_equal_as_float16_goes_to_the_parent(problem: Problem, fitness: Fitness, is_replaced: bool) -> None:
    parent, child = candidates(2)
    better = np.float32(0.02) * (1 - 1e-4)
    assert np.float16(better) == np.float16(0.02)
    reading = Reading(fitness=fitness)
    winner, _ = play(
        [child], stages((100, 1)), problem, lambda lv, tokens: better if lv == child else 0.02, parent, reading
    )
    assert (winner == child) == is_replaced


def test_a_step_of_float16_is_enough_to_replace_the_parent(problem: Problem) -> None:
    parent, child = candidates(2)
    below = float(np.nextafter(np.float16(0.02), np.float16(0)))
    reading = Reading(fitness="float16")
    winner, _ = play(
        [child], stages((100, 1)), problem, lambda lv, tokens: below if lv == child else 0.02, parent, reading
    )
    assert winner == child


def test_a_mean_is_rounded_and_not_its_terms() -> None:
    losses = np.array([1.0, 2**-11])  # half a step of float16 above 1, were it not a mean
    assert Reading(fitness="float16").rank(losses) == float(np.float16(losses.mean()))
    assert Reading().rank(losses) == losses.mean()


@pytest.mark.parametrize("fitness", ["float64", "float16"])
def test_a_broken_candidate_loses_in_either_fitness(problem: Problem, fitness: Fitness) -> None:
    broken, fine = candidates(2)
    winner, _ = play(
        [broken, fine],
        stages((100, 1)),
        problem,
        lambda lv, tokens: np.inf if lv == broken else 6e4,
        reading=Reading(fitness=fitness),
    )
    assert winner == fine


def test_tokens_stop_at_the_end_of_the_stream() -> None:
    problem = make_problem(tiny_space(1, quantize(2, 3)), {"nominal_bits_per_weight": 32}, max_tokens=150)
    _, asks = play(candidates(3), stages((100, 2), (200, 1)), problem, lambda levels, tokens: 0.0)
    assert [ask.tokens for ask in asks] == [100, 150]


@pytest.mark.parametrize("pairs", [[(64, 1)], [(64, 3), (256, 1)], [(64, 4), (64, 4), (512, 1)], [(64, 1), (512, 1)]])
@pytest.mark.parametrize("num_candidates", [2, 9])
@pytest.mark.parametrize("has_parent", [False, True])
def test_stage_tokens_are_what_is_asked(
    problem: Problem, pairs: list[tuple[int, int]], num_candidates: int, has_parent: bool
) -> None:
    *pool, parent = candidates(num_candidates + 1)
    _, asks = play(pool, stages(*pairs), problem, lambda levels, tokens: 0.0 if levels != parent else 1.0, None)
    _, with_parent = play(pool, stages(*pairs), problem, lambda levels, tokens: float(levels == parent), parent)
    asked = sum(len(ask.candidates) * ask.tokens for ask in (with_parent if has_parent else asks))
    assert stage_tokens(num_candidates, stages(*pairs), problem, has_parent=has_parent) == asked


def test_levels_that_differ_only_inside_a_dropped_part_are_one_candidate() -> None:
    space = tiny_space(1, quantize(2, layers=["*.q_proj"]), DropSpec(parts=("attention",)))
    problem = make_problem(space, {"nominal_bits_per_weight": 32})
    part = next(n for n, unit in enumerate(space.units) if space.layers[unit.layers[0]].part)
    assert part in (0, 1)
    dropped = [tuple(0 if n == part else level for n in range(2)) for level in (0, 1)]
    kept = [tuple(1 if n == part else level for n in range(2)) for level in (0, 1)]
    assert distinct([*dropped, *kept], problem) == [dropped[0], *kept]


REFUSED = [
    ([], "one survivor, got 0"),
    ([(10, 2)], "one survivor, got 2"),
    ([(20, 2), (10, 1)], "got 20 tokens -> 2 before 10 -> 1"),
    ([(10, 1), (20, 2), (20, 1)], "got 10 tokens -> 1 before 20 -> 2"),
]


@pytest.mark.parametrize(("pairs", "message"), REFUSED)
def test_stages_that_do_not_narrow_are_refused(pairs: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_stages(stages(*pairs))


@pytest.mark.parametrize(("tokens", "survivors"), [(0, 1), (1, 0), (-5, 1)])
def test_a_stage_needs_tokens_and_survivors(tokens: int, survivors: int) -> None:
    with pytest.raises(InputError, match=f"got {tokens} and {survivors}"):
        Stage(tokens=tokens, survivors=survivors)
