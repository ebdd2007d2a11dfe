"""How each line of a comparison is told apart: a colour and a shape of its own in every picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.axes import Axes

from service.pictures.comparison import Comparison, Line
from service.pictures.palette import BASELINE, PAPER

# Eight hues, apart also in lightness for colour-blind readers, three to one against white at least.
METHOD_COLORS = ("#0f68a2", "#c96f00", "#19966e", "#4d2472", "#b6322d", "#1d98cc", "#4a3d00", "#c35c9b")
SHAPES = "osD^v<>pP"  # in the order of MARK_SHAPES in marks.js
BASELINE_DASHES = (4, 2)
LINE_WIDTH, BASELINE_WIDTH = 1.4, 1.8  # points
LINE_ALPHA = 0.75


class Mark(NamedTuple):
    """A line's looks. Colours come round after eight lines, shapes after nine, fillings after both."""

    color: int | None  # a number in METHOD_COLORS; None for a baseline, in ink
    shape: int
    is_filled: bool

    @property
    def ink(self) -> str:
        return BASELINE if self.color is None else METHOD_COLORS[self.color]

    @property
    def symbol(self) -> str:
        return SHAPES[self.shape]

    @property
    def fill(self) -> str:
        return self.ink if self.is_filled else PAPER


def marks_of(comparison: Comparison) -> dict[str, Mark]:
    """A mark for each line, in the order the lines were given; the baselines' are hollow."""
    methods = _marks_of_methods()
    baselines = (Mark(None, number % len(SHAPES), False) for number in range(len(comparison.lines)))
    return {line.name: next(baselines if line.is_baseline else methods) for line in comparison.lines}


def draw_mark(axes: Axes, x: float, y: float, mark: Mark, *, size: float = 6.0, in_frame: bool = False) -> None:
    """Draw one mark; ``in_frame`` counts ``y`` from the bottom to the top of the frame, 0 to 1."""
    axes.plot(
        x,
        y,
        mark.symbol,
        markersize=size,
        color=mark.fill,
        markeredgecolor=mark.ink,
        markeredgewidth=1.2,
        zorder=6,
        clip_on=False,
        transform=axes.get_xaxis_transform() if in_frame else axes.transData,
    )


def draw_line(axes: Axes, xs: list[float], ys: list[float], line: Line, mark: Mark) -> None:
    """Draw the line that joins the marks: dashed for a baseline."""
    if line.is_baseline:
        axes.plot(xs, ys, color=mark.ink, linewidth=BASELINE_WIDTH, dashes=BASELINE_DASHES, zorder=5)
    else:
        axes.plot(xs, ys, color=mark.ink, linewidth=LINE_WIDTH, alpha=LINE_ALPHA, zorder=4)


def _marks_of_methods() -> Iterator[Mark]:
    number = 0
    while True:
        is_filled = (number // len(METHOD_COLORS)) % 2 == 0
        yield Mark(number % len(METHOD_COLORS), number % len(SHAPES), is_filled)
        number += 1
