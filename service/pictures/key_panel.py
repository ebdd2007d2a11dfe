"""The key beside the front of ``front.png``: what each mark is, and the numbers behind it."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes

from service.pictures.figure import Figure, Point
from service.pictures.front_plot import Marker, markers_of
from service.pictures.palette import ANSWER, CANDIDATE, FRONT, INK, MUTED
from service.pictures.sheet import write
from service.pictures.units import SizeUnit, show_objective, size_unit

MARK_X, TEXT_X = 0.16, 0.42  # inches from the panel's left edge
LINE, ENTRY, GAP = 0.24, 0.45, 0.14  # inches: a one-line entry, a two-line entry, between groups
NOTE_BELOW = 0.18  # from an entry's first line to its second
LABEL_CHARACTERS, NOTE_CHARACTERS = 38, 48  # what the panel's width holds


def draw_key(axes: Axes, figure: Figure, *, height: float) -> None:
    """Write the key from the top down; baselines that do not fit in ``height`` inches are counted."""
    y = _draw_lines(axes, figure, y=0.12) + GAP
    unit = size_unit(point.size_bytes for point in figure.drawn)
    marked = list(zip(figure.marked, markers_of(figure.marked), strict=True))
    num_fitting = max(1, int((height - y) / ENTRY))
    is_cut = len(marked) > num_fitting
    for point, marker in marked[: num_fitting - 1 if is_cut else None]:
        _draw_entry(axes, point, marker, unit, y=y)
        y += ENTRY
    if is_cut:
        write(axes, TEXT_X, y, f"and {len(marked) - num_fitting + 1} more", size=8, color=MUTED)


def _draw_lines(axes: Axes, figure: Figure, *, y: float) -> float:
    """Explain dots and lines, from ``y`` down; return where the next entry goes."""
    num_candidates = sum(not point.is_marked for point in figure.drawn)
    if num_candidates:
        axes.plot(MARK_X, y, "o", color=CANDIDATE, markersize=5)
        others = f"{num_candidates:,} {_plural('configuration', num_candidates)} of the search"
        write(axes, TEXT_X, y, others, size=8.5)
        y += LINE
    if figure.front:
        axes.plot([0.04, 0.28], [y, y], "-", color=FRONT, linewidth=1.6)
        axes.plot(MARK_X, y, "o", color=FRONT, markersize=4.2)
        num_front = len(figure.front)
        write(axes, TEXT_X, y, f"front, {num_front:,} {_plural('point', num_front)}", size=8.5)
        y += LINE
    if figure.budget_size_bytes is not None:
        axes.plot([MARK_X, MARK_X], [y - 0.04, y + 0.22], color=MUTED, linewidth=1.1, dashes=(3, 2))
        write(axes, TEXT_X, y, "budget", size=8.5)
        note = textwrap.shorten(figure.budget_label, NOTE_CHARACTERS, placeholder=" …")
        write(axes, TEXT_X, y + NOTE_BELOW, note, size=7.2, color=MUTED)
        y += ENTRY
    return y


def _draw_entry(axes: Axes, point: Point, marker: Marker, unit: SizeUnit, *, y: float) -> None:
    axes.plot(
        MARK_X,
        y + 0.08,
        marker.shape,
        markersize=marker.size * 0.9,
        color=marker.fill,
        markeredgecolor=marker.edge,
        markeredgewidth=1.2,
    )
    role = "answer: " if point.is_answer else ""
    color, weight = (ANSWER, "bold") if point.is_answer else (INK, "normal")
    write(
        axes,
        TEXT_X,
        y,
        textwrap.shorten(role + point.label, LABEL_CHARACTERS, placeholder=" …"),
        size=8.5,
        color=color,
        weight=weight,
    )
    numbers = (
        f"{unit.show(point.size_bytes)}  ·  {point.nominal_bits_per_weight:.2f} nominal bits"
        f"  ·  {show_objective(point.objective, point.objective_se)}"
    )
    write(axes, TEXT_X, y + NOTE_BELOW, numbers, size=7.2, color=MUTED)


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
