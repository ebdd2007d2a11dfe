"""``comparison.png``: what methods reach at each size, beside each other and beside uniform."""

from __future__ import annotations

from pathlib import Path

from service.pictures.comparison import BAR_ERRORS, Comparison
from service.pictures.comparison_key import draw_comparison_key
from service.pictures.comparison_plot import draw_losses, draw_ratios
from service.pictures.header import MARGIN, WIDTH, Header
from service.pictures.palette import MUTED
from service.pictures.replacement import replace_file
from service.pictures.sheet import Sheet, write

LEFT, PANEL_WIDTH = 1.35, 7.35  # inches, as all lengths here
LOSSES_HEIGHT, RATIOS_HEIGHT = 4.3, 2.6
ABOVE, BETWEEN, BELOW = 0.75, 0.85, 1.05  # room for the axis labels
KEY_LEFT = 8.95


def draw_comparison_png(comparison: Comparison, path: Path) -> None:
    """Draw ``comparison`` into ``path``, replacing the file whole."""
    header = Header(title=comparison.title, subtitle=comparison.subtitle, lead=comparison.lead)
    losses_top = header.height + ABOVE
    ratios_top = losses_top + LOSSES_HEIGHT + BETWEEN
    panels_bottom = ratios_top + RATIOS_HEIGHT if comparison.baselines else losses_top + LOSSES_HEIGHT
    sheet = Sheet(width=WIDTH, height=panels_bottom + BELOW)
    header.draw(sheet)
    draw_losses(sheet.axes(left=LEFT, top=losses_top, width=PANEL_WIDTH, height=LOSSES_HEIGHT), comparison)
    if comparison.baselines:
        draw_ratios(sheet.axes(left=LEFT, top=ratios_top, width=PANEL_WIDTH, height=RATIOS_HEIGHT), comparison)
    key_height = panels_bottom - losses_top
    key = sheet.panel(left=KEY_LEFT, top=losses_top, width=WIDTH - KEY_LEFT, height=key_height)
    draw_comparison_key(key, comparison, height=key_height)
    foot = sheet.panel(left=MARGIN, top=panels_bottom + BELOW - 0.42, width=WIDTH - 2 * MARGIN, height=0.3)
    write(foot, 0, 0.1, foot_note(comparison), size=8, color=MUTED)
    replace_file(path, sheet.png())


def foot_note(comparison: Comparison) -> str:
    """What bars and ratios are."""
    bars = f"Bars reach {BAR_ERRORS:g} standard errors up and down"
    if not comparison.baselines:
        return f"{bars}; nothing to divide by: no baseline has a finite loss above zero."
    return f"{bars}; those of the ratios come from the difference to uniform, paired on the same sequences."
