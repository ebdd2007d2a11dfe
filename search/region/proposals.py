"""Candidates within a radius of a parent: exact optima of what the loss is believed to be, and plain mutations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from search.mutation import children
from search.region.local_model import LocalModel, changed_units
from search.scores.score import hidden_units
from search.solvers.allocation import Allocator
from search.strategy import Problem
from spaces.space import Levels, Space

DOUBLINGS, BISECTIONS = 32, 8  # of the price of a change
KICKS = 3  # mutations of one to three flips each
FIRST_PRICE = 4.0  # tried, in mean cost differences of a move


@dataclass(frozen=True, kw_only=True)
class Region:
    """The configurations that a round may propose: within ``radius`` changed units of ``parent``, and in the budget."""

    allocator: Allocator  # of the problem, within its groups
    parent: Levels
    radius: int
    sound: Levels  # in the budget, and it holds: its moves stay open, whatever broke beside it

    def best(self, model: LocalModel, costs: np.ndarray) -> Levels | None:  # costs (M,)
        """The configuration of least ``costs``, exact for the price of a change that brings it within the radius.

        None where that is no other than the parent.
        """
        found = self._solve(model, costs, 0.0)
        if changed_units(self.parent, found) > self.radius:
            found = self._within(model, costs)
        return None if self._is_parent(found) else found

    def _within(self, model: LocalModel, costs: np.ndarray) -> Levels:
        """Doubles the price of a change until few enough are made, then bisects down to where they would be too many.

        The parent where no price is high enough: it makes a move that is closed by now, or nothing differs in cost.
        """
        differences = np.abs(costs - costs[model.own(self.parent)])[~model.is_closed]
        low, high = 0.0, FIRST_PRICE * float(differences.mean()) if len(differences) else 0.0
        nearest = self._solve(model, costs, high)
        for _ in range(DOUBLINGS):
            if changed_units(self.parent, nearest) <= self.radius:
                break
            low, high = high, 2 * high
            nearest = self._solve(model, costs, high)
        else:
            return self.parent
        for _ in range(BISECTIONS):
            price = (low + high) / 2
            found = self._solve(model, costs, price)
            if changed_units(self.parent, found) <= self.radius:
                nearest, high = found, price
            else:
                low = price
        return nearest

    def _solve(self, model: LocalModel, costs: np.ndarray, price: float) -> Levels:
        is_change = np.arange(len(costs)) != model.own(self.parent)
        found = self.allocator.solve(model.table(costs + price * is_change, self.sound))
        return with_hidden(self.allocator.problem.space, found, self.parent)

    def _is_parent(self, levels: Levels) -> bool:
        space = self.allocator.problem.space
        return space.configure(levels) == space.configure(self.parent)


def with_hidden(space: Space, levels: Levels, hidden: Levels) -> Levels:
    """The same configuration with the levels of ``hidden`` in the parts that it drops.

    They show only once the part is back: a drop is then one changed unit, and so is to undo it.
    """
    inside = hidden_units(space, levels)
    return tuple(hidden[unit] if unit in inside else level for unit, level in enumerate(levels))


def cautious(model: LocalModel, region: Region, penalties: Sequence[float]) -> Iterator[Levels]:
    """The best by the believed costs, with every change made dearer by some standard deviations of its own cost."""
    spread, costs = model.spread(region.parent), model.mean + model.slopes(region.parent)
    for penalty in penalties:
        found = region.best(model, costs + penalty * spread)
        if found is not None:
            yield found


def imagined(model: LocalModel, region: Region, count: int, rng: np.random.Generator) -> Iterator[Levels]:
    """The best by costs as they might be: each drawn from the belief (Thompson sampling)."""
    slopes = model.slopes(region.parent)
    for _ in range(count):
        found = region.best(model, model.draw(rng) + slopes)
        if found is not None:
            yield found


def mutated(region: Region, count: int, rng: np.random.Generator) -> list[Levels]:
    """EvoPress' level switches of the parent: insurance against a belief that is wrong."""
    return children(region.parent, count, region.allocator.groups, region.allocator.problem, rng)


def kicked(parent: Levels, groups: str, problem: Problem, rng: np.random.Generator) -> Levels:
    """The parent after a few random switches; the parent itself where it has no neighbour."""
    for _ in range(KICKS):
        parent = next(iter(children(parent, 1, groups, problem, rng)), parent)
    return parent


def undecided_moves(model: LocalModel, parent: Levels, draws: Sequence[Levels], count: int) -> list[tuple[int, int]]:
    """The (unit, level) on which the ``draws`` disagree most, weighted by how little is known of their cost.

    A move that every draw makes is settled, and so is one that none makes: measuring it would change no answer.
    """
    if not draws:
        return []
    made = np.zeros(len(model.mean))
    for levels in draws:
        made += np.maximum(model.direction(parent, levels), 0.0)
    share = made / (len(draws) + 1)  # one more that stays: a move that all make is still worth a look
    worth = share * (1 - share) * model.spread(parent)
    places = [int(place) for place in np.argsort(-worth, kind="stable")[:count] if worth[place] > 0]
    return [model.unit_and_level(place) for place in places]
