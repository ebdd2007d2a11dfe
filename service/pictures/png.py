"""``front.png``: the front, the baselines and the answer over the choices made for each layer."""

from __future__ import annotations

from pathlib import Path

from service.pictures.figure import Figure
from service.pictures.front_plot import draw_front
from service.pictures.grid import grid_of
from service.pictures.header import MARGIN, WIDTH, Header
from service.pictures.key_panel import draw_key
from service.pictures.palette import MUTED
from service.pictures.replacement import replace_file
from service.pictures.sheet import Sheet, write
from service.pictures.strip_plot import StripShape, draw_strip

FRONT_LEFT, FRONT_WIDTH, FRONT_HEIGHT = 1.35, 7.35, 4.3  # inches, as all lengths here
FRONT_ABOVE, FRONT_BELOW = 0.75, 0.85  # room for the axis labels
KEY_LEFT = 9.0
STRIP_TITLE = 0.35


def draw_png(figure: Figure, path: Path) -> None:
    """Draw ``figure`` into ``path``, replacing the file whole.

    Raises:
        InputError: a layer's place or option cannot be read.
    """
    header = _header(figure)
    strip = _strip_shape(figure)
    front_top = header.height + FRONT_ABOVE
    strip_top = front_top + FRONT_HEIGHT + FRONT_BELOW
    sheet = Sheet(width=WIDTH, height=strip_top + STRIP_TITLE + (strip.height if strip else 0.3) + 0.35)
    header.draw(sheet)
    front = sheet.axes(left=FRONT_LEFT, top=front_top, width=FRONT_WIDTH, height=FRONT_HEIGHT)
    draw_front(front, figure)
    key_height = FRONT_HEIGHT + 0.5
    key = sheet.panel(left=KEY_LEFT, top=front_top, width=WIDTH - KEY_LEFT, height=key_height)
    draw_key(key, figure, height=key_height)
    _write_strip(sheet, figure, strip, top=strip_top)
    replace_file(path, sheet.png())


def _strip_shape(figure: Figure) -> StripShape | None:
    """The strip's measures, or None where there are no choices to show."""
    if figure.shown.options is None or not figure.layers:
        return None
    return StripShape(grid=grid_of(figure.layers), width=WIDTH - 2 * MARGIN)


def _header(figure: Figure) -> Header:
    budget = f"budget: {figure.budget_label}" if figure.budget_size_bytes is None else ""  # else in the key
    notes = (figure.subtitle, budget, figure.dense_note, _broken_note(figure))
    return Header(title=figure.title, subtitle="  ·  ".join(note for note in notes if note), lead=figure.verdict)


def _broken_note(figure: Figure) -> str:
    """Say how many points have no place on the axes, if any."""
    num_broken = len(figure.points) - len(figure.drawn)
    return f"{num_broken:,} without a finite objective not drawn" if num_broken else ""


def _write_strip(sheet: Sheet, figure: Figure, strip: StripShape | None, *, top: float) -> None:
    shown = figure.shown
    width = WIDTH - 2 * MARGIN
    title = sheet.panel(left=MARGIN, top=top, width=width, height=STRIP_TITLE)
    if strip is None or shown.options is None:
        write(title, 0, 0.12, "The choices of the layers were not kept.", size=9.5, color=MUTED)
        return
    whose = f"answer at {shown.budget}" if shown.budget else "answer" if shown.is_answer else "best configuration"
    write(title, 0, 0.12, f"What each layer became in the {whose}: {shown.label}", size=11, weight="bold")
    panel = sheet.panel(left=MARGIN, top=top + STRIP_TITLE, width=width, height=strip.height)
    draw_strip(panel, strip, shown.options)
