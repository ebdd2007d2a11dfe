"""The key beside the front of ``front.png``: what each mark is, and the numbers behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes

from service.pictures.figure import Figure, Point
from service.pictures.front_plot import Marker, markers_of
from service.pictures.palette import ANSWER, CANDIDATE, FRONT, INK, MUTED
from service.pictures.sheet import write
from service.pictures.units import SizeUnit, show_objective, size_unit

MARK_X, TEXT_X = 0.16, 0.42  # inches from the panel's left edge
NUMBERS_X = 1.25  # of the numbers beside the budgets of several answers
LINE, ENTRY, GAP = 0.24, 0.45, 0.14  # inches: a one-line entry, a two-line entry, between groups
ANSWER_LINE = 0.17  # inches: one of several answers
NOTE_BELOW = 0.18  # from an entry's first line to its second
LABEL_CHARACTERS, NOTE_CHARACTERS = 38, 48  # what the panel's width holds
BUDGET_CHARACTERS = 14  # what fits before the numbers


def draw_key(axes: Axes, figure: Figure, *, height: float) -> None:
    """Write the key from the top down; baselines that do not fit in ``height`` inches are counted."""
    y = _draw_lines(axes, figure, y=0.12) + GAP
    unit = size_unit(point.size_bytes for point in figure.drawn)
    marked = list(zip(figure.marked, markers_of(figure.marked), strict=True))
    if len(figure.answers) > 1:
        y = _draw_answers(axes, marked[: len(figure.answers)], unit, y=y, until=height - 2 * ENTRY) + GAP
        marked = marked[len(figure.answers) :]
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


def _draw_answers(
    axes: Axes, answers: Sequence[tuple[Point, Marker]], unit: SizeUnit, *, y: float, until: float
) -> float:
    """One line for each answer, from ``y`` down; what does not fit above ``until`` is counted."""
    write(axes, TEXT_X, y, f"{len(answers)} answers, each with its budget", size=8.5, color=ANSWER, weight="bold")
    _draw_marker(axes, answers[0][1], y=y)
    num_fitting = max(1, int((until - y) / ANSWER_LINE) - 1)
    for point, _ in answers[:num_fitting]:
        y += ANSWER_LINE
        numbers = f"{unit.show(point.size_bytes)}  ·  {show_objective(point.objective, point.objective_se)}"
        budget = textwrap.shorten(point.budget, BUDGET_CHARACTERS, placeholder=" …")
        write(axes, TEXT_X, y, budget, size=7.2, color=ANSWER)
        write(axes, NUMBERS_X, y, numbers, size=7.2, color=MUTED)
    if len(answers) > num_fitting:
        y += ANSWER_LINE
        write(axes, TEXT_X, y, f"and {len(answers) - num_fitting} more", size=7.2, color=MUTED)
    return y + ANSWER_LINE


def _draw_marker(axes: Axes, marker: Marker, *, y: float) -> None:
    axes.plot(
        MARK_X,
        y,
        marker.shape,
        markersize=marker.size * 0.9,
        color=marker.fill,
        markeredgecolor=marker.edge,
        markeredgewidth=1.2,
    )


def _draw_entry(axes: Axes, point: Point, marker: Marker, unit: SizeUnit, *, y: float) -> None:
    _draw_marker(axes, marker, y=y + 0.08)
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
