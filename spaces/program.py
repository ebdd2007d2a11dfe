"""Integer programs on plain arrays: one option of each group at the least total cost, whole sums within limits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, OptimizeResult
from scipy.sparse import coo_array

from spaces.highs import MAX_NODES, REFUTED, STOPPED, solve

logger = logging.getLogger(__name__)

Columns = NDArray[np.int64]  # options, counted through all groups
Costs = NDArray[np.float64]  # (columns,), infinity closes an option

TOLERANCE = 1e-6  # HiGHS takes a sum for met that is above its limit by so much of the row's largest weight
CUTS_ALONE, MAX_ATTEMPTS = 5, 15  # answers that break a row: none is the rule where weights are below 500,000 units
ROUGH_GAP = 0.01  # of the first pass, which only says what is worth telling apart in the second
COST_SCALE = 1e3  # HiGHS stops 1e-6 above its bound: 1e-9 of what the first answer costs above the least conceivable


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """The weights of the chosen options add up to at most ``limit``: whole numbers, so that sums are exact."""

    weights: NDArray[np.int64]  # (columns,)
    limit: int

    def excess(self, chosen: Columns) -> int:
        """What the chosen options weigh above the limit; not positive where they meet it."""
        total: int = sum(self.weights[chosen].tolist())
        return total - self.limit

    def constraint(self, slack: float) -> LinearConstraint:
        """For HiGHS: weights of at most 1, and the limit above (or, negative, below) the row's own by ``slack``.

        By half a unit in any case: that tells whole sums that meet the limit from those that do not, as long as the
        tolerance is finer than a unit, which it is up to weights of 500,000 units.
        """
        common = int(np.gcd.reduce(self.weights)) or 1
        largest = max(1, int(np.abs(self.weights).max(initial=0)) // common)
        half = 0.5 / largest
        room = max(half, slack) if slack >= 0 else half + slack
        return LinearConstraint((self.weights // common / largest)[None, :], ub=self.limit // common / largest + room)


@dataclass(frozen=True, kw_only=True)
class Program:
    """Groups of options, of each of which one is chosen; of a closed group none.

    ``closers`` maps a group to the column, of another group, that closes it when it is chosen; a group whose closer
    lies in a closed group is closed as well.
    """

    counts: tuple[int, ...]  # options of each group
    closers: Mapping[int, int] = field(default_factory=dict)

    def cheapest(self, costs: Costs, rows: Sequence[Row]) -> Columns | None:
        """The chosen options of least total cost where every row holds, none of a closed group; None if none is found.

        Rows hold exactly. The cost is least but for 1e-9 of what it is above the sum of the groups' least; where
        weights are above 500,000 units of a row's common divisor, choices that leave less than a millionth of the
        largest may be missed as well.
        """
        above = costs - np.repeat(self._sure(costs), self.counts)
        rough = self._search(above, rows, scale=_spread(above), gap=ROUGH_GAP)
        if rough is None:
            return None
        reach = float(above[rough].sum() - np.minimum(np.minimum.reduceat(above, self.starts), 0.0).sum())
        # an option that alone costs more than the rough answer does is in no better one
        near = np.where(above <= reach * (1 + TOLERANCE), above, np.inf)
        scale = max(reach, TOLERANCE * _spread(near))  # not so small that the largest numbers are lost on HiGHS
        fine = self._search(near, rows, scale=scale, gap=0.0) if reach > 0 else None
        found = [rough] if fine is None else [fine, rough]
        return min(found, key=lambda chosen: float(above[chosen].sum()))

    def refutes(self, rows: Sequence[Row]) -> bool:
        """Whether nothing meets all rows, beyond what rounding could hide."""
        limits = [row.constraint(TOLERANCE) for row in rows]
        return int(solve(np.zeros(sum(self.counts)), [self._one_of_each, *limits], gap=0.0).status) == REFUTED

    def options(self, chosen: Columns) -> list[int]:
        """The option of each group, 0 for a closed one."""
        options = np.zeros(len(self.counts), dtype=np.int64)
        groups = self._group_of[chosen]
        options[groups] = chosen - self.starts[groups]
        return [int(option) for option in options]

    @cached_property
    def starts(self) -> Columns:
        """The first column of each group."""
        return np.cumsum([0, *self.counts[:-1]])

    @cached_property
    def _group_of(self) -> Columns:  # (columns,)
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def _search(self, costs: Costs, rows: Sequence[Row], *, scale: float, gap: float) -> Columns | None:
        """Chosen columns that meet every row in whole numbers.

        An answer that breaks a row is cut off, and the program solved again; where that does not end it, limits are
        lowered by more and more.
        """
        cuts: list[LinearConstraint] = []
        for attempt in range(MAX_ATTEMPTS):
            slack = 0.0 if attempt < CUTS_ALONE else -TOLERANCE * 2 ** (attempt - CUTS_ALONE)
            limits = [row.constraint(slack) for row in rows]
            solution = solve(costs / scale * COST_SCALE, [self._one_of_each, *limits, *cuts], gap=gap)
            if solution.x is None:
                return None
            chosen = np.flatnonzero(solution.x > 0.5)
            broken = [row for row in rows if row.excess(chosen) > 0]
            if not broken:
                if solution.status == STOPPED:
                    _warn(len(self.counts), solution, scale / COST_SCALE)
                return chosen
            cuts += [self._cut(row, chosen) for row in broken]
        return None

    def _cut(self, row: Row, chosen: Columns) -> LinearConstraint:
        """Not all that was chosen, nor heavier options of the same groups: what breaks ``row`` now would break it then.

        Groups that close others keep their choice, so that the same groups stay open.
        """
        floors = np.full(len(self.counts), np.iinfo(np.int64).max)
        floors[self._group_of[chosen]] = row.weights[chosen]
        covered = row.weights >= floors[self._group_of]
        closing = np.isin(self._group_of, self._group_of[list(self.closers.values())])
        covered[closing] = False
        covered[chosen] = True
        return LinearConstraint(covered.astype(float)[None, :], ub=len(chosen) - 1)

    @cached_property
    def _one_of_each(self) -> LinearConstraint:
        """One option of each group; of one with a closer as many as its holder chooses beside that."""
        entries = [(group, column, 1.0) for group in range(len(self.counts)) for column in self._columns(group)]
        for group, closer in self.closers.items():
            holder = int(self._group_of[closer])
            entries += [(group, column, -1.0) for column in self._columns(holder) if column != closer]
        rows, columns, values = zip(*entries, strict=True)
        total = np.array([0.0 if group in self.closers else 1.0 for group in range(len(self.counts))])
        shape = (len(self.counts), sum(self.counts))
        return LinearConstraint(coo_array((values, (rows, columns)), shape=shape).tocsr(), total, total)

    def _columns(self, group: int) -> range:
        start = int(self.starts[group])
        return range(start, start + self.counts[group])

    def _sure(self, costs: Costs) -> Costs:  # (groups,)
        """What each group costs at least; 0 for one that may be closed, or that has no option left."""
        least = np.minimum.reduceat(costs, self.starts)
        least[list(self.closers)] = 0.0
        return np.where(np.isfinite(least), least, 0.0)


def _spread(costs: Costs) -> float:
    """The largest finite magnitude, 1 where all are 0."""
    finite = np.abs(costs[np.isfinite(costs)])
    return float(finite.max(initial=0.0)) or 1.0


def _warn(num_groups: int, solution: OptimizeResult, scale: float) -> None:
    logger.warning(
        "integer program of %d groups not settled with %d nodes: the answer meets every limit and costs at most %.3g "
        "above the optimum",
        *(num_groups, MAX_NODES, (solution.fun - solution.mip_dual_bound) * scale),
    )
