"""The head of every PNG picture: title, quiet subtitle, and what the reader should take away."""

from __future__ import annotations

from dataclasses import dataclass

from service.pictures.clipping import clip_end, wrap
from service.pictures.palette import INK, MUTED
from service.pictures.sheet import Sheet, write

WIDTH, MARGIN = 12.5, 0.55  # inches, as all lengths here
TITLE_COLUMNS, SUBTITLE_COLUMNS, LEAD_COLUMNS = 80, 150, 132  # characters that the width holds
LEAD_TOP, LEAD_LINE = 1.1, 0.24


@dataclass(frozen=True, kw_only=True)
class Header:
    """Says what a picture is and what follows from it."""

    title: str
    subtitle: str
    lead: str

    @property
    def lines(self) -> list[str]:
        return wrap(self.lead, LEAD_COLUMNS)

    @property
    def height(self) -> float:
        return LEAD_TOP + LEAD_LINE * len(self.lines)

    def draw(self, sheet: Sheet) -> None:
        panel = sheet.panel(left=MARGIN, top=0, width=WIDTH - 2 * MARGIN, height=self.height)
        write(panel, 0, 0.52, clip_end(self.title, TITLE_COLUMNS), size=17, weight="bold")
        write(panel, 0, 0.84, clip_end(self.subtitle, SUBTITLE_COLUMNS), size=9.5, color=MUTED)
        for number, line in enumerate(self.lines):
            write(panel, 0, LEAD_TOP + 0.1 + LEAD_LINE * number, line, size=11, color=INK)
