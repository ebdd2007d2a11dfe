"""Brings levels onto the rules of a problem by random single steps, and uses up what is left of the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from search.repair import raise_while
from search.sampling.rules import Rules
from spaces.space import Levels

MAX_DRAWS = 32  # tries to reach a configuration that is not there yet


def fitted(levels: Levels, rules: Rules, rng: np.random.Generator, *, fills: bool = True) -> Levels | None:
    """The levels lowered at random until every rule holds, then, if it ``fills``, raised until none can be raised.

    Rules that lowering does not mend are mended by any other level of a unit; None where single steps do not get there.
    """
    current = list(levels)
    violation = rules.violation(current)
    while violation > 0:
        found = _less(current, violation, rules, rng)
        if found is None:
            return None
        violation = found
    if not fills:
        return tuple(current)
    return raise_while(lambda raised: rules.violation(raised) == 0, current, rules.free, rules.space, rng)


def _less(current: list[int], violation: float, rules: Rules, rng: np.random.Generator) -> float | None:
    """Take the first of the steps, in random order, that violates less: one level down, or else to any level."""
    order = [int(unit) for unit in rng.permutation(rules.free)]
    down = ((unit, current[unit] - 1) for unit in order if current[unit] > rules.floors[unit])
    found = _take(current, down, violation, rules)
    return _take(current, _elsewhere(current, order, rules), violation, rules) if found is None else found


def _elsewhere(current: list[int], order: list[int], rules: Rules) -> Iterable[tuple[int, int]]:
    return (
        (unit, level)
        for unit in order
        for level in range(int(rules.floors[unit]), int(rules.counts[unit]))
        if level != current[unit]
    )


def _take(current: list[int], steps: Iterable[tuple[int, int]], violation: float, rules: Rules) -> float | None:
    for unit, level in steps:
        before, current[unit] = current[unit], level
        if (now := rules.violation(current)) < violation:
            return now
        current[unit] = before
    return None


def drawn(rules: Rules, rng: np.random.Generator) -> Levels | None:
    """Random levels, fitted."""
    return fitted(tuple(int(level) for level in rng.integers(rules.floors, rules.counts)), rules, rng)


def unseen(
    levels: Levels,
    is_seen: Callable[[Levels], bool],
    rules: Rules,
    rng: np.random.Generator,
    *,
    fills: bool = True,
) -> Levels:
    """``levels``, or where they were seen, a near configuration that was not: one to three steps, then fitted.

    The levels themselves where nothing new was found in ``MAX_DRAWS`` draws, or no unit has a choice.
    """
    if not len(rules.free) or not is_seen(levels):
        return levels
    for tried in range(MAX_DRAWS):
        near = np.array(levels)
        units = rng.choice(rules.free, size=1 + tried % 3)
        near[units] += rng.choice([-1, 1], size=len(units))
        stepped = tuple(int(level) for level in np.clip(near, rules.floors, rules.counts - 1))
        found = fitted(stepped, rules, rng, fills=fills)
        if found is not None and not is_seen(found):
            return found
    return levels
