"""``strip.png``: which option each layer of one configuration got, alone on a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from service.pictures.clipping import clip_end
from service.pictures.figure import Layer
from service.pictures.grid import grid_of
from service.pictures.header import MARGIN, TITLE_COLUMNS, WIDTH
from service.pictures.replacement import replace_file
from service.pictures.sheet import Sheet, write
from service.pictures.strip_plot import StripShape, draw_strip

TITLE_HEIGHT = 0.75  # inches


def draw_strip_png(layers: Sequence[Layer], options: Sequence[str], title: str, path: Path) -> None:
    """Draw the layers with the slugs of their options into ``path``.

    Raises:
        InputError: a layer's place or option cannot be read.
    """
    shape = StripShape(grid=grid_of(tuple(layers)), width=WIDTH - 2 * MARGIN)
    sheet = Sheet(width=WIDTH, height=TITLE_HEIGHT + shape.height + 0.3)
    panel = sheet.panel(left=MARGIN, top=0.0, width=WIDTH - 2 * MARGIN, height=TITLE_HEIGHT)
    write(panel, 0, TITLE_HEIGHT * 0.6, clip_end(title, TITLE_COLUMNS), size=13, weight="bold")
    strip = sheet.panel(left=MARGIN, top=TITLE_HEIGHT, width=WIDTH - 2 * MARGIN, height=shape.height)
    draw_strip(strip, shape, tuple(options))
    replace_file(path, sheet.png())
