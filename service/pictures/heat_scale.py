"""From a cost to a colour: one logarithmic scale for all grids of a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from service.pictures.heatmap import Heatmap
from service.pictures.palette import INK, PAPER

# Cream to plum with evenly falling lightness (OKLCH 0.955 to 0.29): warm, so that no one reads it as bits.
HEAT_STOPS = ("#faefd6", "#f2cf9c", "#ebab6b", "#e5834b", "#d85842", "#b83d49", "#94294c", "#6b1f49", "#45163d")
LIGHT_TEXT_FROM = 0.5  # position on the scale
MOST_DECADES = 6.0  # a stray cost near zero must not take the colours of the rest


@dataclass(frozen=True, kw_only=True)
class HeatScale:
    """Positions 0 to 1 for costs from ``low`` to ``high``, both above zero; what lies below stands at 0."""

    low: float
    high: float
    is_cut: bool  # whether costs above zero lie below ``low``

    def position(self, cost: float) -> float:
        if cost <= self.low:
            return 0.0
        return min(1.0, log10(cost / self.low) / log10(self.high / self.low))

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round costs to label, at least two: powers of ten, or 1, 2, 5 where those are few."""
        exponents = range(floor(log10(self.low)) - 1, ceil(log10(self.high)) + 1)
        for factors in ((1,), (1, 2, 5), tuple(range(1, 10))):
            ticks = [float(f"{factor}e{exponent}") for exponent in exponents for factor in factors]
            within = tuple(tick for tick in ticks if self.low <= tick <= self.high)
            if len(within) >= 3:
                return within
        return (self.low, self.high)


def heat_scale(heatmap: Heatmap, options: Sequence[int] | None = None) -> HeatScale | None:
    """The scale of these options (all that are drawn), or None where no cost is finite and above zero.

    It begins at the lowest cost that its error tells from zero, so that noise takes none of its colours.
    """
    shown = heatmap.drawn if options is None else options
    cells = [(layer, option) for layer in range(len(heatmap.layers)) for option in shown]
    costs = {cell: heatmap.costs[cell[0]][cell[1]] for cell in cells}
    above = {cell: cost for cell, cost in costs.items() if cost is not None and isfinite(cost) and cost > 0}
    if not above:
        return None
    positive = list(above.values())
    telling = [cost for cell, cost in above.items() if not heatmap.is_noise(*cell)] or positive
    lowest, high = min(positive), max(positive)
    low = max(min(telling), high / 10**MOST_DECADES)
    if high < low * 1.01:  # one cost alone: put it in the middle
        low, high = low / 2, high * 2
    return HeatScale(low=low, high=high, is_cut=lowest < low)


def heat_fill(position: float) -> str:
    """The colour at a position from 0 to 1."""
    place = position * (len(HEAT_STOPS) - 1)
    left = min(int(place), len(HEAT_STOPS) - 2)
    share = place - left
    pairs = zip(_channels(HEAT_STOPS[left]), _channels(HEAT_STOPS[left + 1]), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def heat_ink(position: float) -> str:
    """The colour of a mark on top of ``heat_fill(position)``."""
    return PAPER if position >= LIGHT_TEXT_FROM else INK


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
