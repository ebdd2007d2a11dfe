"""What a space can reach: the extremes of one measure, and whether several limits can hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.constraints import Constraint
from spaces.option import DROP
from spaces.program import Program, Row
from spaces.space import Levels, Space

Bound: TypeAlias = tuple[str, int] | Constraint  # a measure and the most that it may be, or a rule


def extremes(space: Space, measure: str) -> tuple[int, int]:
    """The smallest and largest value of one measure over the whole space, exactly.

    Each unit's own extreme is the whole's, since units add up, and a dropped part costs no more than one that is kept.
    """
    costs = [unit_costs(space, number, measure) for number in range(len(space.units))]
    ends = [[pick(range(len(cost)), key=cost.__getitem__) for cost in costs] for pick in (min, max)]
    low, high = (int(getattr(space.measure(levels), measure)) for levels in ends)
    return low, high


def unit_costs(space: Space, number: int, measure: str) -> list[int]:
    """``measure`` of the whole model at each option of one unit, all others as in the dense model."""
    if not _is_part(space, number):
        if measure not in _OF_WEIGHTS:
            return [int(getattr(space.kept_measures, measure))] * len(space.units[number].options)
        if not space.has_pinned_drop:  # otherwise the unit may lie where nothing counts
            return _weight_costs(space, number, measure)
    levels = list(space.kept)
    costs = []
    for level in range(len(space.units[number].options)):
        levels[number] = level
        costs.append(int(getattr(space.measure(levels), measure)))
    return costs


_OF_WEIGHTS = {"stored_bits": "stored", "nominal_bits": "nominal"}  # the measures that a weight's option changes


def _is_part(space: Space, number: int) -> bool:
    return any(space.layers[index].part is not None for index in space.units[number].layers)


def _weight_costs(space: Space, number: int, measure: str) -> list[int]:
    """The same without measuring the whole model for each option."""
    own = [int(getattr(bits, _OF_WEIGHTS[measure])) for bits in space.unit_bits[number]]
    rest = int(getattr(space.kept_measures, measure)) - own[space.kept[number]]
    return [rest + bits for bits in own]


def reach(space: Space, measure: str, bounds: Sequence[Bound]) -> tuple[int, int]:
    """The smallest and largest value of one measure found among the configurations that meet ``bounds``.

    Both are values of configurations, and the extremes but for what ``cheapest_with`` may miss. ``bounds`` can be met.
    """
    low, high = extremes(space, measure)
    excess = least_excess(space, (measure, low), bounds)
    costs = [unit_costs(space, number, measure) for number in range(len(space.units))]
    gains = [float(cost[kept]) - np.array(cost) for cost, kept in zip(costs, space.kept, strict=True)]
    largest = cheapest_with(space, gains, bounds)
    if largest is not None:
        high = int(getattr(space.measure(largest), measure))
    return low + (excess or 0), high


def conflict(space: Space, bounds: Sequence[Bound]) -> tuple[int, ...]:
    """The numbers of some ``bounds`` that no configuration meets together, none of which is needless; or none.

    Limits that clash by less than a millionth may go unnoticed.
    """
    if _meets(space, (0,) * len(space.units), bounds):  # the smallest of all options
        return ()
    program, rows = _program(space), [_row(space, bound) for bound in bounds]
    if not program.refutes(rows):
        return ()
    clash = list(range(len(bounds)))
    for number in range(len(bounds)):
        rest = [other for other in clash if other != number]
        if program.refutes([rows[other] for other in rest]):
            clash = rest
    return tuple(clash)


def least_excess(space: Space, bound: Bound, others: Sequence[Bound]) -> int | None:
    """By how much ``bound`` must be exceeded where ``others`` hold: the least found, by a configuration, if any."""
    program, row = _program(space), _row(space, bound)
    chosen = program.cheapest(row.weights.astype(float), [_row(space, other) for other in others])
    return None if chosen is None else row.excess(chosen)


def cheapest_with(space: Space, costs: Sequence[NDArray[np.float64]], bounds: Sequence[Bound]) -> Levels | None:
    """The levels of least total ``costs[unit][level]`` where ``bounds`` hold, to the bit; None if none were found.

    Infinite costs close an option. ``Program.cheapest`` says how near to the least the total is.
    """
    goal = np.concatenate([np.asarray(unit, dtype=float) for unit in costs])
    program = _program(space)
    chosen = program.cheapest(goal, [_row(space, bound) for bound in bounds])
    if chosen is None:
        return None
    levels = tuple(program.options(chosen))
    return levels if _meets(space, levels, bounds) else None


def _meets(space: Space, levels: Levels, bounds: Sequence[Bound]) -> bool:
    measures = space.measure(levels)
    return all(
        int(getattr(measures, bound[0])) <= bound[1] if isinstance(bound, tuple) else bound.holds(space, levels)
        for bound in bounds
    )


def _program(space: Space) -> Program:
    """One group of options for each unit; those inside a dropped part are closed."""
    program = Program(counts=tuple(len(unit.options) for unit in space.units))
    drops = {
        number: int(program.starts[holder]) + space.units[holder].options.index(DROP)
        for number, holder in enumerate(space.holders)
        if holder is not None
    }
    return replace(program, closers=drops)


def _row(space: Space, bound: Bound) -> Row:
    """A measure is what it is for the dense model, plus the sum over the chosen of what each alone would change."""
    if not isinstance(bound, tuple):
        return bound.row(space)
    measure, limit = bound
    costs = [unit_costs(space, number, measure) for number in range(len(space.units))]
    changes = [cost - own[kept] for own, kept in zip(costs, space.kept, strict=True) for cost in own]
    return Row(weights=np.array(changes, dtype=np.int64), limit=limit - int(getattr(space.kept_measures, measure)))
