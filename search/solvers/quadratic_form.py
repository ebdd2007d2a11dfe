"""Costs with pairwise interactions as one quadratic form over the moves of a space, and its sizes in whole bits.

A move is a unit at a level, counted unit after unit. A configuration shows one move of each unit but those that lie in
a dropped part: s marks the moves shown, and all sums run over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from search.scores.score import Scores, Table, first_moves
from search.strategy import Problem
from spaces.budget import unit_costs
from spaces.errors import InputError
from spaces.option import DROP
from spaces.space import Space

ROUNDING = 1e-12  # of the largest number in the form: what differs by less counts as equal


@dataclass(frozen=True, kw_only=True, eq=False)
class QuadraticForm:
    """c^T s + s^T G s / 2, and the limits W s <= room.

    ``levels`` of its methods are int64 (units,).
    """

    starts: np.ndarray  # int64 (units + 1,): each unit's first move
    costs: np.ndarray  # float64 (moves,); infinity closes a move
    matrix: np.ndarray  # float64 (moves, moves), symmetric, 0 between moves of one unit
    sizes: np.ndarray  # int64 (limits, moves): what a move adds to the dense model
    room: np.ndarray  # int64 (limits,)
    drops: np.ndarray  # int64 (units,): the level that drops the part; -1 for what is no droppable part
    holds_unit: np.ndarray  # bool (units, units): whether the first is a part around the second

    @property
    def num_units(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def unit_of(self) -> np.ndarray:  # int64 (moves,)
        """The unit of each move."""
        return np.repeat(np.arange(self.num_units), np.diff(self.starts))

    @cached_property
    def tolerance(self) -> float:
        """A smaller gain is rounding."""
        finite = self.costs[np.isfinite(self.costs)]
        return ROUNDING * float(np.abs(finite).max(initial=0.0) + np.abs(self.matrix).max(initial=0.0))

    def is_shown(self, levels: np.ndarray) -> np.ndarray:  # bool (units,)
        """Whether each unit lies in no dropped part."""
        is_shown: np.ndarray = ~self.holds_unit[levels == self.drops].any(axis=0)
        return is_shown

    def moves(self, levels: np.ndarray) -> np.ndarray:  # int64 (units shown,)
        moves: np.ndarray = (self.starts[:-1] + levels)[self.is_shown(levels)]
        return moves

    def value(self, levels: np.ndarray) -> float:
        """The predicted loss; infinite where a closed move is shown."""
        moves = self.moves(levels)
        return float(self.costs[moves].sum() + self.matrix[np.ix_(moves, moves)].sum() / 2)

    def slopes(self, levels: np.ndarray) -> np.ndarray:  # float64 (moves,)
        """c + G s: the costs of the form's linearisation there."""
        slopes: np.ndarray = self.costs + self.matrix[self.moves(levels)].sum(axis=0)
        return slopes

    def slack(self, levels: np.ndarray) -> np.ndarray:  # int64 (limits,)
        """What the limits still allow; negative where one is broken."""
        slack: np.ndarray = self.room - self.sizes[:, self.moves(levels)].sum(axis=1)
        return slack

    def table(self, values: np.ndarray) -> Table:  # (moves,)
        """The same unit by unit."""
        return np.split(values, self.starts[1:-1])


def quadratic_form(problem: Problem, scores: Scores) -> QuadraticForm:
    """The model that the scores make of a problem.

    Raises:
        InputError: the interactions are not those of this space, or not finite.
    """
    space, limits = problem.space, problem.budget.limits
    starts = np.append(first_moves(space), sum(len(unit.options) for unit in space.units))
    kept = [space.measure(space.kept)] * len(limits)
    dense = [int(getattr(measures, limit.measure)) for measures, limit in zip(kept, limits, strict=True)]
    return QuadraticForm(
        starts=starts,
        costs=np.concatenate(scores.costs).astype(np.float64),
        matrix=_matrix(scores, starts),
        sizes=np.array([_sizes(space, limit.measure) for limit in limits], dtype=np.int64),
        room=np.array([limit.limit for limit in limits], dtype=np.int64) - np.array(dense, dtype=np.int64),
        drops=np.array([unit.options.index(DROP) if DROP in unit.options else -1 for unit in space.units]),
        holds_unit=_holds_unit(space),
    )


def _matrix(scores: Scores, starts: np.ndarray) -> np.ndarray:
    """The interactions without those within a unit, whose moves exclude each other."""
    count = int(starts[-1])
    matrix = np.zeros((count, count)) if scores.interactions is None else scores.interactions.matrix.astype(np.float64)
    if matrix.shape != (count, count) or not np.isfinite(matrix).all():
        raise InputError(
            f"interactions must be a finite number for each pair of the {count} moves of this space, got a matrix "
            f"{matrix.shape} with {int((~np.isfinite(matrix)).sum())} that are not finite; close broken options by cost"
        )
    for start, stop in pairwise(starts):
        matrix[start:stop, start:stop] = 0.0
    return (matrix + matrix.T) / 2


def _sizes(space: Space, measure: str) -> list[int]:
    """What each move adds to the dense model; a dropped part's move takes away all that lies inside it."""
    costs = [unit_costs(space, number, measure) for number in range(len(space.units))]
    return [cost - own[kept] for own, kept in zip(costs, space.kept, strict=True) for cost in own]


def _holds_unit(space: Space) -> np.ndarray:  # bool (units, units)
    firsts = [space.layers[unit.layers[0]] for unit in space.units]
    return np.array([[holder.name in inner.inside for inner in firsts] for holder in firsts], dtype=bool)
