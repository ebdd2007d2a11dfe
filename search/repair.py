"""Brings levels to the budget at random: lowers what helps until it holds, raises what still fits."""

from __future__ import annotations

import itertools

import numpy as np

from search.strategy import Problem
from spaces.errors import InputError
from spaces.layer import PARTS, Part
from spaces.space import Levels

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
    """Random single raises until none fits the budget any more; what lies in a dropped part stays as it is."""
    current, space = list(levels), problem.space
    measures = space.measure(current)
    open_units = list(range(len(space.units)))
    while open_units:
        place = int(rng.integers(len(open_units)))
        unit = open_units[place]
        current[unit] += 1
        raised = space.measure(current) if current[unit] < len(space.units[unit].options) else measures
        if raised != measures and problem.budget.holds(raised):
            measures = raised
        else:
            current[unit] -= 1
            open_units.pop(place)
    return tuple(current)


def draw(problem: Problem, rng: np.random.Generator) -> Levels:
    """A random configuration that meets the budget and uses it up: random levels, lowered, then raised.

    Where the budget is a number of drops, exactly so many are dropped, any as likely as any other.
    """
    levels = tuple(int(rng.integers(len(unit.options))) for unit in problem.space.units)
    return raise_while_it_holds(lower_until_it_holds(levels, problem, rng), problem, rng)
