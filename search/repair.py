"""Brings levels to the budget at random: lowers what helps until it holds, raises what still fits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from search.scores.score import hidden_units
from search.strategy import Problem
from spaces.errors import InputError
from spaces.layer import PARTS, Part
from spaces.option import DROP
from spaces.space import Levels, Space

# what must be dropped to reduce a measure that counts parts; every other measure falls with any unit's level
DROPS_THAT_REDUCE: dict[str, tuple[Part, ...]] = {
    "attentions": ("attention", "block"),
    "mlps": ("mlp", "block"),
    "parameters": PARTS,
    "flops": PARTS,
}


def lower_within(most: int | None, levels: Levels, problem: Problem, rng: np.random.Generator) -> Levels | None:
    """Random single lowerings until the budget holds; None where ``most`` are not enough, or nothing helps any more."""
    space, current = problem.space, list(levels)
    parts = [space.layers[unit.layers[0]].part for unit in space.units]
    helpful = {
        limit.measure: {n for n, part in enumerate(parts) if _helps(part, limit.measure)}
        for limit in problem.budget.limits
    }
    for done in itertools.count():
        measures = space.measure(current)
        broken = [limit.measure for limit in problem.budget.limits if not limit.holds(measures)]
        if not broken:
            return tuple(current)
        able = set[int]().union(*(helpful[each] for each in broken))
        lower = [n for n, level in enumerate(current) if level > 0 and n in able]
        if not lower or done == most:
            return None
        current[lower[rng.integers(len(lower))]] -= 1
    return None


def _helps(part: Part | None, measure: str) -> bool:
    return measure not in DROPS_THAT_REDUCE or part in DROPS_THAT_REDUCE[measure]


def lower_until_it_holds(levels: Levels, problem: Problem, rng: np.random.Generator) -> Levels:
    """Random single lowerings until the budget holds.

    Raises:
        InputError: nothing is left to lower.
    """
    lowered = lower_within(None, levels, problem, rng)
    if lowered is None:
        raise InputError(f"no configuration meets all of the budget ({problem.budget}) at once; relax one limit")
    return lowered


def raise_while_it_holds(levels: Levels, problem: Problem, rng: np.random.Generator) -> Levels:
    """Random single raises until none fits the budget any more: see ``raise_while``."""
    space, budget = problem.space, problem.budget
    return raise_while(lambda raised: budget.holds(space.measure(raised)), levels, range(len(space.units)), space, rng)


def raise_while(
    holds: Callable[[Sequence[int]], bool],
    levels: Sequence[int],
    units: Sequence[int],
    space: Space,
    rng: np.random.Generator,
) -> Levels:
    """Random single raises of ``units``, each to the next larger size, until none holds any more.

    Of options of one size any is as likely. What lies in a dropped part stays as it is, unless the part comes back.
    """
    current, open_units = list(levels), list[int]()
    waiting = list(units)

    def open_what_shows() -> None:
        hidden = hidden_units(space, tuple(current))
        open_units.extend(unit for unit in waiting if unit not in hidden)
        waiting[:] = [unit for unit in waiting if unit in hidden]

    open_what_shows()
    while open_units:
        place = int(rng.integers(len(open_units)))
        unit = open_units[place]
        before = current[unit]
        larger = space.larger[unit][before]
        if larger:
            current[unit] = larger[int(rng.integers(len(larger)))] if len(larger) > 1 else larger[0]
        if not larger or not holds(current):
            current[unit] = before
            open_units.pop(place)
        elif space.units[unit].options[before] == DROP:
            open_what_shows()
    return tuple(current)


def draw(problem: Problem, rng: np.random.Generator) -> Levels:
    """A random configuration that meets the budget and uses it up: random levels, lowered, then raised.

    Where the budget is a number of drops, exactly so many are dropped, any as likely as any other.
    """
    levels = tuple(int(rng.integers(len(unit.options))) for unit in problem.space.units)
    return raise_while_it_holds(lower_until_it_holds(levels, problem, rng), problem, rng)
