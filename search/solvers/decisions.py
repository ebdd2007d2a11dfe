"""A problem under one limit as independent decisions: what each choice takes, costs and stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.solvers.allocation import check_allocation
from search.solvers.families import Family, families
from search.solvers.relaxation import Choices, Indices, undominated
from search.strategy import Problem
from spaces.budget import BUDGETS, Limit
from spaces.errors import InputError, JobError
from spaces.space import Levels, Space


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisions:
    """The undominated choices of each family, sizes rising and costs falling; an infinite cost leaves its choice out.

    Sizes are in whole numbers of the limit's measure, less than the dense model's by what was saved. An answer
    (``picks``) is one of the choices for each family.
    """

    space: Space
    families: Sequence[Family]
    choices: Choices  # weights are sizes, values are costs
    dense: int  # the measure of the dense model, from which sizes count

    @property
    def smallest(self) -> Indices:  # (families,), into the choices
        return self.choices.lightest

    def check_fit(self, limit: Limit) -> None:
        """Refuse a limit below the smallest choices.

        Raises:
            JobError: names the smallest size. The budget could be met, but not by what the scores leave open.
        """
        smallest, show = self.size(self.smallest), BUDGETS[limit.name].show
        if smallest > limit.limit:
            raise JobError(
                f"{limit.name} must be at least {show(smallest, self.space)} for the options that the scores leave "
                f"open, got {limit.written}; raise the budget, or use a score that has a number for smaller options"
            )

    def size(self, picks: Indices) -> int:
        """The measure of the whole model."""
        return self.dense + int(self.choices.weight[picks].sum())

    def cost(self, picks: Indices) -> float:
        return float(self.choices.value[picks].sum())

    def levels(self, picks: Indices) -> Levels:
        """The level of every unit; 0 for those inside a dropped part."""
        levels = [0] * len(self.space.units)
        for family, option in zip(self.families, self.choices.option[picks].tolist(), strict=True):
            for unit, level in zip(family.units, family.levels[option].tolist(), strict=True):
                levels[unit] = level
        return tuple(levels)


def make_decisions(space: Space, costs: Sequence[np.ndarray], measure: str) -> Decisions:
    """The decisions of ``space`` with ``costs[unit][level]``, sizes counted in ``measure``.

    Raises:
        JobError: the costs close every option of a unit.
    """
    found = families(space, costs, measure)
    for family in found:
        if not np.isfinite(family.costs).any():
            name = space.layers[space.units[family.units[0]].layers[0]].name
            raise JobError(f"the scores leave {name} no option: all cost infinity; choose another score")
    family_of = np.repeat(np.arange(len(found)), [len(family.sizes) for family in found])
    option = np.concatenate([np.arange(len(family.sizes)) for family in found])
    size, cost = (np.concatenate(arrays) for arrays in ([f.sizes for f in found], [f.costs for f in found]))
    is_open = np.isfinite(cost)
    choices = undominated(family_of[is_open], option[is_open], size[is_open], cost[is_open])
    return Decisions(space=space, families=found, choices=choices, dense=int(getattr(space.kept_measures, measure)))


def check_one_limit(problem: Problem, asker: str) -> None:
    """Refuse several limits, and tied layers that lie in different droppable parts.

    Raises:
        InputError: names the limits and the solver that takes them.
    """
    if len(problem.budget.limits) > 1:
        raise InputError(
            f"{asker} takes a budget of one limit, got {problem.budget}; leave one limit, or write solver: "
            f"integer-program, which holds several at once"
        )
    check_allocation(problem, "global")
