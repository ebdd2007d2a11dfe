"""``comparison.html``: the panels of a comparison to point at, and its table to sort, in one offline file."""

from __future__ import annotations

from pathlib import Path

from service.pictures.comparison import BAR_ERRORS, Comparison, ComparisonPoint, Line
from service.pictures.comparison_marks import Mark, marks_of
from service.pictures.comparison_plot import is_log, ratio_spots
from service.pictures.comparison_png import foot_note
from service.pictures.offline_page import PageKind, finite, write_page
from service.pictures.units import size_unit

COMPARISON_PAGE = PageKind(
    content="comparison/content.html",
    styles=("base/page.css", "comparison/page.css"),
    scripts=(
        "base/data.js",
        "base/marks.js",
        "base/axes.js",
        "base/sortable.js",
        "comparison/data.js",
        "comparison/losses.js",
        "comparison/ratios.js",
        "comparison/legend.js",
        "comparison/table.js",
        "comparison/page.js",
    ),
)


def draw_comparison_page(comparison: Comparison, path: Path) -> None:
    """Write ``comparison`` as one self-contained page into ``path``, replacing the file whole."""
    write_page(
        COMPARISON_PAGE,
        path,
        title=comparison.title,
        subtitle=comparison.subtitle,
        lead=comparison.lead,
        data=comparison_data(comparison),
    )


def comparison_data(comparison: Comparison) -> dict[str, object]:
    """What the scripts of the page read: lines best first, a broken loss as null."""
    unit = size_unit(point.size_bytes for point in comparison.drawn)
    marks = marks_of(comparison)
    places = {id(point): place for _, point, place in ratio_spots(comparison)}
    return {
        "objective_name": comparison.objective_name,
        "is_log": is_log(comparison),
        "unit": {"name": unit.name, "bytes": unit.num_bytes},
        "bar_errors": BAR_ERRORS,
        "foot": foot_note(comparison),
        "budgets": [budget for budget in comparison.budgets if budget in comparison.baselines],
        "budget_order": comparison.budgets,
        "lines": [_line_data(comparison, line, marks[line.name], places) for line in comparison.ranked],
    }


def _line_data(comparison: Comparison, line: Line, mark: Mark, places: dict[int, float]) -> dict[str, object]:
    return {
        "name": line.name,
        "is_baseline": line.is_baseline,
        "mark": {"color": mark.color, "shape": mark.shape, "is_filled": mark.is_filled},
        "mean_ratio": comparison.mean_ratio(line),
        "tokens": line.tokens,
        "points": [_point_data(comparison, point, places.get(id(point))) for point in line.points],
    }


def _point_data(comparison: Comparison, point: ComparisonPoint, place: float | None) -> dict[str, object]:
    return {
        "id": point.configuration_id,
        "budget": point.budget,
        "size_bytes": point.size_bytes,
        "bits": point.bits_per_weight,
        "nominal_bits": point.nominal_bits_per_weight,
        "loss": finite(point.loss),
        "se": finite(point.loss_se),
        "ratio": comparison.ratio(point),
        "ratio_se": finite(comparison.ratio_se(point)),
        "difference": finite(point.difference),
        "difference_se": finite(point.difference_se),
        "tokens": point.tokens,
        "note": point.note,
        "place": place,
    }
