"""The key of ``sensitivity.png``: the colour bar, and what the marks in the cells mean."""

from __future__ import annotations

from math import inf

from matplotlib.axes import Axes

from service.pictures.heat_scale import HeatScale, heat_fill
from service.pictures.heatmap import NOISE_ERRORS, Heatmap
from service.pictures.heatmap_plot import MISSING, draw_sample
from service.pictures.heatmap_shape import Box
from service.pictures.palette import HAIRLINE, INK, MUTED, PAPER
from service.pictures.sheet import write

KEY_HEIGHT = 0.8  # inches, as all lengths here
BAR = Box(0.0, 0.22, 4.4, 0.17)
SAMPLES_LEFT, SAMPLES_TOP, SAMPLE_WIDTH, SAMPLES_PER_COLUMN, LINE = 5.0, 0.08, 3.2, 3, 0.25
SMALLEST_TICK_STEP = 0.42  # of a label that is a number


def draw_key(axes: Axes, heatmap: Heatmap, scale: HeatScale | None) -> None:
    """Draw the colour bar at the left and the marks that occur at its right."""
    if scale is None:
        write(axes, 0, 0.3, f"No cost above zero: {heatmap.unit}", size=8.5, color=MUTED)
    else:
        _draw_bar(axes, heatmap, scale)
    for number, (fill, mark, meaning) in enumerate(_samples(heatmap, scale)):
        column, row = divmod(number, SAMPLES_PER_COLUMN)
        x, y = SAMPLES_LEFT + column * SAMPLE_WIDTH, SAMPLES_TOP + row * LINE
        draw_sample(axes, Box(x, y - 0.08, 0.24, 0.16), fill=fill, mark=mark)
        write(axes, x + 0.34, y, meaning, size=8, color=INK)


def tick_label(tick: float) -> str:
    """A plain number where that is short: ``0.001``, but ``1e-06``."""
    return f"{tick:.3g}"


def lowest_note(scale: HeatScale | None) -> str:
    """What the lowest colour stands for besides the lowest cost."""
    return f"below {tick_label(scale.low)}, or negative" if scale and scale.is_cut else "zero or negative"


def _draw_bar(axes: Axes, heatmap: Heatmap, scale: HeatScale) -> None:
    write(axes, 0, 0.08, f"{heatmap.unit} (log scale)", size=8.5, color=MUTED)
    limits, (left, right) = axes.get_ylim(), axes.get_xlim()
    colors = [[int(heat_fill(step / 255)[place : place + 2], 16) for place in (1, 3, 5)] for step in range(256)]
    extent = (BAR.left, BAR.left + BAR.width, BAR.top + BAR.height, BAR.top)
    axes.imshow([colors], extent=extent, aspect="auto", interpolation="nearest")
    axes.set_xlim(left, right)
    axes.set_ylim(limits)
    last = -inf
    for tick in scale.ticks:
        x = BAR.left + scale.position(tick) * BAR.width
        axes.plot([x, x], [BAR.top + BAR.height, BAR.top + BAR.height + 0.05], color=MUTED, linewidth=0.8)
        if x - last >= SMALLEST_TICK_STEP:
            write(
                axes, max(x, 0.16), BAR.top + BAR.height + 0.15, tick_label(tick), size=7.5, color=MUTED, align="center"
            )
            last = x
    axes.plot([BAR.left, BAR.left + BAR.width], [BAR.top + BAR.height] * 2, color=HAIRLINE, linewidth=0.6)


def _samples(heatmap: Heatmap, scale: HeatScale | None) -> list[tuple[str, str, str]]:
    """Fill, mark and meaning of each special cell that occurs."""
    cells = [(layer, option) for layer in range(len(heatmap.layers)) for option in heatmap.drawn]
    costs = [heatmap.costs[layer][option] for layer, option in cells]
    lowest = heat_fill(0.0)
    below = lowest_note(scale)
    limit = scale.low if scale and scale.is_cut else 0.0
    samples = {
        (lowest, "", below): any(cost is not None and cost <= limit for cost in costs),
        (lowest, "dot", f"within {NOISE_ERRORS:g} standard errors of zero"): any(heatmap.is_noise(*c) for c in cells),
        (MISSING, "slash", "not open to the layer"): None in costs,
        (PAPER, "cross", "closed by the score (infinite)"): inf in costs,
    }
    return [sample for sample, occurs in samples.items() if occurs]
