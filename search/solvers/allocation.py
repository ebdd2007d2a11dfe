"""Allocation: the levels of least total score under a budget, by the exact knapsack."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from search.mutation import group_units
from search.solvers.families import Family, families, tree_of
from search.solvers.items import Item
from search.solvers.knapsack import knapsack
from search.strategy import Problem
from spaces.budget import Limit
from spaces.errors import BudgetError, InputError, JobError
from spaces.feasibility import cheapest_with
from spaces.space import Levels, Space


def solve_knapsack(problem: Problem, costs: Sequence[np.ndarray], groups: str = "global") -> Levels:
    """The levels with the least sum of ``costs[unit][level]`` that meet the budget: see ``Allocator``."""
    return Allocator(problem, groups).solve(costs)


class Allocator:
    """Solves one problem for one table of costs after another; what does not depend on costs is read once.

    Exact, in whole bits. Several limits are exact as well where they bind different units (dropped attentions and
    dropped MLPs), or where the optimum for one of them happens to meet the others; else an integer program settles
    them, within HiGHS' tolerance of the least sum. ``groups`` other than global holds the budget in each group.

    Raises:
        InputError: see ``check_allocation``.
    """

    def __init__(self, problem: Problem, groups: str = "global") -> None:
        if groups != "global":
            check_allocation(problem, groups)
        self.problem = problem
        self.groups = groups
        self._trees = {limit: tree_of(problem.space, limit.measure) for limit in problem.budget.limits}

    def solve(self, costs: Sequence[np.ndarray]) -> Levels:
        """The levels with the least sum of ``costs[unit][level]`` that meet the budget.

        Raises:
            JobError: the costs close what the budget would need, or the integer program found nothing.
        """
        try:
            return self._solve(costs)
        except BudgetError as error:  # in bits, and of what the dense model leaves: no number that anyone asked for
            raise JobError(
                f"the scores close options without which nothing meets {self.problem.budget}: their costs are "
                f"infinite, as those of what breaks the model; raise the budget, or use a score with a number for them"
            ) from error

    def _solve(self, costs: Sequence[np.ndarray]) -> Levels:
        problem = self.problem
        tables = {limit: tree.families(costs) for limit, tree in self._trees.items()}
        if self.groups != "global":
            [table] = tables.values()
            return self._in_groups(table)
        # what dominated choices left with one size still counts, unless it is that of the dense model
        bound = {limit: {i for i, family in enumerate(table) if family.sizes.any()} for limit, table in tables.items()}
        if all(bound[a].isdisjoint(bound[b]) for a, b in combinations(tables, 2)):
            return _solve_apart(problem, tables, bound)
        for limit in tables:  # the optimum under one limit that meets them all is the optimum under all
            levels = _solve_apart(problem, {limit: tables[limit]}, {limit: bound[limit]})
            if problem.holds(levels):
                return levels
        found = cheapest_with(problem.space, costs, [(limit.measure, limit.limit) for limit in tables])
        if found is None:
            raise JobError(
                f"no allocation was found that meets {problem.budget} together; relax one limit, "
                f"or use strategy evolution with start: {{name: uniform}}"
            )
        return found

    def _in_groups(self, table: list[Family]) -> Levels:
        """Every group within its own share of the nominal bits, as EvoPress' search keeps it."""
        chosen: list[tuple[Family, int]] = []
        by_unit = {family.units[0]: family for family in table}
        for members, room in self._rooms:
            held = [by_unit[unit] for unit in members]
            chosen += zip(held, _knapsack(held, room), strict=True)
        return _levels(self.problem, chosen)

    @cached_property
    def _rooms(self) -> list[tuple[list[int], int]]:
        """The units of each group, and what they may take more than in the dense model."""
        space = self.problem.space
        rooms = []
        for members in group_units(space, self.groups):
            dense = sum(_nominal_bits(unit, space)[space.kept[unit]] for unit in members)
            rooms.append((members, _share(members, self.problem) - dense))
        return rooms


def _solve_apart(problem: Problem, tables: dict[Limit, list[Family]], bound: dict[Limit, set[int]]) -> Levels:
    """Each limit over the families that it binds; the rest take their cheapest choice."""
    any_table = next(iter(tables.values()))
    is_bound = set().union(*bound.values())
    chosen = {
        index: (family, int(np.argmin(family.costs))) for index, family in enumerate(any_table) if index not in is_bound
    }
    for limit, table in tables.items():
        indices = sorted(bound[limit])
        dense = int(getattr(problem.space.kept_measures, limit.measure))
        picks = _knapsack([table[index] for index in indices], limit.limit - dense)
        chosen.update({index: (table[index], pick) for index, pick in zip(indices, picks, strict=True)})
    return _levels(problem, list(chosen.values()))


def check_allocation(problem: Problem, groups: str) -> None:
    """Refuse, before any score is measured, what no costs could make solvable.

    Raises:
        InputError: tied layers lie in different droppable parts, or ``groups`` cannot be held for this problem.
    """
    limits, space = problem.budget.limits, problem.space
    blank = [np.zeros(len(unit.options)) for unit in space.units]
    nested = [family for family in families(space, blank, limits[0].measure) if len(family.units) > 1]
    if groups == "global":
        return
    if len(limits) > 1 or limits[0].measure != "nominal_bits":
        raise InputError(
            f"groups: {groups} needs the one budget nominal_bits_per_weight, got {problem.budget}; use groups: global"
        )
    if nested:
        part = space.layers[space.units[nested[0].units[0]].layers[0]].name
        raise InputError(
            f"groups: {groups} cannot hold bits apart where weights go with a part that may be dropped, "
            f"as those of {part} do; use groups: global, or do not offer drop"
        )
    for members in group_units(space, groups):
        _check_share(members, problem)


def _check_share(members: list[int], problem: Problem) -> None:
    """Refuse a group whose smallest options are above its share of the bits."""
    space, share = problem.space, _share(members, problem)
    smallest = sum(min(_nominal_bits(unit, space)) for unit in members)
    if smallest > share:
        first = space.layers[space.units[members[0]].layers[0]].name
        raise InputError(
            f"the group of {first} needs at least {smallest:,} nominal bits, its share of the budget "
            f"({problem.budget}) is {share:,}; offer it smaller options, unpin it, or use groups: global"
        )


def _share(members: list[int], problem: Problem) -> int:
    """The group's part of the nominal bits, by its number of weights."""
    space = problem.space
    weights = sum(space.layers[index].num_weights for unit in members for index in space.units[unit].layers)
    return problem.budget.limits[0].limit * weights // space.num_weights


def _nominal_bits(unit: int, space: Space) -> list[int]:  # for each option
    return [0 if bits is None else bits.nominal for bits in space.unit_bits[unit]]


def _knapsack(held: list[Family], limit: int) -> list[int]:
    """``limit`` and sizes count from the dense model; shifted, since items count from zero."""
    floors = [int(family.sizes.min()) for family in held]
    items = [Item(sizes=family.sizes - floor, costs=family.costs) for family, floor in zip(held, floors, strict=True)]
    return knapsack(items, limit - sum(floors)) if items else []


def _levels(problem: Problem, chosen: Sequence[tuple[Family, int]]) -> Levels:
    levels = [0] * len(problem.space.units)
    for family, choice in chosen:
        for unit, level in zip(family.units, family.levels[choice], strict=True):
            levels[unit] = int(level)
    return tuple(levels)
