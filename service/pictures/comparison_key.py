"""The key beside the panels of ``comparison.png``: what each mark is, best method first."""

from __future__ import annotations

from matplotlib.axes import Axes

from service.pictures.clipping import clip_end
from service.pictures.comparison import Comparison, Line
from service.pictures.comparison_marks import Mark, draw_line, draw_mark, marks_of
from service.pictures.palette import ANSWER, HAIRLINE, INK, MUTED
from service.pictures.sheet import write
from service.pictures.units import show_count

TEXT_X, RATIO_X, TOKENS_X = 0.46, 2.5, 3.28  # inches; numbers end at theirs
HEAD, TALLEST_ENTRY, SMALLEST_ENTRY = 0.42, 0.42, 0.2
NAME_COLUMNS = 21
NOTE_COLUMNS = 34
NOTE_BELOW = 0.15
NOTE_FROM = 0.3  # an entry lower than this has no second line


def draw_comparison_key(axes: Axes, comparison: Comparison, *, height: float) -> None:
    """Write the key from the top down; lines that do not fit in ``height`` inches are counted."""
    write(axes, TEXT_X, 0.1, "method", size=8, color=MUTED)
    write(axes, RATIO_X, 0.1, "÷ uniform*", size=8, color=MUTED, align="right")
    write(axes, TOKENS_X, 0.1, "tokens", size=8, color=MUTED, align="right")
    axes.plot([0, TOKENS_X], [0.24, 0.24], color=HAIRLINE, linewidth=0.8)
    lines, marks = comparison.ranked, marks_of(comparison)
    room = height - HEAD - 0.3
    step = min(TALLEST_ENTRY, max(SMALLEST_ENTRY, room / len(lines)))
    num_fitting = max(1, int(room / step + 1e-9))
    shown = lines if len(lines) <= num_fitting else lines[: num_fitting - 1]
    y = HEAD
    for line in shown:
        _draw_entry(axes, comparison, line, marks[line.name], y=y, has_note=step >= NOTE_FROM)
        y += step
    if len(shown) < len(lines):
        write(axes, TEXT_X, y, f"and {len(lines) - len(shown)} more", size=8, color=MUTED)
        y += step
    write(axes, 0, y + 0.02, "* geometric mean over the budgets where it holds", size=7.2, color=MUTED)


def _draw_entry(axes: Axes, comparison: Comparison, line: Line, mark: Mark, *, y: float, has_note: bool) -> None:
    draw_line(axes, [0.02, 0.32], [y, y], line, mark)
    draw_mark(axes, 0.17, y, mark)
    weight = "bold" if line.is_baseline else "normal"
    write(axes, TEXT_X, y, clip_end(line.name, NAME_COLUMNS), size=8.5, weight=weight)
    ratio = comparison.mean_ratio(line)
    shown = "–" if ratio is None else f"{ratio:.3f}"
    write(axes, RATIO_X, y, shown, size=8.5, color=INK, align="right")
    tokens = "–" if line.tokens is None else show_count(line.tokens)
    write(axes, TOKENS_X, y, tokens, size=8, color=MUTED, align="right")
    if line.broken and has_note:
        note = f"broken at {', '.join(point.budget for point in line.broken)}"
        write(axes, TEXT_X, y + NOTE_BELOW, clip_end(note, NOTE_COLUMNS), size=7.2, color=ANSWER)
