"""The grids of ``sensitivity.png``: one for each option, a cell for each layer, one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Rectangle

from service.pictures.clipping import clip_end
from service.pictures.heat_scale import HeatScale, heat_fill, heat_ink
from service.pictures.heatmap import Heatmap
from service.pictures.heatmap_shape import GAP_ACROSS, Box, HeatShape
from service.pictures.palette import ANSWER, HAIRLINE, INK, MUTED, PAPER
from service.pictures.sheet import write
from service.pictures.strip_plot import label_step

MISSING = "#eef1f4"
SMALLEST_STEP_DOWN, SMALLEST_STEP_RIGHT = 0.115, 0.12  # inches between labels
WIDE_LABEL = 0.3  # a block number that is written across
DOT = 1.5  # points
GAP_FROM = 0.1  # inches: smaller cells get thinner lines between them
TITLE_SIZE, SMALLEST_TITLE = 8.5, 6.5  # points
BOLD_CHARACTER = 0.0097  # inches a character of the title takes for each point of its size
NOTE_CHARACTER = 0.06  # inches a character takes
Segment = list[tuple[float, float]]


def draw_grids(axes: Axes, shape: HeatShape, heatmap: Heatmap, scale: HeatScale | None) -> None:
    """Draw every grid of ``heatmap`` onto a panel measured in inches."""
    for number, option in enumerate(heatmap.drawn):
        left, top = shape.corner(number)
        _write_title(axes, shape, heatmap, option, left=left, top=top - shape.above_cells)
        _label_right(axes, shape, left=left, top=top)
        if number % shape.grids_in_row == 0:
            _label_down(axes, shape, left=left, top=top)
        draw_cells(axes, shape, heatmap, scale, option=option, left=left, top=top)


def draw_cells(
    axes: Axes,
    shape: HeatShape,
    heatmap: Heatmap,
    scale: HeatScale | None,
    *,
    option: int,
    left: float,
    top: float,
) -> None:
    """Draw the cells of one option with ``left`` and ``top`` as their corner."""
    boxes = [_moved(shape.box(layer), left, top) for layer in range(len(heatmap.layers))]
    costs = [row[option] for row in heatmap.costs]
    axes.add_collection(
        PatchCollection(
            [Rectangle((box.left, box.top), box.width, box.height) for box in boxes],
            facecolors=[_fill(cost, scale) for cost in costs],
            edgecolors=PAPER,
            linewidths=0.8 if min(boxes[0].width, boxes[0].height) >= GAP_FROM else 0.25,
        )
    )
    _add_lines(axes, [_slash(box) for box, cost in zip(boxes, costs, strict=True) if cost is None], MUTED)
    broken = [box for box, cost in zip(boxes, costs, strict=True) if cost == inf]
    _add_lines(axes, [line for box in broken for line in _cross(box)], ANSWER)
    _add_dots(axes, heatmap, scale, option, boxes)


def draw_sample(axes: Axes, box: Box, *, fill: str, mark: str) -> None:
    """Draw one cell of the key: with a ``slash``, a ``cross``, a ``dot`` or no mark."""
    axes.add_patch(
        Rectangle((box.left, box.top), box.width, box.height, facecolor=fill, edgecolor=HAIRLINE, linewidth=0.6)
    )
    if mark == "slash":
        _add_lines(axes, [_slash(box)], MUTED)
    elif mark == "cross":
        _add_lines(axes, _cross(box), ANSWER)
    elif mark == "dot":
        axes.plot(*_centre(box), "o", color=INK, markersize=DOT, markeredgewidth=0)


def _fill(cost: float | None, scale: HeatScale | None) -> str:
    if cost is None:
        return MISSING
    if cost == inf:
        return PAPER
    return heat_fill(0.0 if scale is None else scale.position(cost))


def _add_dots(axes: Axes, heatmap: Heatmap, scale: HeatScale | None, option: int, boxes: Sequence[Box]) -> None:
    """Mark the costs that are within noise of zero."""
    noisy = [layer for layer in range(len(heatmap.layers)) if heatmap.is_noise(layer, option)]
    if not noisy:
        return
    spots = [_centre(boxes[layer]) for layer in noisy]
    positions = [scale.position(heatmap.costs[layer][option] or 0.0) if scale else 0.0 for layer in noisy]
    inks = [heat_ink(position) for position in positions]
    across, down = zip(*spots, strict=True)
    axes.scatter(across, down, s=DOT**2, c=inks, linewidths=0, zorder=3)


def _write_title(axes: Axes, shape: HeatShape, heatmap: Heatmap, option: int, *, left: float, top: float) -> None:
    """Name the option, smaller where the grid is narrow, and the layer it costs most."""
    room = shape.grid_width + GAP_ACROSS * 0.8
    slug = heatmap.options[option]
    longest = max(len(heatmap.options[number]) for number in heatmap.drawn)  # all titles are of one size
    size = min(TITLE_SIZE, max(SMALLEST_TITLE, room / (longest * BOLD_CHARACTER)))
    title = clip_end(slug, int(room / (size * BOLD_CHARACTER)))
    write(axes, left, top + 0.1, title, size=size, weight="bold")
    note = clip_end(_costliest_note(heatmap, option), int(room / NOTE_CHARACTER))
    write(axes, left, top + 0.28, note, size=7.2, color=MUTED)


def _costliest_note(heatmap: Heatmap, option: int) -> str:
    costliest = heatmap.costliest(option)
    if not costliest:
        return "no finite cost"
    layer, cost = heatmap.layers[costliest[0]], heatmap.costs[costliest[0]][option]
    place = layer.name if layer.block is None else f"{layer.block} {layer.module.rpartition('.')[2]}"
    return f"most {cost:.3g}: {place}"


def _label_right(axes: Axes, shape: HeatShape, *, left: float, top: float) -> None:
    """Name the columns above the cells: modules upright, block numbers as they are."""
    width = shape.grid_width / shape.num_right
    smallest = WIDE_LABEL if shape.is_across else SMALLEST_STEP_RIGHT
    for number, label in list(enumerate(shape.right_labels))[:: label_step(width, smallest)]:
        x = left + (number + 0.5) * width
        if shape.is_across:
            write(axes, x, top - 0.1, label, size=7.5, color=MUTED, align="center")
        else:
            axes.text(x, top - 0.05, label, fontsize=7.2, color=MUTED, rotation=90, ha="center", va="bottom")


def _label_down(axes: Axes, shape: HeatShape, *, left: float, top: float) -> None:
    x = left - 0.09
    step = label_step(shape.cell_height, SMALLEST_STEP_DOWN)
    for number, label in list(enumerate(shape.down_labels))[::step]:
        y = top + (number + 0.5) * shape.cell_height
        write(axes, x, y, label, size=7.5, color=INK, align="right")
    if shape.grid.columns:
        y = top - 0.1
        write(axes, x, y, "block", size=7.5, color=MUTED, align="right")
    step = label_step(shape.bar_height, SMALLEST_STEP_DOWN)
    for number, label in list(enumerate(shape.outside_labels))[::step]:
        write(axes, x, top + shape.bar_top(number) + shape.bar_height / 2, label, size=7.5, color=INK, align="right")


def _moved(box: Box, left: float, top: float) -> Box:
    return box._replace(left=box.left + left, top=box.top + top)


def _centre(box: Box) -> tuple[float, float]:
    return box.left + box.width / 2, box.top + box.height / 2


def _slash(box: Box) -> Segment:
    """A line that rises through the middle of a cell at the same angle in a square and in a bar."""
    x, y = _centre(box)
    reach = min(box.width, box.height) * 0.36
    return [(x - reach, y + reach), (x + reach, y - reach)]


def _cross(box: Box) -> list[Segment]:
    x, y = _centre(box)
    reach = min(box.width, box.height) * 0.28
    return [[(x - reach, y + reach), (x + reach, y - reach)], [(x - reach, y - reach), (x + reach, y + reach)]]


def _add_lines(axes: Axes, segments: list[Segment], color: str) -> None:
    if segments:
        axes.add_collection(LineCollection(segments, colors=color, linewidths=0.9, zorder=3))
