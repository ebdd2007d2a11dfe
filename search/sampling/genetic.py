"""NSGA-II on a predictor: many generations of many configurations in a second, none of them measured (Deb et al. 2002).

Axes: n individuals, u units, o objectives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.sampling.predictor import Predict
from search.sampling.rules import Rules

Population = NDArray[np.int64]  # (n, u) levels


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A population with what it is ranked by."""

    levels: Population
    values: NDArray[np.float64]  # (n, 2): predicted loss, stored bits
    ranks: NDArray[np.int64]  # (n,): 0 on the front
    crowding: NDArray[np.float64]  # (n,): larger is lonelier

    def order(self) -> NDArray[np.int64]:
        """The best first: by rank, then the lonelier."""
        best: NDArray[np.int64] = np.lexsort((-self.crowding, self.ranks))
        return best


def evolve(
    start: Population, predict: Predict, rules: Rules, *, size: int, generations: int, rng: np.random.Generator
) -> Population:
    """The survivors, ``size`` at most, by (predicted loss, size) under the rules."""
    alive = _survivors(start, predict, rules, size)
    for _ in range(generations):
        children = _mutated(_crossed(alive, size, rng), rules, rng)
        alive = _survivors(np.concatenate([alive.levels, children]), predict, rules, size)
    return alive.levels


def _survivors(levels: Population, predict: Predict, rules: Rules, size: int) -> Judged:
    levels = np.unique(levels, axis=0)
    judged = _judge(levels, predict, rules)
    best = judged.order()[:size]
    return Judged(
        levels=levels[best],
        values=judged.values[best],
        ranks=judged.ranks[best],
        crowding=judged.crowding[best],
    )


def _judge(levels: Population, predict: Predict, rules: Rules) -> Judged:
    values = np.stack([predict(levels), rules.stored_bits(levels).astype(np.float64)], axis=1)
    broken = np.maximum(rules.excess(levels), 0) @ (1 / rules.scales)
    ranks = ranked(values, broken)
    return Judged(levels=levels, values=values, ranks=ranks, crowding=crowded(values, ranks))


def ranked(values: NDArray[np.float64], violation: NDArray[np.float64]) -> NDArray[np.int64]:  # (n, o), (n,) -> (n,)
    """Non-domination ranks; what violates less dominates, whatever its values."""
    no_worse = (values[:, None] <= values).all(axis=2)
    better = no_worse & (values[:, None] < values).any(axis=2)
    dominates = (violation[:, None] < violation) | ((violation[:, None] == violation) & better)
    ranks = np.full(len(values), -1, dtype=np.int64)
    for rank in range(len(values)):
        left = ranks < 0
        if not left.any():
            break
        ranks[left & ~dominates[left].any(axis=0)] = rank
    return ranks


def crowded(values: NDArray[np.float64], ranks: NDArray[np.int64]) -> NDArray[np.float64]:  # (n, o), (n,) -> (n,)
    """How far the neighbours on the same front are from each other, summed over objectives; ends are infinitely far."""
    crowding = np.zeros(len(values))
    for rank in np.unique(ranks):
        front = np.flatnonzero(ranks == rank)
        for column in values[front].T:
            order = np.argsort(column, kind="stable")
            gaps = np.full(len(front), np.inf)
            width = column[order[-1]] - column[order[0]]
            gaps[order[1:-1]] = (column[order[2:]] - column[order[:-2]]) / (width or 1.0)
            crowding[front] += gaps
    return crowding


def _crossed(parents: Judged, count: int, rng: np.random.Generator) -> Population:
    """Children of parents that won binary tournaments; every gene is either parent's."""
    place = np.empty(len(parents.levels), dtype=np.int64)
    place[parents.order()] = np.arange(len(parents.levels))
    drawn = rng.integers(len(place), size=(2, 2, count))  # (parent, contestant, child)
    winners = np.where(place[drawn[:, 0]] < place[drawn[:, 1]], drawn[:, 0], drawn[:, 1])
    first, second = parents.levels[winners[0]], parents.levels[winners[1]]
    children: Population = np.where(rng.random(first.shape) < 0.5, first, second)
    return children


def _mutated(levels: Population, rules: Rules, rng: np.random.Generator) -> Population:
    """Each gene moves one level up or down with probability 2 / u, so that a swap of two is common."""
    moves = rng.random(levels.shape) < 2 / max(2, len(rules.free))
    steps = np.where(moves, rng.choice([-1, 1], size=levels.shape), 0)
    return np.clip(levels + steps, rules.floors, rules.counts - 1)
