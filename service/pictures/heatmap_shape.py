"""Where every grid and cell of a heat map stands on paper."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import NamedTuple

from service.pictures.clipping import clip_start
from service.pictures.grid import Grid

WIDEST_CELL, SMALLEST_CELL = 0.34, 0.14  # inches, as all lengths here; across
TALLEST_CELL, TALLEST_GRID = 0.23, 4.6
LABELS_LEFT, GAP_ACROSS, GAP_DOWN = 0.62, 0.34, 0.34
TITLE, TITLE_GAP = 0.4, 0.08
CHARACTER = 0.06  # of a small label
LABEL_COLUMNS = 18  # a longer label is cut
OUTSIDE_GAP, SMALLEST_BAR = 0.09, 0.12
FEW_COLUMNS = 18  # of all grids together, with two for each gap: below, blocks go across


class Box(NamedTuple):
    """A rectangle of a grid, from the corner of that grid's cells."""

    left: float
    top: float
    width: float
    height: float


def lies_across(grid: Grid, num_grids: int) -> bool:
    """Whether blocks go from left to right: few narrow grids would leave the width empty otherwise."""
    return num_grids * (grid.num_block_rows + 2) <= FEW_COLUMNS and len(grid.columns) > grid.num_block_rows


@dataclass(frozen=True, kw_only=True)
class HeatShape:
    """The measures of ``num_grids`` equal grids within ``width`` inches.

    In each, blocks go down and modules go right, or the other way round where that fills the width better;
    a layer outside the blocks is a bar below.
    """

    grid: Grid
    num_grids: int
    width: float

    @cached_property
    def is_across(self) -> bool:
        return lies_across(self.grid, self.num_grids)

    @cached_property
    def right_labels(self) -> tuple[str, ...]:
        return self._blocks if self.is_across else self._modules

    @cached_property
    def down_labels(self) -> tuple[str, ...]:
        return self._modules if self.is_across else self._blocks

    @cached_property
    def outside_labels(self) -> tuple[str, ...]:
        return tuple(clip_start(name, LABEL_COLUMNS) for name in self.grid.rows[self.grid.num_block_rows :])

    @property
    def _blocks(self) -> tuple[str, ...]:
        return tuple(map(str, self.grid.columns))

    @property
    def _modules(self) -> tuple[str, ...]:
        return tuple(clip_start(name, LABEL_COLUMNS) for name in self.grid.rows[: self.grid.num_block_rows])

    @cached_property
    def labels_left(self) -> float:
        longest = max(len(label) for label in (*self.down_labels, *self.outside_labels))
        return max(LABELS_LEFT, longest * CHARACTER + 0.16)

    @cached_property
    def labels_above(self) -> float:
        if self.is_across or not self.right_labels:
            return 0.2
        return max(map(len, self.right_labels)) * CHARACTER + 0.1

    @cached_property
    def num_right(self) -> int:
        return max(1, len(self.right_labels))

    @cached_property
    def grids_in_row(self) -> int:
        """As many as fit, spread evenly over the rows."""
        narrowest = self.num_right * SMALLEST_CELL + GAP_ACROSS
        fitting = max(1, int((self.width - self.labels_left + GAP_ACROSS) / narrowest))
        num_rows = ceil(self.num_grids / fitting)
        return ceil(self.num_grids / num_rows)

    @cached_property
    def grid_width(self) -> float:
        room = (self.width - self.labels_left + GAP_ACROSS) / self.grids_in_row - GAP_ACROSS
        widest = WIDEST_CELL * (2 if self.is_across else 1)
        return min(room, max(1.6, self.num_right * widest))

    @cached_property
    def cell_height(self) -> float:
        return min(TALLEST_CELL, TALLEST_GRID / max(1, len(self.down_labels)))

    @cached_property
    def bar_height(self) -> float:
        num_bars = len(self.outside_labels)
        return min(TALLEST_CELL, max(self.cell_height, SMALLEST_BAR), TALLEST_GRID / max(1, num_bars))

    @cached_property
    def cells_height(self) -> float:
        return self.bar_top(len(self.outside_labels))

    def bar_top(self, number: int) -> float:
        blocks = len(self.down_labels) * self.cell_height
        gap = OUTSIDE_GAP if self.down_labels and self.outside_labels else 0.0
        return blocks + gap + number * self.bar_height

    @cached_property
    def above_cells(self) -> float:
        return TITLE + self.labels_above + TITLE_GAP

    @property
    def height(self) -> float:
        num_rows = ceil(self.num_grids / self.grids_in_row)
        return num_rows * (self.above_cells + self.cells_height + GAP_DOWN) - GAP_DOWN

    def corner(self, number: int) -> tuple[float, float]:
        """The top left corner of the cells of a grid."""
        row, column = divmod(number, self.grids_in_row)
        left = self.labels_left + column * (self.grid_width + GAP_ACROSS)
        return left, row * (self.above_cells + self.cells_height + GAP_DOWN) + self.above_cells

    def box(self, layer: int) -> Box:
        """The cell of a layer, from the corner."""
        row, column = self.grid.cells[layer]
        if row >= self.grid.num_block_rows:
            return Box(0.0, self.bar_top(row - self.grid.num_block_rows), self.grid_width, self.bar_height)
        right, down = (column, row) if self.is_across else (row, column)
        width = self.grid_width / self.num_right
        return Box(right * width, down * self.cell_height, width, self.cell_height)
