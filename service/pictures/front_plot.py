"""The upper part of ``front.png``: size against objective, with the front as a step line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from service.pictures.figure import Figure, Point
from service.pictures.palette import ANSWER, BASELINE, CANDIDATE, FRONT, HAIRLINE, MUTED, PAPER
from service.pictures.units import size_unit

FAINT_ABOVE_POINTS = 300  # more candidates than this are drawn smaller and paler
PLAIN_NUMBERS = "{x:.8g}"  # whole, where matplotlib would move a common part to the axis' end
AFFINE_TOLERANCE = 0.02  # of the range: bits that stray further from a line over sizes get no axis


class Marker(NamedTuple):
    """How one answer or baseline is drawn, on the axes and in the key."""

    shape: str
    size: float  # points
    fill: str
    edge: str


class Sized(Protocol):
    """What has a place on the axes of size and bits."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def bits_per_weight(self) -> float: ...

    @property
    def nominal_bits_per_weight(self) -> float: ...


ANSWER_MARKER = Marker("*", 17, ANSWER, PAPER)
ONE_OF_ANSWERS = Marker("*", 12, ANSWER, PAPER)  # small enough that neighbours stay apart
BASELINE_MARKERS = tuple(Marker(shape, 7.5, fill, BASELINE) for fill, shape in product((PAPER, BASELINE), "osD^v<>pP"))


def markers_of(points: Sequence[Point]) -> tuple[Marker, ...]:
    """A marker for each of the marked points; baselines repeat theirs only after eighteen."""
    baselines = iter(range(len(points)))
    answer = ANSWER_MARKER if sum(point.is_answer for point in points) < 2 else ONE_OF_ANSWERS
    return tuple(
        answer if point.is_answer else BASELINE_MARKERS[next(baselines) % len(BASELINE_MARKERS)] for point in points
    )


def draw_front(axes: Axes, figure: Figure) -> None:
    """Draw every point of ``figure`` that has a finite objective, and the budget where it is a size."""
    unit = size_unit(point.size_bytes for point in figure.drawn)
    _style(axes, figure, size_name=unit.name)
    _draw_candidates(axes, figure, unit.num_bytes)
    _draw_budget(axes, figure, unit.num_bytes)
    _draw_front_line(axes, figure, unit.num_bytes)
    _draw_errors(axes, figure, unit.num_bytes)
    for point, marker in zip(figure.marked, markers_of(figure.marked), strict=True):
        axes.plot(
            point.size_bytes / unit.num_bytes,
            point.objective,
            marker.shape,
            markersize=marker.size,
            color=marker.fill,
            markeredgecolor=marker.edge,
            markeredgewidth=1.2,
            zorder=7 if point.is_answer else 6,
            clip_on=False,
        )
    _name_answers(axes, figure, unit.num_bytes)
    add_bits_axis(axes, figure.drawn, unit.num_bytes)


def is_log(figure: Figure) -> bool:
    """Whether the objectives are positive and span more than a decade."""
    objectives = [point.objective for point in figure.drawn]
    return min(objectives) > 0 and max(objectives) > 10 * min(objectives)


def affine_fit(points: Sequence[Sized], bits_of: Callable[[Sized], float]) -> tuple[float, float] | None:
    """Slope (bits per byte) and intercept of bits over size, or None where no line tells them well."""
    sizes = np.array([point.size_bytes for point in points], dtype=np.float64)
    bits = np.array([bits_of(point) for point in points])
    centred = sizes - sizes.mean()
    if np.ptp(sizes) == 0 or np.ptp(bits) == 0:
        return None
    slope = float(centred @ bits / (centred @ centred))
    intercept = float(bits.mean() - slope * sizes.mean())
    stray = np.abs(slope * sizes + intercept - bits).max()
    return (slope, intercept) if slope > 0 and stray <= AFFINE_TOLERANCE * np.ptp(bits) else None


def style_axes(axes: Axes) -> None:
    """Quiet lines and plain numbers."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
        axes.spines[side].set_linewidth(0.8)
    axes.tick_params(colors=MUTED, labelsize=9, length=3.5, width=0.8)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(0.05, 0.09)


def name_axes(axes: Axes, *, across: str, up: str) -> None:
    """Write the names of both axes, as they stand."""
    axes.set_xlabel(across, fontsize=9.5, color=MUTED, labelpad=8).set_parse_math(False)
    axes.set_ylabel(up, fontsize=9.5, color=MUTED, labelpad=10).set_parse_math(False)


def _style(axes: Axes, figure: Figure, *, size_name: str) -> None:
    style_axes(axes)
    axes.xaxis.set_major_formatter(PLAIN_NUMBERS)
    scale = " (log scale)" if is_log(figure) else ""
    name_axes(axes, across=f"size of the exported checkpoint, {size_name}", up=figure.objective_name + scale)
    _set_objective_scale(axes, figure)


def _set_objective_scale(axes: Axes, figure: Figure) -> None:
    """Choose ticks that read as plain numbers."""
    if not is_log(figure):
        axes.yaxis.set_major_locator(MaxNLocator(nbins=7))
        axes.yaxis.set_major_formatter(PLAIN_NUMBERS)
        return
    objectives = [point.objective for point in figure.drawn]
    set_log_scale(axes, min(objectives), max(objectives))


def set_log_scale(axes: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic, with ticks that read as plain numbers."""
    num_decades = np.log10(high / low)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if num_decades < 3 else (1,), numticks=20))
    axes.yaxis.set_major_formatter(PLAIN_NUMBERS)
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_candidates(axes: Axes, figure: Figure, unit_bytes: int) -> None:
    points = [point for point in figure.drawn if not point.is_marked]
    is_many = len(points) > FAINT_ABOVE_POINTS
    axes.scatter(
        [point.size_bytes / unit_bytes for point in points],
        [point.objective for point in points],
        s=7 if is_many else 16,
        color=CANDIDATE,
        alpha=0.3 if is_many else 0.55,
        linewidths=0,
        zorder=2,
    )


def _draw_budget(axes: Axes, figure: Figure, unit_bytes: int) -> None:
    if figure.budget_size_bytes is not None:
        budget = figure.budget_size_bytes / unit_bytes
        axes.axvline(budget, color=MUTED, linewidth=1.1, dashes=(5, 3), zorder=3)


def _draw_front_line(axes: Axes, figure: Figure, unit_bytes: int) -> None:
    """Draw the best objective within each size, on to the largest size that was tried."""
    if not figure.front:
        return
    sizes = [point.size_bytes / unit_bytes for point in figure.front]
    objectives = [point.objective for point in figure.front]
    largest = max(point.size_bytes for point in figure.drawn) / unit_bytes
    axes.step([*sizes, largest], [*objectives, objectives[-1]], where="post", color=FRONT, linewidth=1.6, zorder=4)
    axes.plot(sizes, objectives, "o", color=FRONT, markersize=4.2, zorder=5)


def _draw_errors(axes: Axes, figure: Figure, unit_bytes: int) -> None:
    """Draw one standard error up and down for the front, the answer and the baselines."""
    shown = [point for point in figure.drawn if point.objective_se and (point.is_front or point.is_marked)]
    for is_baseline, color in ((False, FRONT), (True, BASELINE)):
        points = [point for point in shown if point.is_baseline is is_baseline]
        axes.errorbar(
            [point.size_bytes / unit_bytes for point in points],
            [point.objective for point in points],
            yerr=[float(point.objective_se or 0) for point in points],
            color=color,
            linestyle="none",
            elinewidth=0.9,
            capsize=2,
            zorder=4,
        )


def _name_answers(axes: Axes, figure: Figure, unit_bytes: int) -> None:
    """Write its budget below and left of each of several answers, where on a front nothing can lie."""
    for point in figure.answers:
        axes.annotate(
            point.budget,
            (point.size_bytes / unit_bytes, point.objective),
            xytext=(-5, -6),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=7.5,
            color=ANSWER,
            parse_math=False,
            zorder=8,
        )


def add_bits_axis(axes: Axes, points: Sequence[Sized], unit_bytes: int) -> None:
    """Add nominal bits on top, or effective ones where nominal bits are no line over the size."""
    scales = {
        "nominal bits per weight": affine_fit(points, lambda point: point.nominal_bits_per_weight),
        "bits per weight": affine_fit(points, lambda point: point.bits_per_weight),
    }
    name, fit = next(((name, fit) for name, fit in scales.items() if fit is not None), ("", None))
    if fit is None:
        return
    slope, intercept = fit[0] * unit_bytes, fit[1]

    def bits_of(size: ArrayLike) -> ArrayLike:
        return slope * np.asarray(size, dtype=np.float64) + intercept

    def size_of(bits: ArrayLike) -> ArrayLike:
        return (np.asarray(bits, dtype=np.float64) - intercept) / slope

    top = axes.secondary_xaxis("top", functions=(bits_of, size_of))
    top.spines["top"].set_visible(False)
    top.tick_params(colors=MUTED, labelsize=9, length=3.5, width=0.8)
    top.xaxis.set_major_formatter(PLAIN_NUMBERS)
    top.set_xlabel(name, fontsize=9.5, color=MUTED, labelpad=8)
