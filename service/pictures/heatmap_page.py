"""``sensitivity.html``: the grids of a heat map to point at, and its table to sort, in one offline file."""

from __future__ import annotations

from math import inf
from pathlib import Path

from service.pictures.grid import grid_of
from service.pictures.heat_scale import HEAT_STOPS, HeatScale, heat_scale
from service.pictures.heatmap import NOISE_ERRORS, Heatmap
from service.pictures.heatmap_key import lowest_note, tick_label
from service.pictures.heatmap_shape import lies_across
from service.pictures.offline_page import PageKind, finite, write_page
from service.pictures.page import grid_data

SENSITIVITY_PAGE = PageKind(
    content="sensitivity/content.html",
    styles=("base/page.css", "sensitivity/page.css"),
    scripts=(
        "base/data.js",
        "base/axes.js",
        "base/sortable.js",
        "sensitivity/colours.js",
        "sensitivity/grids.js",
        "sensitivity/chosen.js",
        "sensitivity/table.js",
        "sensitivity/page.js",
    ),
)


def draw_heatmap_page(heatmap: Heatmap, path: Path) -> None:
    """Write ``heatmap`` as one self-contained page into ``path``, replacing the file whole.

    Raises:
        InputError: two layers claim one place.
    """
    write_page(
        SENSITIVITY_PAGE,
        path,
        title=heatmap.title,
        subtitle=heatmap.notes,
        lead=heatmap.lead,
        data=heatmap_data(heatmap),
    )


def heatmap_data(heatmap: Heatmap) -> dict[str, object]:
    """What the scripts of the page read. A cost is a number, null (not open) or ``"closed"`` (infinite)."""
    grid = grid_of(heatmap.layers)
    costliest = heatmap.costliest(heatmap.drawn[0])
    return {
        "unit": heatmap.unit,
        "noise_errors": NOISE_ERRORS,
        "layers": [{"name": layer.name, "num_weights": layer.num_weights} for layer in heatmap.layers],
        "options": heatmap.options,
        "drawn": heatmap.drawn,
        "costs": [["closed" if cost == inf else cost for cost in row] for row in heatmap.costs],
        "errors": None if heatmap.errors is None else [[finite(error) for error in row] for row in heatmap.errors],
        "bits": heatmap.bits,
        "grid": grid_data(grid),
        "is_across": lies_across(grid, len(heatmap.drawn)),
        "stops": HEAT_STOPS,
        "scale": _scale_data(heat_scale(heatmap)),
        "own_scales": [_scale_data(heat_scale(heatmap, (option,))) for option in heatmap.drawn],
        "chosen": costliest[0] if costliest else 0,
    }


def _scale_data(scale: HeatScale | None) -> dict[str, object] | None:
    if scale is None:
        return None
    ticks = [{"label": tick_label(tick), "at": scale.position(tick)} for tick in scale.ticks]
    return {"low": scale.low, "high": scale.high, "ticks": ticks, "lowest": lowest_note(scale)}
