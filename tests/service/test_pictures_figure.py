"""What a figure promises about its points, and how a strip arranges its layers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf, nan

import pytest

from service.pictures.figure import Figure, Layer, Point
from service.pictures.grid import grid_of
from service.pictures.palette import BITS_FILLS, DROP, KEEP, QUANTIZED, TONES, Tone, tone_of
from service.pictures.units import show_objective, size_unit
from spaces.errors import InputError
from spaces.option import BIT_WIDTHS


def point(**changes: object) -> Point:
    plain = Point(
        configuration_id="c0",
        label="evolution",
        size_bytes=1_000_000,
        bits_per_weight=3.2,
        nominal_bits_per_weight=3.0,
        objective=0.5,
        objective_se=0.01,
        is_front=False,
        is_baseline=False,
        is_answer=False,
        options=("keep",),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def figure(*points: Point, layers: tuple[Layer, ...] | None = None) -> Figure:
    lone = (Layer(name="layer", block=0, module="layer", num_weights=4),)
    return Figure(
        title="title",
        subtitle="subtitle",
        objective_name="perplexity",
        points=points,
        layers=lone if layers is None else layers,
        budget_label="any",
        budget_size_bytes=None,
        verdict="verdict",
    )


def test_a_point_without_a_finite_objective_is_not_drawn() -> None:
    sound = point(configuration_id="sound")
    assert figure(point(objective=inf), sound, point(objective=nan)).drawn == (sound,)


def test_no_finite_objective_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="got none among 2"):
        figure(point(objective=inf), point(objective=nan))


def test_two_answers_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="got first, second"):
        figure(point(configuration_id="first", is_answer=True), point(configuration_id="second", is_answer=True))


def test_answers_to_several_budgets_are_marked_by_size_and_the_middle_one_is_shown() -> None:
    answers = [
        point(configuration_id=budget, size_bytes=size, is_answer=True, budget=budget)
        for budget, size in (("4", 40), ("2", 20), ("3", 30))
    ]
    several = figure(point(is_front=True, objective=0.1), *answers)
    assert [each.budget for each in several.answers] == ["2", "3", "4"]
    assert several.shown.budget == "3"
    with pytest.raises(InputError, match="a budget has one answer, got 4, 2, 3, again"):
        figure(*answers, point(configuration_id="again", is_answer=True, budget="3"))


def test_options_that_miss_a_layer_are_refused() -> None:
    with pytest.raises(InputError, match="configuration c0 must be 1, one per layer, got 2"):
        figure(point(options=("keep", "drop")))


def test_the_answer_is_shown_before_a_better_point() -> None:
    answer = point(configuration_id="answer", objective=2.0, is_answer=True)
    assert figure(point(objective=0.1, is_front=True), answer).shown == answer


def test_without_an_answer_the_best_of_the_front_that_kept_its_options_is_shown() -> None:
    best = point(configuration_id="best", objective=0.3, is_front=True)
    others = (
        point(objective=0.1, is_front=True, options=None),
        point(objective=0.2),
        point(objective=0.4, is_front=True),
    )
    assert figure(*others, best).shown == best


def test_marked_points_are_the_answer_then_the_baselines_by_size() -> None:
    large = point(size_bytes=9, is_baseline=True)
    small = point(size_bytes=3, is_baseline=True)
    answer = point(size_bytes=5, is_answer=True)
    assert figure(large, point(), small, answer).marked == (answer, small, large)


def layer(name: str, block: int | None, module: str) -> Layer:
    return Layer(name=name, block=block, module=module, num_weights=1)


def test_a_grid_has_modules_as_rows_blocks_as_columns_and_the_rest_below() -> None:
    layers = (
        layer("head", None, "lm_head"),
        layer("5.q", 5, "attn.q"),
        layer("5.up", 5, "mlp.up"),
        layer("2.q", 2, "attn.q"),
        layer("2.gate", 2, "mlp.gate"),
    )
    grid = grid_of(layers)
    assert grid.rows == ("q", "up", "gate", "head")
    assert grid.num_block_rows == 3
    assert grid.columns == (2, 5)
    assert grid.cells == ((3, 0), (0, 1), (1, 1), (0, 0), (2, 0))


def test_row_names_stay_whole_where_their_last_parts_are_the_same() -> None:
    layers = (
        layer("a", 0, "attn.c_proj"),
        layer("b", 0, "mlp.c_proj"),
        layer("c", 0, "mlp.c_fc"),
    )
    assert grid_of(layers).rows == ("attn.c_proj", "mlp.c_proj", "c_fc")


def test_two_layers_in_one_cell_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"got first and second both as attn\.q of block 7"):
        grid_of((layer("first", 7, "attn.q"), layer("second", 7, "attn.q")))


@pytest.mark.parametrize("bits", BIT_WIDTHS)
def test_a_quantized_layer_has_the_tone_of_its_bits(bits: int) -> None:
    assert tone_of(f"gptq-int{bits}-g128-asym") is QUANTIZED[bits]
    assert tone_of(f"rtn-int{bits}-channel-sym").mark == str(bits)


def test_keep_and_drop_have_tones_of_their_own() -> None:
    assert (tone_of("keep"), tone_of("drop")) == (KEEP, DROP)


def test_an_unknown_option_has_no_tone() -> None:
    with pytest.raises(InputError, match="unknown option 'int4'"):
        tone_of("int4")


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, from sRGB."""
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_neighbouring_bit_widths_differ_in_grey_print_too() -> None:
    fills = [BITS_FILLS[bits] for bits in sorted(BITS_FILLS)]
    for paler, darker in pairwise(fills):
        assert luminance(paler) > luminance(darker)
        assert contrast(paler, darker) > 1.25


@pytest.mark.parametrize("tone", TONES, ids=lambda tone: tone.name)
def test_the_text_of_a_cell_is_readable(tone: Tone) -> None:
    assert contrast(tone.fill, tone.ink) >= 4.5  # WCAG 2.2, level AA


@pytest.mark.parametrize(
    ("objective", "error", "shown"),
    [
        (0.0412, 0.00057, "0.04120 ± 0.00057"),
        (1234.5, 12.3, "1,234 ± 12"),
        (24.118, None, "24.12"),
        (0.0, 0.0, "0"),
        (3.0, nan, "3"),
    ],
)
def test_an_objective_is_shown_to_two_digits_of_its_error(objective: float, error: float | None, shown: str) -> None:
    assert show_objective(objective, error) == shown


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [((10, 900), "0.9 kB"), ((1, 10_500_000), "10.5 MB"), ((4_123_000_000,), "4.123 GB"), ((0,), "0 kB")],
)
def test_sizes_are_shown_in_the_unit_of_the_largest(sizes: tuple[int, ...], shown: str) -> None:
    assert size_unit(sizes).show(sizes[-1]) == shown
