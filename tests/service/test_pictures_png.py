"""``front.png``: drawn for every shape of job, with marks where the numbers put them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Canvas

from service.pictures.figure import Figure, Layer, Point
from service.pictures.front_plot import affine_fit, draw_front, is_log, markers_of
from service.pictures.grid import grid_of
from service.pictures.palette import ANSWER, FRONT, QUANTIZED
from service.pictures.png import draw_png
from service.pictures.replacement import replace_file
from service.pictures.sheet import Sheet
from service.pictures.strip_plot import StripShape, draw_strip, label_step

MODULES = ("self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj", "mlp.down_proj")


def make_layers(num_blocks: int) -> tuple[Layer, ...]:
    inside = tuple(
        Layer(name=f"layers.{block}.{module}", block=block, module=module, num_weights=4096)
        for block in range(num_blocks)
        for module in MODULES
    )
    return (*inside, Layer(name="lm_head", block=None, module="lm_head", num_weights=65536))


def make_figure(*, num_points: int, num_blocks: int, seed: int = 0) -> Figure:
    rng = np.random.default_rng(seed)
    layers = make_layers(num_blocks)
    points = []
    for number in range(num_points):
        bits = rng.choice([2, 3, 4, 8], len(layers))
        points.append(
            Point(
                configuration_id=f"c{number}",
                label="uniform" if number < 3 else "evolution",
                size_bytes=int(bits.sum()) * 10_000,
                bits_per_weight=float(bits.mean()) + 0.14,
                nominal_bits_per_weight=float(bits.mean()),
                objective=float(np.exp(-bits.mean())) * rng.uniform(1, 3),
                objective_se=0.001,
                is_front=number % 7 == 0,
                is_baseline=number < 3,
                is_answer=number == num_points - 1,
                options=tuple(f"gptq-int{width}-g128-asym" for width in bits),
            )
        )
    return Figure(
        title="a model, 3 $bits$ for $5",
        subtitle="evolution",
        objective_name="KL divergence, nats per token",
        points=tuple(points),
        layers=layers,
        budget_label="3 bits",
        budget_size_bytes=points[0].size_bytes,
        verdict="The answer is better than the best uniform choice. " * 4,
    )


def png_size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height


@pytest.mark.parametrize(
    ("num_points", "num_blocks"), [(1, 1), (5, 12), (10_000, 12), (40, 80)], ids=lambda value: str(value)
)
def test_a_picture_is_drawn_at_full_width(num_points: int, num_blocks: int, tmp_path: Path) -> None:
    draw_png(make_figure(num_points=num_points, num_blocks=num_blocks), tmp_path / "front.png")
    width, height = png_size(tmp_path / "front.png")
    assert width == 1800
    assert 1000 < height < 3000
    assert [file.name for file in tmp_path.iterdir()] == ["front.png"]


def without_options(figure: Figure) -> Figure:
    return replace(figure, points=tuple(replace(point, options=None) for point in figure.points))


def with_drops_only(figure: Figure) -> Figure:
    options = tuple(("keep", "drop")[number % 2] for number in range(len(figure.layers)))
    return replace(figure, points=tuple(replace(point, options=options) for point in figure.points))


def with_broken_points(figure: Figure) -> Figure:
    first, *others = figure.points
    return replace(figure, points=(replace(first, objective=float("inf")), *others))


def without_layers(figure: Figure) -> Figure:
    return replace(without_options(figure), layers=())


def with_hundreds_of_modules(figure: Figure) -> Figure:
    layers = tuple(
        replace(layer, block=0, module=f"experts.{number}.up") for number, layer in enumerate(make_layers(100)[:-1])
    )
    points = tuple(replace(point, options=("keep",) * len(layers)) for point in figure.points)
    return replace(figure, layers=layers, points=points)


@pytest.mark.parametrize(
    "change",
    [without_options, with_drops_only, with_broken_points, without_layers, with_hundreds_of_modules],
)
def test_a_picture_is_drawn_whatever_is_missing(change: Callable[[Figure], Figure], tmp_path: Path) -> None:
    figure = change(make_figure(num_points=10, num_blocks=3))
    draw_png(figure, tmp_path / "front.png")
    assert png_size(tmp_path / "front.png")[0] == 1800


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    figure = make_figure(num_points=20, num_blocks=2)
    for name in ("first.png", "second.png"):
        draw_png(figure, tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_marks_stand_where_the_numbers_put_them() -> None:
    figure = make_figure(num_points=30, num_blocks=2)
    axes = Canvas().add_subplot()
    draw_front(axes, figure)
    lines = [(line.get_color(), line.get_marker(), np.column_stack(line.get_data())) for line in axes.get_lines()]
    answer = next(point for point in figure.points if point.is_answer)
    (star,) = (spots for color, marker, spots in lines if (color, marker) == (ANSWER, "*"))
    (dots,) = (spots for color, marker, spots in lines if (color, marker) == (FRONT, "o"))
    expected = sorted((p.size_bytes / 1e6, p.objective) for p in figure.points if p.is_front)
    unit = 1e6 if max(p.size_bytes for p in figure.points) >= 1e6 else 1e3
    scale = np.array([1e6 / unit, 1])
    np.testing.assert_allclose(star, [[answer.size_bytes / unit, answer.objective]])
    np.testing.assert_allclose(dots, np.array(expected) * scale)
    assert len(np.asarray(axes.collections[0].get_offsets())) == 30 - 3 - 1


def test_sizes_that_hardly_differ_are_still_written_whole() -> None:
    figure = make_figure(num_points=5, num_blocks=1)
    points = tuple(replace(p, size_bytes=4_120_000 + number) for number, p in enumerate(figure.points))
    axes = Canvas().add_subplot()
    draw_front(axes, replace(figure, points=points, budget_size_bytes=None))
    ticks = axes.get_xticks()
    labels = axes.xaxis.get_major_formatter().format_ticks(list(ticks))
    np.testing.assert_allclose([float(label) for label in labels], ticks, rtol=1e-7)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("objectives", "expected"), [((1, 9), False), ((1, 11), True), ((0, 11), False), ((-1, 50), False)]
)
def test_the_objective_is_on_a_log_scale_over_a_decade(objectives: tuple[float, ...], expected: bool) -> None:
    figure = make_figure(num_points=2, num_blocks=1)
    points = tuple(replace(p, objective=o) for p, o in zip(figure.points, objectives, strict=True))
    assert is_log(replace(figure, points=points)) is expected


def test_a_cell_has_the_colour_of_its_option_at_its_place() -> None:
    layers = make_layers(2)
    widths = [2, 3, 4, 5, 6, 7, 8, 2, 3]
    shape = StripShape(grid=grid_of(layers), width=11)
    axes = Sheet(width=11, height=4).panel(left=0, top=0, width=11, height=4)
    draw_strip(axes, shape, tuple(f"rtn-int{width}-channel-sym" for width in widths))
    cells = axes.collections[0]
    fills = [to_rgba(QUANTIZED[width].fill) for width in widths]
    np.testing.assert_allclose(np.array(cells.get_facecolor()), np.array(fills))
    x, y = np.array([np.asarray(path.vertices)[0] for path in cells.get_paths()]).T
    np.testing.assert_allclose(x[:8], np.repeat(x[[0, 4]], 4))  # a column per block
    np.testing.assert_allclose(y[:8], np.tile(y[:4], 2))  # a row per module
    assert x[0] < x[4]
    assert (np.diff(y[:4]) > 0).all()
    assert x[8] == x[0]
    assert y[8] > y[3]  # lm_head stands below


def test_bits_that_are_a_line_over_the_size_get_its_slope_and_intercept() -> None:
    figure = make_figure(num_points=1, num_blocks=1)
    points = [replace(figure.points[0], size_bytes=size) for size in (100, 250, 900)]
    slope, intercept = affine_fit(points, lambda point: 0.01 * point.size_bytes - 0.5) or (0, 0)
    assert (slope, intercept) == pytest.approx((0.01, -0.5), rel=1e-12)


@pytest.mark.parametrize("sizes", [(100,), (100, 100), (100, 250, 900)])
def test_bits_that_are_no_line_over_the_size_get_no_axis(sizes: tuple[int, ...]) -> None:
    figure = make_figure(num_points=1, num_blocks=1)
    points = [replace(figure.points[0], size_bytes=size) for size in sizes]
    assert affine_fit(points, lambda point: float(point.size_bytes**2)) is None


def test_several_answers_are_smaller_stars_with_their_budgets_beside(tmp_path: Path) -> None:
    figure = make_figure(num_points=40, num_blocks=2)
    budgets = {10 + 3 * number: f"{2 + number / 4:g} $x$" for number in range(9)}
    several = replace(
        figure,
        points=tuple(
            replace(each, is_answer=number in budgets, budget=budgets.get(number, ""))
            for number, each in enumerate(figure.points)
        ),
        budget_size_bytes=None,
    )
    axes = Canvas().add_subplot()
    draw_front(axes, several)
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert len(stars) == 9
    assert {line.get_markersize() for line in stars} == {markers_of(several.marked)[0].size}
    assert markers_of(several.marked)[0].size < markers_of(figure.marked)[0].size
    assert {text.get_text() for text in axes.texts} == set(budgets.values())
    places = {tuple(text.xy) for text in axes.texts}  # type: ignore[attr-defined]
    assert places == {(line.get_xdata()[0], line.get_ydata()[0]) for line in stars}  # type: ignore[index]
    draw_png(several, tmp_path / "front.png")
    assert png_size(tmp_path / "front.png")[0] > 1000


def test_baselines_have_markers_of_their_own() -> None:
    points = make_figure(num_points=19, num_blocks=1).points
    baselines = [replace(point, is_baseline=True, is_answer=False) for point in points[:18]]
    assert len(set(markers_of([points[-1], *baselines]))) == 19


@pytest.mark.parametrize(("spacing", "step"), [(0.5, 1), (0.3, 1), (0.15, 2), (0.0625, 5), (0.02, 20)])
def test_labels_are_spread_until_they_fit(spacing: float, step: int) -> None:
    assert label_step(spacing, 0.3) == step


def test_a_failed_replacement_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "front.png"
    target.mkdir()  # what no file can replace
    with pytest.raises(OSError, match=r"front\.png"):
        replace_file(target, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["front.png"]
