"""The exact multiple-choice knapsack: one option per item, least total cost under a size limit, in whole bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from search.solvers.core import settle
from search.solvers.items import Item
from search.solvers.relaxation import ROUNDING, Choices, Indices, relax, undominated
from spaces.errors import BudgetError, InputError

MAX_TOTAL_BITS = 2**62  # below it, sums of sizes and their differences stay within int64


def knapsack(items: Sequence[Item], limit: int) -> list[int]:
    """The option of each item, of least total cost among those whose sizes add up to at most ``limit`` bits.

    Exact up to the rounding of float64 sums; sizes never leave whole bits. Of equal totals the smaller size wins, of
    options equal in size and cost the first. ``search.solvers.core.settle`` names the one kind of problem that may
    end with a warning and a bound on the distance to the optimum instead.

    Raises:
        BudgetError: the smallest allowed options together exceed ``limit``.
        InputError: every option of an item is forbidden, or the sizes add up to 2**62 bits or more.
    """
    allowed = _allowed(items)
    choices = undominated(allowed.item, allowed.option, allowed.size, allowed.cost)
    lightest = choices.weight[choices.lightest]
    room = min(limit, MAX_TOTAL_BITS) - int(lightest.sum())
    if room < 0:
        raise BudgetError(
            f"limit must be at least {lightest.sum()} bits, the sum of the smallest allowed sizes, got {limit}; "
            f"add a smaller option or raise the limit"
        )
    choices = choices.within(room)
    # All steps are multiples of their divisor, so what is left over is of no use; without it the bound is tighter.
    room -= room % (int(np.gcd.reduce(choices.excess)) or 1)
    return _options(choices, room, ROUNDING * room)


def smallest(items: Sequence[Item], cost_limit: float) -> list[int]:
    """The option of each item, of least total size among those whose costs add up to at most ``cost_limit``.

    The question of ``knapsack`` turned round, and as exact. A sum of costs counts as within the limit up to
    1e-12 of the magnitudes in it, so the summed costs of a configuration are a limit that it meets.

    Raises:
        BudgetError: the cheapest options together exceed ``cost_limit``.
        InputError: as ``knapsack``, or ``cost_limit`` is not finite.
    """
    if not isfinite(cost_limit):
        raise InputError(f"cost_limit must be a finite number, got {cost_limit}; give the largest total cost to accept")
    allowed = _allowed(items)
    choices = undominated(allowed.item, allowed.option, allowed.cost, allowed.size)
    cheapest = choices.weight[choices.lightest]
    rounding = ROUNDING * (abs(cost_limit) + float(np.abs(cheapest).sum()))
    room = cost_limit - float(cheapest.sum()) + rounding
    if room < 0:
        raise BudgetError(
            f"cost_limit must be at least {cheapest.sum():.9g}, the sum of the lowest costs, got {cost_limit:.9g}; "
            f"add a better option or raise the limit"
        )
    return _options(choices.within(room), room, 2 * rounding)


@dataclass(frozen=True, kw_only=True)
class _Allowed:
    """The options of all items whose cost is finite, item after item."""

    item: Indices
    option: Indices
    size: NDArray[np.int64]
    cost: NDArray[np.float64]


def _allowed(items: Sequence[Item]) -> _Allowed:
    counts = np.array([len(item.sizes) for item in items], dtype=np.int64)
    item = np.repeat(np.arange(len(items)), counts)
    option = np.arange(len(item)) - np.repeat(np.cumsum(counts) - counts, counts)
    cost = np.concatenate([np.empty(0), *(item.costs for item in items)], dtype=np.float64)
    size = np.concatenate([np.empty(0, dtype=np.int64), *(item.sizes for item in items)])
    finite = np.flatnonzero(np.isfinite(cost))
    barred = np.flatnonzero(np.bincount(item[finite], minlength=len(items)) == 0)
    if barred.size:
        raise InputError(
            f"every item needs an option of finite cost, and all {counts[barred[0]]} options of item {barred[0]} cost "
            f"inf; allow one of them"
        )
    allowed = _Allowed(item=item[finite], option=option[finite], size=size[finite], cost=cost[finite])
    _check_total(allowed)
    return allowed


def _check_total(allowed: _Allowed) -> None:
    first = np.flatnonzero(np.diff(allowed.item, prepend=-1))
    total = sum(np.maximum.reduceat(allowed.size, first).tolist()) if first.size else 0
    if total >= MAX_TOTAL_BITS:
        raise InputError(f"the largest sizes must add up to less than 2**62 bits, got {total}; count in larger units")


def _options(choices: Choices, room: float, rounding: float) -> list[int]:
    """The options that an answer chose, as the caller counts them."""
    relaxation = relax(choices, room, rounding)
    options: list[int] = choices.option[settle(choices, relaxation)].tolist()
    return options
