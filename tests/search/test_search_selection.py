"""Multi-step selection: who survives, what the parent needs to be replaced, and how ties end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from synthetic_search import make_problem, quantize, tiny_space

from search.selection import Stage, check_stages, distinct, select, stage_tokens
from search.strategy import Ask, Problem
from spaces.errors import InputError
from spaces.space import Levels
from spaces.spec import DropSpec

Loss = Callable[[Levels, int], float]


def candidates(count: int) -> list[Levels]:
    """Different levels of seven units."""
    return [tuple(int(digit) for digit in f"{number:07b}") for number in range(count)]


@pytest.fixture
def problem() -> Problem:
    return make_problem(tiny_space(1, quantize(2, 3)), {"nominal_bits_per_weight": 32})


def stages(*pairs: tuple[int, int]) -> list[Stage]:
    return [Stage(tokens=tokens, survivors=survivors) for tokens, survivors in pairs]


def play(
    pool: list[Levels], steps: list[Stage], problem: Problem, loss: Loss, parent: Levels | None = None
) -> tuple[Levels, list[Ask]]:
    selection = select(pool, steps, problem, "a label", parent=parent)
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
