"""What a space can reach: the extremes of one measure, and whether several limits can hold together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import coo_array

from spaces.option import DROP
from spaces.space import Levels, Space

Bound = tuple[str, int]  # a measure, and the most that it may be

REFUTED = 2  # scipy's status of a program that has no solution
SLACK = 1e-6  # of a limit's largest coefficient: the solver's own tolerance, so that what it refutes is refuted
MAX_TIGHTENINGS = 20  # one or two are the rule
TIME_LIMIT_S = 20.0  # a program undecided by then refuses nothing


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
    if measure in _OF_WEIGHTS and _is_weights_alone(space, number):
        return _weight_costs(space, number, measure)
    levels = list(space.kept)
    costs = []
    for level in range(len(space.units[number].options)):
        levels[number] = level
        costs.append(int(getattr(space.measure(levels), measure)))
    return costs


_OF_WEIGHTS = {"stored_bits": "stored", "nominal_bits": "nominal"}  # measures that add up over weights


def _is_weights_alone(space: Space, number: int) -> bool:
    """Whether the unit's weights count whatever the others do: nothing is dropped in the dense levels (by a pin)."""
    is_part = any(space.layers[index].part is not None for index in space.units[number].layers)
    return not is_part and not space.has_pinned_drop


def _weight_costs(space: Space, number: int, measure: str) -> list[int]:
    """The same without measuring the whole model for each option."""
    unit, part = space.units[number], _OF_WEIGHTS[measure]
    own = [
        sum(
            int(getattr(option.bits(layer.rows, layer.columns, space.anatomy.dense_bits), part))
            for layer in (space.layers[index] for index in unit.layers)
        )
        for option in unit.options
    ]
    rest = int(getattr(space.kept_measures, measure)) - own[space.kept[number]]
    return [rest + bits for bits in own]


def conflict(space: Space, bounds: Sequence[Bound]) -> tuple[int, ...]:
    """The numbers of some ``bounds`` that no configuration meets together, none of which is needless; or none.

    Each bound alone must be feasible. Limits that clash by less than a millionth may go unnoticed.
    """
    if len(bounds) < 2 or _meets(space, (0,) * len(space.units), bounds):  # the smallest of all options
        return ()
    program = _Program(space, dict.fromkeys(measure for measure, _ in bounds))
    if not program.refutes(bounds):
        return ()
    clash = list(range(len(bounds)))
    for number in range(len(bounds)):
        rest = [other for other in clash if other != number]
        if program.refutes([bounds[other] for other in rest]):
            clash = rest
    return tuple(clash)


def smallest_with(space: Space, measure: str, bounds: Sequence[Bound]) -> int | None:
    """The smallest value of ``measure`` found where ``bounds`` hold, reached by a configuration; None if none was."""
    program = _Program(space, dict.fromkeys([measure, *(name for name, _ in bounds)]))
    levels = program.levels(program.solve(bounds, slack=0.0, goal=program.scaled(measure)[0]))
    if levels is None or not _meets(space, levels, bounds):
        return None
    return int(getattr(space.measure(levels), measure))


def cheapest_with(space: Space, costs: Sequence[NDArray[np.float64]], bounds: Sequence[Bound]) -> Levels | None:
    """The levels of least total ``costs[unit][level]`` where ``bounds`` hold, to the bit; None if none were found.

    Infinite costs close an option. The solver works within a tolerance: an answer that breaks a bound in whole numbers
    is refused, the bound lowered by what it was broken by, and the program solved again.
    """
    program = _Program(space, dict.fromkeys(name for name, _ in bounds))
    goal = np.concatenate([np.asarray(unit, dtype=float) for unit in costs])
    asked = list(bounds)
    for _ in range(MAX_TIGHTENINGS):
        levels = program.levels(program.solve(asked, slack=0.0, goal=goal))
        if levels is None or _meets(space, levels, bounds):
            return levels
        measures = space.measure(levels)
        excess = [max(0, int(getattr(measures, name)) - limit) for name, limit in bounds]
        asked = [(name, limit - over) for (name, limit), over in zip(asked, excess, strict=True)]
    return None


def _meets(space: Space, levels: Levels, bounds: Sequence[Bound]) -> bool:
    measures = space.measure(levels)
    return all(int(getattr(measures, measure)) <= limit for measure, limit in bounds)


class _Program:
    """The space as an integer program: one binary for each (unit, level), one of which is chosen.

    Of a unit inside a dropped part none is chosen. Then a measure is what it is for the dense model, plus the sum
    over the chosen of what each alone would change: no products, and whole numbers throughout.
    """

    def __init__(self, space: Space, measures: dict[str, None]) -> None:
        self._space = space
        counts = [len(unit.options) for unit in space.units]
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._dense = {measure: int(getattr(space.measure(space.kept), measure)) for measure in measures}
        self._changes = {measure: self._change(measure) for measure in measures}
        self._choices = self._one_of_each()

    def refutes(self, bounds: Sequence[Bound]) -> bool:
        """Whether no configuration meets ``bounds``, beyond the solver's rounding."""
        return int(self.solve(bounds, slack=SLACK).status) == REFUTED

    def solve(
        self, bounds: Sequence[Bound], *, slack: float, goal: NDArray[np.float64] | None = None
    ) -> OptimizeResult:
        limits = [self._limit(measure, limit, slack) for measure, limit in bounds]
        costs = np.zeros(int(self._starts[-1])) if goal is None else goal
        is_open = np.isfinite(costs)
        return milp(
            np.where(is_open, costs, 0.0),
            integrality=np.ones(len(costs)),
            bounds=Bounds(0, is_open.astype(float)),
            constraints=[self._choices, *limits],
            options={"time_limit": TIME_LIMIT_S, "mip_rel_gap": 0.0},
        )

    def levels(self, solution: OptimizeResult) -> Levels | None:
        """What a solution chose; level 0 for a unit inside a dropped part."""
        if solution.x is None:
            return None
        chosen = np.split(solution.x, self._starts[1:-1])
        return tuple(int(values.argmax()) for values in chosen)

    def _change(self, measure: str) -> list[int]:
        costs = [unit_costs(self._space, number, measure) for number in range(len(self._space.units))]
        return [cost - own[kept] for own, kept in zip(costs, self._space.kept, strict=True) for cost in own]

    def scaled(self, measure: str) -> tuple[NDArray[np.float64], int, int]:
        """Coefficients of at most 1, and the two whole numbers that they were divided by."""
        changes = self._changes[measure]
        common = reduce(gcd, changes) or 1
        largest = max(1, *(abs(change) // common for change in changes))
        return np.array([change // common / largest for change in changes]), common, largest

    def _limit(self, measure: str, limit: int, slack: float) -> LinearConstraint:
        coefficients, common, largest = self.scaled(measure)
        room = (limit - self._dense[measure]) // common
        return LinearConstraint(coefficients[None, :], ub=room / largest + slack)

    def _one_of_each(self) -> LinearConstraint:
        """One level of each unit; none where the part around it is dropped."""
        holders = _holders(self._space)
        entries = [(number, column, 1.0) for number in range(len(holders)) for column in self._columns(number)]
        for number, holder in enumerate(holders):
            if holder is not None:
                drop = self._starts[holder] + self._space.units[holder].options.index(DROP)
                entries += [(number, column, -1.0) for column in self._columns(holder) if column != drop]
        rows, columns, values = zip(*entries, strict=True)
        shape = (len(holders), int(self._starts[-1]))
        total = np.array([1.0 if holder is None else 0.0 for holder in holders])
        return LinearConstraint(coo_array((values, (rows, columns)), shape=shape).tocsr(), total, total)

    def _columns(self, number: int) -> range:
        return range(int(self._starts[number]), int(self._starts[number + 1]))


def _holders(space: Space) -> list[int | None]:
    """For each unit the innermost unit around it that may be dropped; tied layers lie side by side and share it."""
    owner = {space.layers[unit.layers[0]].name: number for number, unit in enumerate(space.units)}
    may_drop = {name for name, number in owner.items() if DROP in space.units[number].options}
    holders: list[int | None] = []
    for unit in space.units:
        around = may_drop.intersection(space.layers[unit.layers[0]].inside)
        holders.append(owner[max(around, key=len)] if around else None)  # the innermost has the longest name
    return holders
