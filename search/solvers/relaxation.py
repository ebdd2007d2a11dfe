"""The linear relaxation of a multiple-choice knapsack: a price per unit of weight, a bound, a first answer.

One option per item is chosen, to minimise the total value within a limit on the total weight; weight is size and value
cost, or the other way round. Once items may mix two options the problem is easy: walk the lower hulls of all items,
steepest step first, until the limit is reached. Sinha & Zoltners 1979, "The multiple-choice knapsack problem".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Indices: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[Any]  # int64 for sizes, float64 for costs

# Slopes, bounds and sums err by some 1e-16 of the largest term. What differs by less than this share of it counts as
# equal, so that rounding prunes no optimum.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The undominated options of all items, item after item, weights rising and values falling within each."""

    item: Indices  # (choices,)
    option: Indices  # (choices,), as the caller counts them
    weight: Numbers  # (choices,)
    value: Numbers  # (choices,)

    @property
    def lightest(self) -> Indices:  # (items,), the first choice of each item
        return np.flatnonzero(np.diff(self.item, prepend=-1))

    @property
    def excess(self) -> Numbers:  # (choices,), weight above the item's lightest choice
        return self.weight - self.weight[self.lightest][self.item]

    def within(self, room: float) -> Choices:
        """Those that fit with every other item at its lightest; the rest only blunt the bound."""
        fits = self.excess <= room
        return Choices(item=self.item[fits], option=self.option[fits], weight=self.weight[fits], value=self.value[fits])


def undominated(item: Indices, option: Indices, weight: Numbers, value: Numbers) -> Choices:
    """Drop each option that another of its item beats or equals in both; of equals, the first stays.

    All are (options,), and ``item`` counts 0, 0, 1, ... without a gap.
    """
    order = np.lexsort((option, value, weight, item))
    rank = np.unique(value, return_inverse=True)[1][order]
    rank -= item[order] * len(item)  # every rank of a later item is lower: the running minimum starts anew there
    lowest = np.minimum.accumulate(rank)
    kept = order[np.diff(lowest, prepend=len(item)) < 0]
    return Choices(item=item[kept], option=option[kept], weight=weight[kept], value=value[kept])


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """The relaxed optimum: choices ``base``, a last step taken in part, and its slope as the ``price`` of weight.

    With every option charged ``value + price * weight``, ``base`` is the cheapest for each item, so no answer within
    the limit has a value under ``value of base - price * slack``, where ``slack`` is the weight that ``base`` leaves.
    ``greedy`` fills it with further steps.
    """

    base: Indices  # (items,), into the choices
    greedy: Indices  # (items,), into the choices
    slack: float  # an int where weights are ints
    price: float
    tolerance: float  # values this near are equal: see ROUNDING


def relax(choices: Choices, room: float, rounding: float) -> Relaxation:
    """Solve the relaxation with ``room`` above the total of the lightest choices; each choice fits it alone.

    Weights nearer than ``rounding`` count as equal, and so do values nearer than what that costs.
    """
    before, after, slope = hull_steps(choices)
    gain = choices.weight[after] - choices.weight[before]
    filled = np.cumsum(gain)
    taken = int(np.searchsorted(filled, room, side="right"))
    base = choices.lightest
    np.maximum.at(base, choices.item[after[:taken]], after[:taken])
    slack = room - (filled[taken - 1].item() if taken else 0)
    price = float(slope[taken]) if taken < len(slope) else 0.0
    greedy = base.copy()
    rest = after[taken:]
    _fill(greedy, zip(choices.item[rest].tolist(), rest.tolist(), gain[taken:].tolist(), strict=True), slack)
    return Relaxation(base=base, greedy=greedy, slack=slack, price=price, tolerance=price * rounding)


def hull_steps(choices: Choices) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """The steps along all lower hulls, steepest first: choice before, choice after, value lost per weight gained."""
    hull = np.arange(len(choices.item))
    while True:
        before, after = hull[:-1], hull[1:]
        within = choices.item[before] == choices.item[after]
        lost = (choices.value[before] - choices.value[after]).astype(np.float64)
        gained = np.where(within, choices.weight[after] - choices.weight[before], 1)
        slope = np.where(within, lost / gained, np.inf)
        # A choice on or above the line between its neighbours is no vertex, whatever becomes of them: drop all such.
        flat = np.flatnonzero(within[:-1] & within[1:] & (slope[:-1] <= slope[1:]))
        if not flat.size:
            break
        hull = np.delete(hull, flat + 1)
    order = np.flatnonzero(within)
    order = order[np.argsort(-slope[order], kind="stable")]
    return before[order], after[order], slope[order]


def _fill(answer: Indices, steps: Iterable[tuple[int, int, float]], slack: float) -> None:
    """Take every step (item, choice after, weight gained) that fits; an item stops at its first that does not."""
    stopped: set[int] = set()
    for item, after, gain in steps:
        if item in stopped:
            continue
        if gain > slack:
            stopped.add(item)
        else:
            answer[item] = after
            slack -= gain
