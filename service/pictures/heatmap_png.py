"""``sensitivity.png``: what every option costs every layer, one grid for each option."""

from __future__ import annotations

from pathlib import Path

from service.pictures.grid import grid_of
from service.pictures.header import MARGIN, WIDTH, Header
from service.pictures.heat_scale import heat_scale
from service.pictures.heatmap import Heatmap
from service.pictures.heatmap_key import KEY_HEIGHT, draw_key
from service.pictures.heatmap_plot import draw_grids
from service.pictures.heatmap_shape import HeatShape
from service.pictures.replacement import replace_file
from service.pictures.sheet import Sheet

KEY_ABOVE, KEY_BELOW, BOTTOM = 0.1, 0.22, 0.4  # inches


def draw_heatmap_png(heatmap: Heatmap, path: Path) -> None:
    """Draw ``heatmap`` into ``path``, replacing the file whole.

    Raises:
        InputError: two layers claim one place.
    """
    width = WIDTH - 2 * MARGIN
    header = Header(title=heatmap.title, subtitle=heatmap.notes, lead=heatmap.lead)
    shape = HeatShape(grid=grid_of(heatmap.layers), num_grids=len(heatmap.drawn), width=width)
    scale = heat_scale(heatmap)
    key_top = header.height + KEY_ABOVE
    grids_top = key_top + KEY_HEIGHT + KEY_BELOW
    sheet = Sheet(width=WIDTH, height=grids_top + shape.height + BOTTOM)
    header.draw(sheet)
    draw_key(sheet.panel(left=MARGIN, top=key_top, width=width, height=KEY_HEIGHT), heatmap, scale)
    draw_grids(sheet.panel(left=MARGIN, top=grids_top, width=width, height=shape.height), shape, heatmap, scale)
    replace_file(path, sheet.png())
