"""Where each layer stands in a strip: one row per module, one column per block, the rest below."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from service.pictures.figure import Layer
from spaces.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The rows and columns of a strip, and the cell of every layer.

    The first ``num_block_rows`` rows hold what is inside blocks; each later row holds one layer outside
    them, in column 0.
    """

    rows: tuple[str, ...]
    num_block_rows: int
    columns: tuple[int, ...]  # block numbers
    cells: tuple[tuple[int, int], ...]  # (row, column) of each layer, in the order of the layers

    @property
    def num_columns(self) -> int:
        """Columns to leave room for: one even where every layer is outside the blocks."""
        return max(1, len(self.columns))


def grid_of(layers: tuple[Layer, ...]) -> Grid:
    """Arrange ``layers``: modules in order of first appearance, blocks by number.

    Raises:
        InputError: two layers claim one cell.
    """
    modules = tuple(dict.fromkeys(layer.module for layer in layers if layer.block is not None))
    outside = tuple(layer.name for layer in layers if layer.block is None)
    columns = tuple(sorted({layer.block for layer in layers if layer.block is not None}))
    row_of = {module: row for row, module in enumerate(modules)}
    column_of = {block: column for column, block in enumerate(columns)}
    outside_row = {name: len(modules) + row for row, name in enumerate(outside)}
    cells = tuple(
        (outside_row[layer.name], 0) if layer.block is None else (row_of[layer.module], column_of[layer.block])
        for layer in layers
    )
    _check_distinct(layers, cells)
    return Grid(
        rows=(*_short_names(modules), *_short_names(outside)),
        num_block_rows=len(modules),
        columns=columns,
        cells=cells,
    )


def _short_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The last part of each dotted name, or all of it where two would read the same."""
    last_parts = [name.rpartition(".")[2] for name in names]
    count = Counter(last_parts)
    return tuple(last if count[last] == 1 else name for name, last in zip(names, last_parts, strict=True))


def _check_distinct(layers: tuple[Layer, ...], cells: tuple[tuple[int, int], ...]) -> None:
    taken: dict[tuple[int, int], Layer] = {}
    for layer, cell in zip(layers, cells, strict=True):
        if cell in taken:
            raise InputError(
                f"each layer needs its own block and module, got {taken[cell].name} and {layer.name} "
                f"both as {layer.module} of block {layer.block}; name their modules apart"
            )
        taken[cell] = layer
