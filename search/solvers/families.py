"""Turns a space into knapsack items: independent units, and droppable parts together with all that lies inside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spaces.budget import unit_costs
from spaces.errors import InputError
from spaces.option import DROP
from spaces.space import Space


@dataclass(frozen=True, kw_only=True)
class Family:
    """Units that are decided together. Sizes are differences from the dense model, in the budget's own measure.

    A choice says the level of each of ``units``; a unit inside a dropped part keeps level 0, which costs nothing.
    """

    units: tuple[int, ...]
    levels: np.ndarray  # int64 (choices, units)
    sizes: np.ndarray  # int64 (choices,)
    costs: np.ndarray  # float64 (choices,)

    def undominated(self) -> Family:
        """Without the choices that another matches in both size and cost."""
        order = np.lexsort((self.costs, self.sizes))
        costs = self.costs[order]
        best_before = np.concatenate([[np.inf], np.minimum.accumulate(costs)[:-1]])
        kept = order[costs < best_before]
        if len(kept) == 0:  # every cost is infinite: keep the smallest, so that the solver names the problem
            kept = order[:1]
        return Family(units=self.units, levels=self.levels[kept], sizes=self.sizes[kept], costs=self.costs[kept])

    def joined(self, other: Family) -> Family:
        """Every pair of choices of two families that are decided together."""
        first, second = np.divmod(np.arange(len(self.sizes) * len(other.sizes)), len(other.sizes))
        joint = Family(
            units=self.units + other.units,
            levels=np.hstack([self.levels[first], other.levels[second]]),
            sizes=self.sizes[first] + other.sizes[second],
            costs=self.costs[first] + other.costs[second],
        )
        return joint.undominated()


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """Which units are decided together and what their options take: all of ``families`` but the costs."""

    sizes: tuple[np.ndarray, ...]  # int64 (options,) for each unit, less that of the dense model
    drops: tuple[int | None, ...]  # the level that drops the unit
    inner: dict[int | None, list[int]]  # the units just inside each droppable one; None: inside none

    def families(self, costs: Sequence[np.ndarray]) -> list[Family]:
        """The independent decisions, with ``costs[unit][level]`` as their quality."""
        return [self._family(unit, costs) for unit in self.inner.get(None, [])]

    def _family(self, unit: int, costs: Sequence[np.ndarray]) -> Family:
        sizes, drop = self.sizes[unit], self.drops[unit]
        levels = np.arange(len(sizes))[:, None]
        own = Family(units=(unit,), levels=levels, sizes=sizes, costs=np.asarray(costs[unit], dtype=float))
        if drop is None or unit not in self.inner:
            return own
        kept = _only(own, [level for level in range(len(sizes)) if level != drop])
        for child in self.inner[unit]:
            kept = kept.joined(self._family(child, costs))
        dropped = _only(own, [drop])
        padding = np.zeros((1, len(kept.units) - 1), dtype=np.int64)
        return Family(
            units=kept.units,
            levels=np.vstack([np.hstack([dropped.levels, padding]), kept.levels]),
            sizes=np.concatenate([dropped.sizes, kept.sizes]),
            costs=np.concatenate([dropped.costs, kept.costs]),
        )


def tree_of(space: Space, measure: str) -> Tree:
    """The decisions of ``space``, sizes counted in ``measure``.

    Raises:
        InputError: tied layers lie in different droppable parts, so that no exact decomposition exists.
    """
    inner: dict[int | None, list[int]] = {}
    for unit, parent in enumerate(_parents(space)):
        inner.setdefault(parent, []).append(unit)
    sizes = [np.array(unit_costs(space, unit, measure), dtype=np.int64) for unit in range(len(space.units))]
    return Tree(
        sizes=tuple(size - size[kept] for size, kept in zip(sizes, space.kept, strict=True)),
        drops=tuple(unit.options.index(DROP) if DROP in unit.options else None for unit in space.units),
        inner=inner,
    )


def families(space: Space, costs: Sequence[np.ndarray], measure: str) -> list[Family]:
    """The independent decisions of ``space``, with ``costs[unit][level]`` as their quality; raises as ``tree_of``."""
    return tree_of(space, measure).families(costs)


def _only(family: Family, rows: Iterable[int]) -> Family:
    chosen = list(rows)
    return Family(
        units=family.units, levels=family.levels[chosen], sizes=family.sizes[chosen], costs=family.costs[chosen]
    )


def _parents(space: Space) -> tuple[int | None, ...]:
    """For each unit the innermost droppable unit of the space that holds it: its first layer's, and so that of all."""
    may_drop = {space.layers[unit.layers[0]].name for unit in space.units if DROP in unit.options}
    for unit in space.units:
        layers = [space.layers[index] for index in unit.layers]
        if len({frozenset(may_drop.intersection(layer.inside)) for layer in layers}) > 1:
            names = ", ".join(layer.name for layer in layers)
            raise InputError(f"{names} are tied but lie in different droppable parts; untie them or do not offer drop")
    return space.holders
