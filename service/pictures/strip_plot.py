"""The lower part of ``front.png``: which option each layer got, as a strip of cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from service.pictures.grid import Grid
from service.pictures.palette import DROP, HAIRLINE, INK, MUTED, PAPER, TONES, Tone, tone_of
from service.pictures.sheet import write

LABEL_WIDTH = 1.5  # inches, as all lengths here
HEADER, LEGEND, OUTSIDE_GAP = 0.34, 0.62, 0.16
WIDEST_CELL, TALLEST_CELL = 0.82, 0.29
TALLEST_GRID = 8.0  # a mixture of experts has hundreds of rows: they get thinner
SMALLEST_TEXT_CELL = 0.155
SMALLEST_LABEL_STEP = 0.3


@dataclass(frozen=True, kw_only=True)
class StripShape:
    """The measures of a strip that fills ``width`` inches at most."""

    grid: Grid
    width: float

    @property
    def cell_width(self) -> float:
        return min(WIDEST_CELL, (self.width - LABEL_WIDTH) / self.grid.num_columns)

    @property
    def cell_height(self) -> float:
        return min(TALLEST_CELL, TALLEST_GRID / len(self.grid.rows))

    @property
    def height(self) -> float:
        return self.row_top(len(self.grid.rows) - 1) + self.cell_height + LEGEND

    def width_in(self, row: int) -> float:
        """The width of the row's cells: outside the blocks there is room for a character."""
        return self.cell_width if row < self.grid.num_block_rows else max(self.cell_width, WIDEST_CELL / 2)

    def row_top(self, row: int) -> float:
        gap = OUTSIDE_GAP if row >= self.grid.num_block_rows > 0 else 0.0
        return HEADER + row * self.cell_height + gap


def draw_strip(axes: Axes, shape: StripShape, options: tuple[str, ...]) -> None:
    """Draw one cell per layer, coloured by its option, with row, column and colour labels."""
    tones = [tone_of(slug) for slug in options]
    _label_rows(axes, shape)
    _label_columns(axes, shape)
    _draw_cells(axes, shape, tones)
    _draw_legend(axes, Counter(tones), y=shape.height - LEGEND / 2)


def label_step(spacing: float, smallest: float) -> int:
    """The least of 1, 2, 5, 10, 20, ... such that labels that many apart have ``smallest`` inches."""
    steps = (factor * power for power in (1, 10, 100, 1000) for factor in (1, 2, 5))
    return next(step for step in steps if step * spacing >= smallest)


def _label_rows(axes: Axes, shape: StripShape) -> None:
    step = label_step(shape.cell_height, SMALLEST_TEXT_CELL)
    for row, label in list(enumerate(shape.grid.rows))[::step]:
        y = shape.row_top(row) + shape.cell_height / 2
        shown = label if len(label) <= 21 else f"…{label[-20:]}"
        write(axes, LABEL_WIDTH - 0.14, y, shown, size=8, color=INK, align="right")


def _label_columns(axes: Axes, shape: StripShape) -> None:
    if not shape.grid.columns:
        return
    write(axes, LABEL_WIDTH - 0.14, HEADER - 0.13, "block", size=8, color=MUTED, align="right")
    step = label_step(shape.cell_width, SMALLEST_LABEL_STEP)
    for column, block in list(enumerate(shape.grid.columns))[::step]:
        x = LABEL_WIDTH + (column + 0.5) * shape.cell_width
        write(axes, x, HEADER - 0.13, str(block), size=8, color=MUTED, align="center")


def _draw_cells(axes: Axes, shape: StripShape, tones: list[Tone]) -> None:
    sizes = [(shape.width_in(row), shape.cell_height) for row, _ in shape.grid.cells]
    gap = 0.9 if shape.cell_width >= SMALLEST_TEXT_CELL else 0.35
    corners = [(LABEL_WIDTH + column * shape.cell_width, shape.row_top(row)) for row, column in shape.grid.cells]
    axes.add_collection(
        PatchCollection(
            [Rectangle(corner, *size) for corner, size in zip(corners, sizes, strict=True)],
            facecolors=[tone.fill for tone in tones],
            edgecolors=PAPER,
            linewidths=gap,
        )
    )
    for (x, y), size, tone in zip(corners, sizes, tones, strict=True):
        if tone is DROP:
            axes.add_patch(_outline(x, y, size))
        if min(size) >= SMALLEST_TEXT_CELL:
            write(axes, x + size[0] / 2, y + size[1] / 2, tone.mark, size=7.5, color=tone.ink, align="center")


def _outline(x: float, y: float, size: tuple[float, float]) -> Rectangle:
    """A dropped part: an empty box, drawn inside its cell."""
    inset = min(0.02, min(size) / 6)
    return Rectangle(
        (x + inset, y + inset),
        size[0] - 2 * inset,
        size[1] - 2 * inset,
        facecolor=PAPER,
        edgecolor=HAIRLINE,
        linewidth=0.8,
    )


def _draw_legend(axes: Axes, count: Counter[Tone], *, y: float) -> None:
    x = LABEL_WIDTH
    for tone in (tone for tone in TONES if count[tone]):
        axes.add_patch(Rectangle((x, y - 0.09), 0.24, 0.18, facecolor=tone.fill, edgecolor=HAIRLINE, linewidth=0.6))
        write(axes, x + 0.12, y, tone.mark, size=7, color=tone.ink, align="center")
        label = f"{tone.name} · {count[tone]:,}"
        write(axes, x + 0.33, y, label, size=8, color=INK)
        x += 0.33 + 0.075 * len(label) + 0.28
