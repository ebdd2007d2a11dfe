"""``front.html``: one file with the front to explore, that needs no network and no server."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from math import isfinite
from pathlib import Path
from string import Template

from service.pictures.figure import Figure, Point
from service.pictures.grid import Grid, grid_of
from service.pictures.palette import TONES, tone_of
from service.pictures.replacement import replace_file
from service.pictures.units import size_unit

STATIC = files("service") / "static"
ECHARTS = STATIC / "vendor" / "echarts-6.1.0" / "echarts.min.js"
FRONT = STATIC / "front"
PROGRAM_PARTS = ("data.js", "chart.js", "strip.js", "table.js", "page.js")  # in the order they run

# Inside <script> a browser looks for "<" first, and older JavaScript ends lines at U+2028 and U+2029.
JSON_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def draw_page(figure: Figure, path: Path) -> None:
    """Write ``figure`` as one self-contained page into ``path``, replacing the file whole.

    Raises:
        InputError: a layer's place or option cannot be read.
    """
    chart_library = ECHARTS.read_text(encoding="utf-8")
    program = _program()
    template = Template((FRONT / "page.html").read_text(encoding="utf-8"))
    page = template.substitute(
        policy=_policy(chart_library, program),
        style=(FRONT / "page.css").read_text(encoding="utf-8"),
        chart_library=chart_library,
        program=program,
        data=embed(page_data(figure)),
        title=html.escape(figure.title),
        subtitle=html.escape("  ·  ".join(filter(None, (figure.subtitle, figure.dense_note)))),
        verdict=html.escape(figure.verdict),
    )
    replace_file(path, page.encode("utf-8"))


def embed(data: dict[str, object]) -> str:
    """``data`` as JSON that ends no ``<script>`` element, whatever the strings in it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(JSON_ESCAPES)


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
        "grid": _grid_data(grid_of(figure.layers)),
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
        "objective": _finite(point.objective),
        "se": _finite(point.objective_se),
        "is_front": point.is_front,
        "is_baseline": point.is_baseline,
        "is_answer": point.is_answer,
        "options": None if point.options is None else [number_of[slug] for slug in point.options],
    }


def _grid_data(grid: Grid) -> dict[str, object]:
    return {
        "rows": grid.rows,
        "num_block_rows": grid.num_block_rows,
        "columns": grid.columns,
        "cells": grid.cells,
    }


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: what is not finite becomes null."""
    return value if value is not None and isfinite(value) else None


def _program() -> str:
    """The page's own scripts as one, whose names stay out of the global scope."""
    parts = ((FRONT / name).read_text(encoding="utf-8") for name in PROGRAM_PARTS)
    return "\n".join(('(() => {"use strict";', *parts, "})();"))


def _policy(*scripts: str) -> str:
    """A content security policy that runs exactly ``scripts`` and lets the page fetch nothing."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {allowed}"
