"""A problem's budget and constraints as tables of whole numbers: by how much any levels exceed them, in microseconds.

Axes: n candidates, u units, r rules. A limit first, in the budget's order, then the constraints in theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search.strategy import Problem
from spaces.budget import unit_costs
from spaces.option import DROP
from spaces.space import Space

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What every option adds to each rule; options inside a dropped part add nothing."""

    space: Space
    weights: Counts  # (options of all units, unit after unit, r + 1): each rule's, then the stored bits
    base: Counts  # (r + 1,): what the dense model exceeds by; its stored bits
    scales: NDArray[np.float64]  # (r,): what an excess is relative to
    starts: Counts  # (u,): where a unit's options begin
    counts: Counts  # (u,): how many options it has
    floors: Counts  # (u,): the smallest level open to it
    drops: Counts  # (u,): the level that drops the unit, -1 where none does
    holders: Counts  # (u,): the innermost droppable unit around it, -1 where there is none

    @classmethod
    def of(cls, problem: Problem) -> Rules:
        """The rules of a problem."""
        space = problem.space
        columns, base, scales = [], [], []
        for limit in problem.budget.limits:
            columns.append(_changes(space, limit.measure))
            base.append(int(getattr(space.kept_measures, limit.measure)) - limit.limit)
            scales.append(limit.limit)
        for constraint in problem.constraints:
            row = constraint.row(space)
            columns.append(row.weights)
            base.append(-row.limit)
            scales.append(row.limit)
        counts = np.array([len(unit.options) for unit in space.units], dtype=np.int64)
        drops = [unit.options.index(DROP) if DROP in unit.options else -1 for unit in space.units]
        return cls(
            space=space,
            weights=np.stack([*columns, _changes(space, "stored_bits")], axis=1),
            base=np.array([*base, space.kept_measures.stored_bits], dtype=np.int64),
            scales=np.maximum(1.0, np.abs(np.array(scales, dtype=np.float64))),
            starts=np.cumsum(counts) - counts,
            counts=counts,
            floors=np.zeros_like(counts),
            drops=np.array(drops, dtype=np.int64),
            holders=np.array([-1 if holder is None else holder for holder in space.holders], dtype=np.int64),
        )

    @cached_property
    def free(self) -> list[int]:
        """The units that have a choice."""
        return [int(unit) for unit in np.flatnonzero(self.counts - self.floors > 1)]

    def closing(self, units: Sequence[int]) -> Rules:
        """The same with the smallest option of ``units`` closed."""
        floors = self.floors.copy()
        floors[list(units)] += 1
        return replace(self, floors=floors)

    def excess(self, levels: Sequence[Sequence[int]] | Counts) -> Counts:  # (n, u) -> (n, r), 0 or less where it holds
        """By how much each rule is exceeded, exactly."""
        return self._sums(np.asarray(levels, dtype=np.int64))[:, :-1]

    def stored_bits(self, levels: Sequence[Sequence[int]] | Counts) -> Counts:  # (n, u) -> (n,)
        """The size of each candidate's checkpoint, exactly."""
        return self._sums(np.asarray(levels, dtype=np.int64))[:, -1]

    def violation(self, levels: Sequence[int]) -> float:
        """The sum of what is exceeded, each relative to its limit: 0 if and only if all rules hold."""
        return float(np.maximum(self.excess([levels])[0], 0) @ (1 / self.scales))

    def relative(self, levels: Sequence[int]) -> dict[str, float]:
        """By how much each rule is exceeded, relative to its limit; by the number of the rule."""
        shares = self.excess([levels])[0] / self.scales
        return {f"rule {number}": float(share) for number, share in enumerate(shares)}

    def hidden(self, levels: Counts) -> NDArray[np.bool_]:  # (n, u) -> (n, u)
        """Which units lie inside a dropped part."""
        gone: NDArray[np.bool_] = levels == self.drops
        hidden: NDArray[np.bool_] = np.zeros_like(gone)
        inside = np.flatnonzero(self.holders >= 0)
        # a holder may lie in another: an attention in its block, and nothing deeper
        for _ in range(2 if inside.size else 0):
            holders = self.holders[inside]
            hidden[:, inside] = gone[:, holders] | hidden[:, holders]
        return hidden

    def _sums(self, levels: Counts) -> Counts:  # (n, u) -> (n, r + 1)
        chosen = self.weights[self.starts + levels]  # (n, u, r + 1)
        if (self.holders >= 0).any():
            chosen = np.where(self.hidden(levels)[..., None], 0, chosen)
        sums: Counts = self.base + chosen.sum(axis=1)
        return sums


def _changes(space: Space, measure: str) -> Counts:
    """What each option alone would change in the dense model."""
    costs = [unit_costs(space, number, measure) for number in range(len(space.units))]
    changes = [cost - own[kept] for own, kept in zip(costs, space.kept, strict=True) for cost in own]
    return np.array(changes, dtype=np.int64)
