"""EvoPress' level switches: how a child differs from its parent (Sieberling et al. 2024, section 3; its released code).

A flip lowers one unit by one level and raises another. Inside groups of units that cost the same this keeps the size;
under a global budget the raises come first, and random lowerings follow until the budget holds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Literal

import numpy as np

from search.repair import lower_within
from search.strategy import Problem
from spaces.space import Levels, Space
from spaces.tables import check_name

Groups = Literal["equal-size", "last-name", "global"]
GROUPS = ("equal-size", "last-name", "global")
MAX_CHANGES = 10  # EvoPress: a child with more changed units is thrown away (global budget)
LEAST_RAISED = 0.8  # EvoPress: so is one whose raised bits are below this share of the lowered
MAX_MISSES = 1000  # draws in a row without a new child before the parent's neighbourhood counts as exhausted


def num_flips(rng: np.random.Generator) -> int:
    """min(U{1..3}, U{1..3}): 1, 2 or 3 flips with probability 5/9, 3/9 and 1/9."""
    return int(min(rng.integers(1, 4), rng.integers(1, 4)))


def group_units(space: Space, groups: str) -> list[list[int]]:
    """The units that may trade levels with each other; droppable parts trade with parts of their kind."""
    check_name(groups, GROUPS, "grouping")
    if groups == "global":
        return [list(range(len(space.units)))]
    members: dict[Hashable, list[int]] = {}
    for number, unit in enumerate(space.units):
        layers = [space.layers[index] for index in unit.layers]
        key: Hashable
        if layers[0].part is not None:
            key = layers[0].part
        elif groups == "equal-size":
            key = sum(layer.num_weights for layer in layers)
        else:
            key = tuple(layer.name.rpartition(".")[2] for layer in layers)
        members.setdefault(key, []).append(number)
    return list(members.values())


def mutator(problem: Problem, groups: str) -> Callable[[Levels, np.random.Generator], Levels | None]:
    """The function that draws one child, or None where the draw is thrown away."""
    if groups == "global":
        return lambda parent, rng: switch_globally(parent, problem, rng)
    members = group_units(problem.space, groups)
    return lambda parent, rng: switch_in_groups(parent, members, problem, rng)


def children(parent: Levels, count: int, groups: str, problem: Problem, rng: np.random.Generator) -> list[Levels]:
    """Up to ``count`` children that meet the budget, each another configuration than ``parent`` and its siblings.

    Levels that differ only inside a dropped part are one configuration.
    """
    draw = mutator(problem, groups)
    seen = {problem.space.configure(parent)}
    found: list[Levels] = []
    misses = 0
    while len(found) < count and misses < MAX_MISSES:
        misses += 1
        child = draw(parent, rng)
        if child is None or child == parent or not problem.holds(child):
            continue
        configuration = problem.space.configure(child)
        if configuration not in seen:
            seen.add(configuration)
            found.append(child)
            misses = 0
    return found


def switch_in_groups(parent: Levels, groups: list[list[int]], problem: Problem, rng: np.random.Generator) -> Levels:
    """Per flip: a group drawn by its number of units; one unit of it goes down a level and one goes up."""
    levels = list(parent)
    weights = np.array([len(group) for group in groups]) / sum(map(len, groups))
    for _ in range(num_flips(rng)):
        group = groups[rng.choice(len(groups), p=weights)]
        lower = [unit for unit in group if levels[unit] > 0]
        higher = [unit for unit in group if levels[unit] < len(problem.space.units[unit].options) - 1]
        if not lower or not higher:
            continue
        levels[lower[rng.integers(len(lower))]] -= 1
        levels[higher[rng.integers(len(higher))]] += 1
    return tuple(levels)


def switch_globally(parent: Levels, problem: Problem, rng: np.random.Generator) -> Levels | None:
    """``flips`` random raises, then random lowerings until the budget holds."""
    levels = list(parent)
    for _ in range(num_flips(rng)):
        higher = [n for n, unit in enumerate(problem.space.units) if levels[n] < len(unit.options) - 1]
        if not higher:
            break  # all are at the top: the raises so far are the child's
        levels[higher[rng.integers(len(higher))]] += 1
    child = lower_within(MAX_CHANGES, tuple(levels), problem, rng)
    if child is None or sum(a != b for a, b in zip(parent, child, strict=True)) > MAX_CHANGES:
        return None
    return child if _is_balanced(parent, child, problem) else None


def _is_balanced(parent: Levels, child: Levels, problem: Problem) -> bool:
    """Whether the raises take up enough of what the lowerings free, in some limit that the child moves."""
    top = tuple(map(max, parent, child))  # the raises without the lowerings
    before, above, after = (problem.space.measure(levels) for levels in (parent, top, child))
    moves = []
    for measure in {limit.measure for limit in problem.budget.limits}:
        low, high, end = (int(getattr(measures, measure)) for measures in (before, above, after))
        moves.append((high - low, high - end))
    moved = [(raised, lowered) for raised, lowered in moves if raised or lowered]
    return not moved or any(raised >= LEAST_RAISED * lowered for raised, lowered in moved)
