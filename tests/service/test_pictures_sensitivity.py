"""``sensitivity.png`` and its CSV: every shape of score drawn, with colours where the numbers put them."""

from __future__ import annotations

import csv
import io
import struct
from dataclasses import replace
from itertools import pairwise
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba

from service.pictures.figure import Layer
from service.pictures.grid import grid_of
from service.pictures.heat_scale import HEAT_STOPS, HeatScale, heat_fill, heat_ink, heat_scale
from service.pictures.heatmap import Heatmap, heatmap_csv
from service.pictures.heatmap_key import lowest_note
from service.pictures.heatmap_plot import MISSING, draw_cells
from service.pictures.heatmap_png import draw_heatmap_png
from service.pictures.heatmap_shape import HeatShape
from service.pictures.palette import INK, PAPER
from service.pictures.sheet import Sheet
from spaces.errors import InputError

MODULES = ("self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj")
OPTIONS = ("gptq-int2-g128-asym", "gptq-int4-g128-asym", "keep")


def make_layers(num_blocks: int, modules: tuple[str, ...], *, has_head: bool = True) -> tuple[Layer, ...]:
    inside = tuple(
        Layer(name=f"layers.{block}.{module}", block=block, module=module, num_weights=4096)
        for block in range(num_blocks)
        for module in modules
    )
    head = Layer(name="lm_head", block=None, module="lm_head", num_weights=65536)
    return (*inside, head) if has_head else inside


def make_heatmap(
    num_blocks: int = 2,
    *,
    modules: tuple[str, ...] = MODULES,
    options: tuple[str, ...] = OPTIONS,
    has_head: bool = True,
    seed: int = 0,
) -> Heatmap:
    """Costs over two decades, smaller for later options; keep costs nothing."""
    rng = np.random.default_rng(seed)
    layers = make_layers(num_blocks, modules, has_head=has_head)
    costs = tuple(
        tuple(
            0.0 if slug == "keep" else float(rng.uniform(0.5, 2.0)) / 4**number for number, slug in enumerate(options)
        )
        for _ in layers
    )
    return Heatmap(
        title="a model, $2 a bit$",
        subtitle="sensitivity",
        score_name="hessian-trace",
        layers=layers,
        options=options,
        costs=costs,
        errors=tuple(tuple(0.01 for _ in row) for row in costs),
        bits=tuple(tuple(layer.num_weights * (2 + n) for n in range(len(options))) for layer in layers),
        unit="predicted KL, nats per token",
        tokens="1.05 M tokens",
    )


def with_costs(heatmap: Heatmap, *changes: tuple[int, int, float | None]) -> Heatmap:
    """``heatmap`` with the costs at each (layer, option) changed."""
    rows = [list(row) for row in heatmap.costs]
    for layer, option, cost in changes:
        rows[layer][option] = cost
    return replace(heatmap, costs=tuple(map(tuple, rows)))


def all_costs(heatmap: Heatmap, cost: float | None) -> Heatmap:
    return replace(heatmap, costs=tuple((cost,) * len(heatmap.options) for _ in heatmap.layers))


def png_size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height


LARGE = tuple(f"rtn-int{bits}-g{group}-sym" for bits in (2, 3, 4, 8) for group in (32, 64, 128))
LONG = tuple(f"{'very.long.' * 20}{name}" for name in "abc")
LLAMA = tuple(f"part.{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down"))
CASES = {
    "reference": make_heatmap(12, modules=LLAMA),
    "large": make_heatmap(80, modules=LLAMA, options=LARGE),
    "one layer, one option": make_heatmap(1, modules=MODULES[:1], options=OPTIONS[:1], has_head=False),
    "no blocks": make_heatmap(0),
    "drops": make_heatmap(32, modules=("attention", "mlp"), options=("drop", "keep"), has_head=False),
    "experts": make_heatmap(2, modules=tuple(f"experts.{number}.up" for number in range(300))),
    "no option open": all_costs(make_heatmap(), None),
    "all closed": all_costs(make_heatmap(), inf),
    "all zero": all_costs(make_heatmap(), 0.0),
    "all negative": all_costs(make_heatmap(), -0.5),
    "no errors": replace(make_heatmap(), errors=None),
    "long names": make_heatmap(3, modules=LONG, options=("x" * 300, "y")),
    "Chinese": replace(make_heatmap(modules=("注意力.查询", "前馈")), title="模型" * 90, subtitle="灵敏度" * 90),
    "extremes": with_costs(make_heatmap(), (0, 0, 1e300), (1, 0, 1e-300), (2, 0, inf), (3, 0, None), (4, 0, -1e300)),
}  # fmt: skip


@pytest.mark.parametrize("heatmap", CASES.values(), ids=CASES.keys())
def test_a_heat_map_is_drawn_at_full_width_whatever_it_holds(heatmap: Heatmap, tmp_path: Path) -> None:
    draw_heatmap_png(heatmap, tmp_path / "sensitivity.png")
    width, height = png_size(tmp_path / "sensitivity.png")
    assert width == 1800
    assert 300 < height < 4000
    assert [file.name for file in tmp_path.iterdir()] == ["sensitivity.png"]


def test_the_same_heat_map_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        draw_heatmap_png(make_heatmap(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_a_cell_has_the_colour_of_its_cost_at_its_place() -> None:
    heatmap = with_costs(make_heatmap(), (0, 0, None), (1, 0, inf), (2, 0, -1.0), (3, 0, 0.5), (4, 0, 2.0))
    scale = HeatScale(low=0.5, high=2.0, is_cut=False)
    shape = HeatShape(grid=grid_of(heatmap.layers), num_grids=6, width=11)
    assert not shape.is_across
    axes = Sheet(width=11, height=4).panel(left=0, top=0, width=11, height=4)
    draw_cells(axes, shape, heatmap, scale, option=0, left=1.0, top=2.0)
    cells = axes.collections[0]
    expected = [MISSING, PAPER, HEAT_STOPS[0], HEAT_STOPS[0], HEAT_STOPS[-1]]
    np.testing.assert_allclose(np.array(cells.get_facecolor())[:5], [to_rgba(fill) for fill in expected])
    corners = np.array([np.asarray(path.vertices)[0] for path in cells.get_paths()])
    x, y = corners.T
    np.testing.assert_allclose(x[:6].reshape(2, 3), np.tile(x[:3], (2, 1)))  # a column a module
    np.testing.assert_allclose(y[:6].reshape(2, 3), np.repeat(y[[0, 3]], 3).reshape(2, 3))  # a row a block
    assert (np.diff(x[:3]) > 0).all()
    assert y[0] < y[3] < y[6]  # lm_head below the blocks
    assert (x[0], y[0]) == (x[6], 2.0) == (1.0, 2.0)


@pytest.mark.parametrize("num_grids", [1, 2, 3, 6, 16])
@pytest.mark.parametrize(("num_blocks", "modules"), [(12, LLAMA), (80, LLAMA), (0, ()), (4, ("attention", "mlp"))])
def test_grids_neither_overlap_nor_leave_the_sheet(num_grids: int, num_blocks: int, modules: tuple[str, ...]) -> None:
    shape = HeatShape(grid=grid_of(make_layers(num_blocks, modules)), num_grids=num_grids, width=11.4)
    corners = [shape.corner(number) for number in range(num_grids)]
    assert max(left for left, _ in corners) + shape.grid_width <= 11.4 + 1e-9
    assert max(top for _, top in corners) + shape.cells_height <= shape.height + 1e-9
    for (left1, top1), (left2, top2) in pairwise(corners):
        assert left2 >= left1 + shape.grid_width or top2 >= top1 + shape.cells_height
    for box in map(shape.box, range(len(shape.grid.cells))):
        assert box.left + box.width <= shape.grid_width + 1e-9
        assert box.top + box.height <= shape.cells_height + 1e-9


def test_few_narrow_grids_lay_their_blocks_across() -> None:
    shape = HeatShape(grid=grid_of(make_layers(8, ("attention", "mlp"), has_head=False)), num_grids=1, width=11)
    first, below, right = shape.box(0), shape.box(1), shape.box(2)
    assert (below.left, right.top) == (first.left, first.top)
    assert below.top > first.top
    assert right.left > first.left


def test_positions_are_the_logarithm_between_the_ends() -> None:
    scale = HeatScale(low=1e-4, high=1.0, is_cut=False)
    positions = [scale.position(cost) for cost in (-1.0, 0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0)]
    assert positions == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75, 1.0], abs=1e-12)


def test_a_scale_begins_where_errors_tell_costs_from_zero() -> None:
    heatmap = with_costs(all_costs(make_heatmap(), 0.5), (0, 0, 0.019), (1, 0, 0.021), (2, 0, 3.0), (3, 0, inf))
    scale = heat_scale(heatmap)  # the errors are 0.01, so that 0.02 is the limit of noise
    assert scale == HeatScale(low=0.021, high=3.0, is_cut=True)
    assert heat_scale(replace(heatmap, errors=None)) == HeatScale(low=0.019, high=3.0, is_cut=False)
    assert lowest_note(scale) == "below 0.021, or negative"


def test_a_stray_cost_takes_no_more_than_six_decades() -> None:
    heatmap = replace(with_costs(all_costs(make_heatmap(), 1.0), (0, 0, 1e-12)), errors=None)
    scale = heat_scale(heatmap)
    assert scale is not None
    assert (scale.low, scale.high, scale.is_cut) == (pytest.approx(1e-6), 1.0, True)


def test_one_cost_alone_stands_in_the_middle() -> None:
    scale = heat_scale(all_costs(make_heatmap(), 0.3))
    assert scale is not None
    assert scale.position(0.3) == pytest.approx(0.5)


@pytest.mark.parametrize("cost", [None, inf, 0.0, -1.0])
def test_without_a_cost_above_zero_there_is_no_scale(cost: float | None) -> None:
    assert heat_scale(all_costs(make_heatmap(), cost)) is None


def test_keep_that_costs_nothing_gives_way_to_telling_options() -> None:
    assert make_heatmap().drawn == (0, 1)
    assert "keep: no cost" in make_heatmap().notes
    assert all_costs(make_heatmap(), 0.0).drawn == (0, 1, 2)
    unopened = replace(make_heatmap(), costs=tuple((None, 1.0, 0.0) for _ in make_heatmap().layers))
    assert unopened.drawn == (1,)
    assert f"{OPTIONS[0]}: not open to any layer" in unopened.notes


@pytest.mark.parametrize(("low", "high"), [(1e-6, 1.0), (0.03, 0.3), (0.05, 0.06), (0.0501, 0.0502), (1e-300, 1e-294)])
def test_ticks_lie_within_the_scale_and_rise(low: float, high: float) -> None:
    ticks = HeatScale(low=low, high=high, is_cut=False).ticks
    assert len(ticks) >= 2
    assert all(low <= tick <= high for tick in ticks)
    assert all(a < b for a, b in pairwise(ticks))


def test_colours_pass_through_the_stops_and_darken_evenly() -> None:
    last = len(HEAT_STOPS) - 1
    assert [heat_fill(number / last) for number in range(last + 1)] == list(HEAT_STOPS)
    luminance = [float(np.dot(to_rgb(heat_fill(step / 100)), (0.2126, 0.7152, 0.0722))) for step in range(101)]
    assert all(a >= b - 1e-9 for a, b in pairwise(luminance))
    between = np.array(to_rgb(heat_fill(0.5 / last)))
    np.testing.assert_allclose(between, np.mean([to_rgb(stop) for stop in HEAT_STOPS[:2]], axis=0), atol=0.5 / 255)
    assert (heat_ink(0.0), heat_ink(1.0)) == (INK, PAPER)


def test_the_first_sentence_names_the_costliest_layers_of_the_smallest_option() -> None:
    heatmap = with_costs(all_costs(make_heatmap(), 0.1), (4, 0, 9.0), (2, 0, 8.0), (6, 0, 7.0), (0, 0, inf))
    assert heatmap.lead == (
        f"Most sensitive at {OPTIONS[0]}: layers.1.self_attn.k_proj (9), layers.0.mlp.up_proj (8), lm_head (7)."
    )
    assert all_costs(make_heatmap(), inf).lead == "No option has a finite cost for any layer."


def test_the_csv_holds_every_open_cell_to_the_last_digit() -> None:
    heatmap = with_costs(make_heatmap(), (0, 0, None), (1, 0, inf), (2, 1, -1 / 3))
    rows = list(csv.DictReader(io.StringIO(heatmap_csv(heatmap))))
    assert len(rows) == 7 * 3 - 1
    assert rows[0]["option"] == OPTIONS[1]
    read = {(row["layer"], row["option"]): float(row["cost"]) for row in rows}
    assert read["layers.0.self_attn.k_proj", OPTIONS[0]] == inf
    assert read["layers.0.mlp.up_proj", OPTIONS[1]] == -1 / 3
    assert rows[-1] == {"layer": "lm_head", "option": "keep", "bits": str(65536 * 4), "cost": "0.0", "se": "0.01"}


def test_the_csv_leaves_unknown_errors_empty_and_quotes_names() -> None:
    heatmap = replace(make_heatmap(1, modules=('a,"b"',), options=("keep",), has_head=False), errors=None)
    (row,) = csv.DictReader(io.StringIO(heatmap_csv(heatmap)))
    assert (row["layer"], row["se"]) == ('layers.0.a,"b"', "")


@pytest.mark.parametrize("cost", [nan, -inf])
def test_a_cost_that_is_no_number_is_refused_by_name(cost: float) -> None:
    with pytest.raises(InputError, match=rf"cost of {OPTIONS[1]} for layers\.0\.mlp\.up_proj .* got {cost}"):
        with_costs(make_heatmap(), (2, 1, cost))


def test_a_table_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match="errors must be 7 rows of 3, one a layer, got 1 of 2"):
        replace(make_heatmap(), errors=((0.1, 0.2),))


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(InputError, match="got 0 layers and 3 options"):
        replace(make_heatmap(), layers=(), costs=(), bits=(), errors=None)
