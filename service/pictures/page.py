"""``front.html``: one file with the front to explore, that needs no network and no server."""

from __future__ import annotations

from pathlib import Path

from service.pictures.figure import Figure, Point
from service.pictures.grid import Grid, grid_of
from service.pictures.offline_page import ECHARTS, PageKind, embed, finite, write_page
from service.pictures.palette import TONES, tone_of
from service.pictures.units import size_unit

__all__ = ["ECHARTS", "draw_page", "embed", "page_data"]

FRONT_PAGE = PageKind(
    content="front/content.html",
    styles=("base/page.css", "front/page.css"),
    scripts=(
        "base/data.js",
        "base/marks.js",
        "base/axes.js",
        "base/sortable.js",
        "front/data.js",
        "front/chart.js",
        "front/strip.js",
        "front/table.js",
        "front/page.js",
    ),
)


def draw_page(figure: Figure, path: Path) -> None:
    """Write ``figure`` as one self-contained page into ``path``, replacing the file whole.

    Raises:
        InputError: a layer's place or option cannot be read.
    """
    write_page(
        FRONT_PAGE,
        path,
        title=figure.title,
        subtitle="  ·  ".join(filter(None, (figure.subtitle, figure.dense_note))),
        lead=figure.verdict,
        data=page_data(figure),
    )


def page_data(figure: Figure) -> dict[str, object]:
    """What ``data.js`` reads. Options are written once, and points refer to them by number."""
    unit = size_unit(point.size_bytes for point in figure.drawn)
    slugs = sorted({slug for point in figure.points for slug in point.options or ()})
    number_of = {slug: number for number, slug in enumerate(slugs)}
    return {
        "objective_name": figure.objective_name,
        "budget": {"label": figure.budget_label, "size_bytes": figure.budget_size_bytes},
        "unit": {"name": unit.name, "bytes": unit.num_bytes},
        "points": [_point_data(point, number_of) for point in figure.points],
        "shown": figure.points.index(figure.shown),
        "layers": [{"name": layer.name, "num_weights": layer.num_weights} for layer in figure.layers],
        "grid": grid_data(grid_of(figure.layers)),
        "slugs": slugs,
        "tone_of_slug": [TONES.index(tone_of(slug)) for slug in slugs],
        "tones": [{"name": tone.name, "mark": tone.mark, "fill": tone.fill, "ink": tone.ink} for tone in TONES],
    }


def _point_data(point: Point, number_of: dict[str, int]) -> dict[str, object]:
    return {
        "id": point.configuration_id,
        "label": point.label,
        "size_bytes": point.size_bytes,
        "bits": point.bits_per_weight,
        "nominal_bits": point.nominal_bits_per_weight,
        "objective": finite(point.objective),
        "se": finite(point.objective_se),
        "is_front": point.is_front,
        "is_baseline": point.is_baseline,
        "is_answer": point.is_answer,
        "budget": point.budget,
        "options": None if point.options is None else [number_of[slug] for slug in point.options],
    }


def grid_data(grid: Grid) -> dict[str, object]:
    return {
        "rows": grid.rows,
        "num_block_rows": grid.num_block_rows,
        "columns": grid.columns,
        "cells": grid.cells,
    }
