"""The panels of ``comparison.png``: loss against size, and below it every loss over the uniform one."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator

from service.pictures.clipping import clip_end
from service.pictures.comparison import BAR_ERRORS, Comparison, ComparisonPoint, Line
from service.pictures.comparison_marks import Mark, draw_line, draw_mark, marks_of
from service.pictures.front_plot import PLAIN_NUMBERS, add_bits_axis, name_axes, set_log_scale, style_axes
from service.pictures.palette import BASELINE, HAIRLINE, MUTED
from service.pictures.units import size_unit

BROKEN_STEP = 0.045  # of the frame's height, between marks of broken answers of one size
BROKEN_ROOM = 0.16  # of the axis, above the losses
BAND = "#f5f7f9"
GROUP_WIDTH = 0.84  # of the space between budgets
FEW_TIMES, MANY_TIMES = 4.0, 30.0  # ratios within a factor of 4 get evenly spaced ticks
BUDGET_COLUMNS = 22


def is_log(comparison: Comparison) -> bool:
    """Whether the losses can stand on a log scale."""
    return all(point.loss > 0 for point in comparison.drawn)


def draw_losses(axes: Axes, comparison: Comparison) -> None:
    """Draw one line a method through its measured answers; broken ones stand at the upper edge."""
    unit = size_unit(point.size_bytes for point in comparison.drawn)
    marks = marks_of(comparison)
    style_axes(axes)
    axes.xaxis.set_major_formatter(PLAIN_NUMBERS)
    scale = " (log scale)" if is_log(comparison) else ""
    across = f"size of the exported checkpoint, {unit.name}"
    name_axes(axes, across=across, up=comparison.objective_name + scale)
    for line in comparison.lines:
        sizes = [point.size_bytes / unit.num_bytes for point in line.drawn]
        losses = [point.loss for point in line.drawn]
        draw_line(axes, sizes, losses, line, marks[line.name])
        _draw_errors(axes, line, unit.num_bytes, marks[line.name])
        for size, loss in zip(sizes, losses, strict=True):
            draw_mark(axes, size, loss, marks[line.name])
    if is_log(comparison):
        losses = [point.loss for point in comparison.drawn]
        set_log_scale(axes, min(losses), max(losses))
    else:
        axes.yaxis.set_major_formatter(PLAIN_NUMBERS)
    _draw_broken(axes, comparison, unit.num_bytes, marks)
    add_bits_axis(axes, comparison.drawn, unit.num_bytes)


def draw_ratios(axes: Axes, comparison: Comparison) -> None:
    """Draw every answer's loss over the best baseline's for the same budget, budget by budget."""
    style_axes(axes)
    name_axes(axes, across="budget", up="loss ÷ uniform (less is better)")
    budgets = [budget for budget in comparison.budgets if budget in comparison.baselines]
    for place in range(1, len(budgets), 2):
        axes.axvspan(place - 0.5, place + 0.5, color=BAND, linewidth=0, zorder=0)
    axes.axhline(1.0, color=BASELINE, linewidth=1.4, dashes=(4, 2), zorder=3)
    spots = ratio_spots(comparison)
    marks = marks_of(comparison)
    for line, point, x in spots:
        _draw_ratio(axes, comparison, point, marks[line.name], x=x)
    axes.set_xlim(-0.5, len(budgets) - 0.5)
    axes.xaxis.set_major_locator(FixedLocator(range(len(budgets))))
    axes.set_xticklabels([clip_end(budget, BUDGET_COLUMNS) for budget in budgets], parse_math=False)
    axes.tick_params(axis="x", length=0)
    _set_ratio_scale(axes, comparison)


def ratio_spots(comparison: Comparison) -> list[tuple[Line, ComparisonPoint, float]]:
    """Each method's answers with their place across: budgets at whole numbers, methods spread around them.

    Answers for a budget without a baseline have no place; broken ones keep theirs.
    """
    budgets = [budget for budget in comparison.budgets if budget in comparison.baselines]
    methods = [line for line in comparison.ranked if not line.is_baseline]
    spots = []
    for number, line in enumerate(methods):
        offset = (number + 0.5) / len(methods) - 0.5
        for point in line.points:
            if point.budget in budgets:
                spots.append((line, point, budgets.index(point.budget) + GROUP_WIDTH * offset))
    return spots


def _draw_errors(axes: Axes, line: Line, unit_bytes: int, mark: Mark) -> None:
    points = [point for point in line.drawn if point.loss_se]
    axes.errorbar(
        [point.size_bytes / unit_bytes for point in points],
        [point.loss for point in points],
        yerr=[BAR_ERRORS * float(point.loss_se or 0) for point in points],
        color=mark.ink,
        linestyle="none",
        elinewidth=0.9,
        capsize=2,
        zorder=4,
    )


def _draw_broken(axes: Axes, comparison: Comparison, unit_bytes: int, marks: dict[str, Mark]) -> None:
    """Stack the broken answers under the upper edge, at their size."""
    broken = [(line, point) for line in comparison.lines for point in line.broken]
    if not broken:
        return
    bottom, top = axes.get_ylim()
    is_scaled = axes.get_yscale() == "log"
    axes.set_ylim(bottom, top * (top / bottom) ** BROKEN_ROOM if is_scaled else top + (top - bottom) * BROKEN_ROOM)
    stacked: dict[str, int] = {}
    for line, point in broken:
        place = stacked.setdefault(point.budget, 0)
        stacked[point.budget] += 1
        y = 0.975 - BROKEN_STEP * place
        draw_mark(axes, point.size_bytes / unit_bytes, y, marks[line.name], size=5, in_frame=True)
    axes.text(0.995, 0.975, "↑ broken", transform=axes.transAxes, fontsize=8, color=MUTED, ha="right", va="center")


def _draw_ratio(axes: Axes, comparison: Comparison, point: ComparisonPoint, mark: Mark, *, x: float) -> None:
    ratio, error = comparison.ratio(point), comparison.ratio_se(point)
    if ratio is None:
        draw_mark(axes, x, 0.97, mark, size=4.5, in_frame=True)
        axes.text(x, 0.91, "↑", transform=axes.get_xaxis_transform(), fontsize=7, color=MUTED, ha="center", va="top")
        return
    if error:
        axes.errorbar(x, ratio, yerr=BAR_ERRORS * error, color=mark.ink, elinewidth=0.9, capsize=1.5, zorder=4)
    draw_mark(axes, x, ratio, mark, size=5.5)


def _set_ratio_scale(axes: Axes, comparison: Comparison) -> None:
    """A log scale, on which half and double are equally far from one."""
    ratios = [1.0]
    for _, point, _ in ratio_spots(comparison):
        ratio = comparison.ratio(point)
        if ratio is not None:
            error = BAR_ERRORS * (comparison.ratio_se(point) or 0.0)
            ratios += [ratio - error if ratio > error else ratio, ratio + error]
    low, high = min(ratios), max(ratios)
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.7)
    if low <= 0:
        return
    axes.set_yscale("log")
    room = max((high / low) ** 0.12, 1.02)
    is_any_broken = any(line.broken for line in comparison.lines)
    axes.set_ylim(low / room, high * room * ((high / low) ** 0.12 if is_any_broken else 1))
    subs = (1, 2, 3, 5, 7) if high / low < MANY_TIMES else (1, 2, 5)
    few = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10])
    axes.yaxis.set_major_locator(few if high / low < FEW_TIMES else LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PLAIN_NUMBERS)
    axes.yaxis.set_minor_formatter(NullFormatter())
