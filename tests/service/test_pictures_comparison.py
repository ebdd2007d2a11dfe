"""``comparison.png`` and its CSV: methods beside each other and beside uniform, broken ones too."""

from __future__ import annotations

import csv
import io
import struct
from dataclasses import replace
from math import exp, inf, log, nan
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from service.pictures.clipping import clip_end, clip_start, wrap
from service.pictures.comparison import Comparison, ComparisonPoint, Line, comparison_csv
from service.pictures.comparison_marks import METHOD_COLORS, marks_of
from service.pictures.comparison_plot import draw_losses, draw_ratios, ratio_spots
from service.pictures.comparison_png import draw_comparison_png, foot_note
from service.pictures.palette import BASELINE
from service.pictures.units import show_count
from spaces.errors import InputError

BUDGETS = ("2.5", "3.0", "4.0")


def make_point(budget: str, loss: float, **changes: object) -> ComparisonPoint:
    bits = float(budget)
    point = ComparisonPoint(
        budget=budget,
        configuration_id=f"c{budget}",
        size_bytes=int(1_000_000 * bits),
        bits_per_weight=bits + 0.2,
        nominal_bits_per_weight=bits,
        loss=loss,
        loss_se=0.01,
    )
    return replace(point, **changes)  # type: ignore[arg-type]


def make_line(name: str, losses: tuple[float, ...], *, is_baseline: bool = False, **changes: object) -> Line:
    points = tuple(make_point(budget, loss, **changes) for budget, loss in zip(BUDGETS, losses, strict=False))
    return Line(name=name, points=points, is_baseline=is_baseline)


UNIFORM = make_line("uniform", (0.8, 0.4, 0.1), is_baseline=True)


def make_comparison(*lines: Line) -> Comparison:
    return Comparison(
        title="a model, $2 a bit$",
        subtitle="methods compared",
        objective_name="KL divergence, nats per token",
        lines=lines,
    )


def many_lines(count: int) -> tuple[Line, ...]:
    losses = [0.8 * exp(-0.02 * number) for number in range(count)]
    return tuple(make_line(f"method {number}", (loss, loss / 2, loss / 8)) for number, loss in enumerate(losses))


def png_size(path: Path) -> tuple[int, int]:
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    return width, height


HIGGS = make_line("higgs", (0.6, 0.3, 0.05), difference=-0.1, difference_se=0.01, tokens=1_048_576)
CASES = {
    "fifteen methods": make_comparison(UNIFORM, *many_lines(15)),
    "sixty methods": make_comparison(UNIFORM, *many_lines(60)),
    "one point": make_comparison(make_line("uniform", (0.5,), is_baseline=True)),
    "no baseline": make_comparison(HIGGS),
    "broken": make_comparison(UNIFORM, make_line("a", (inf, 0.3, 0.05)), make_line("b", (inf, nan, inf))),
    "broken baseline": make_comparison(make_line("uniform", (inf, inf, inf), is_baseline=True), HIGGS),
    "zero loss": make_comparison(UNIFORM, make_line("keep", (0.0, 0.0, 0.0))),
    "negative loss": make_comparison(UNIFORM, make_line("noise", (-0.1, 0.2, -1.0))),
    "zero baseline": make_comparison(make_line("uniform", (0.0, 0.0, 0.0), is_baseline=True), HIGGS),
    "no errors": make_comparison(UNIFORM, make_line("a", (0.6, 0.3, 0.05), loss_se=None)),
    "large errors": make_comparison(UNIFORM, make_line("a", (0.6, 0.3, 0.05), loss_se=9.0, difference_se=9.0)),
    "two baselines": make_comparison(UNIFORM, make_line("uniform g64", (0.7, 0.5, 0.2), is_baseline=True), HIGGS),
    "extremes": make_comparison(UNIFORM, make_line("a", (1e-30, 1e30, 1.0))),
    "long names": make_comparison(UNIFORM, replace(HIGGS, name="higgs-" * 60)),
    "Chinese": replace(make_comparison(UNIFORM, replace(HIGGS, name="方法" * 40)), title="模型" * 90),
}


@pytest.mark.parametrize("comparison", CASES.values(), ids=CASES.keys())
def test_a_comparison_is_drawn_at_full_width_whatever_it_holds(comparison: Comparison, tmp_path: Path) -> None:
    draw_comparison_png(comparison, tmp_path / "comparison.png")
    width, height = png_size(tmp_path / "comparison.png")
    assert width == 1800
    assert 900 < height < 2500
    assert [file.name for file in tmp_path.iterdir()] == ["comparison.png"]


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        draw_comparison_png(make_comparison(UNIFORM, HIGGS), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_lines_and_bars_stand_where_the_numbers_put_them() -> None:
    axes = Canvas().add_subplot()
    draw_losses(axes, make_comparison(UNIFORM, HIGGS))
    lines = [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == 3]
    joined = {line.get_color(): line for line in lines if line.get_linestyle() != "None"}  # not the caps of the bars
    np.testing.assert_allclose(joined[BASELINE].get_xydata(), [[2.5, 0.8], [3.0, 0.4], [4.0, 0.1]])
    np.testing.assert_allclose(joined[METHOD_COLORS[0]].get_xydata(), [[2.5, 0.6], [3.0, 0.3], [4.0, 0.05]])
    assert axes.get_yscale() == "log"
    assert joined[BASELINE].is_dashed()
    assert not joined[METHOD_COLORS[0]].is_dashed()
    bars = np.array([segment for bar in axes.containers[1][2] for segment in bar.get_segments()])  # type: ignore[index]
    np.testing.assert_allclose(bars[:, :, 1], [[0.58, 0.62], [0.28, 0.32], [0.03, 0.07]])  # two standard errors


def test_a_loss_of_zero_makes_the_scale_plain() -> None:
    axes = Canvas().add_subplot()
    draw_losses(axes, CASES["zero loss"])
    assert axes.get_yscale() == "linear"
    assert "log scale" not in axes.get_ylabel()


def test_broken_answers_stand_at_the_upper_edge_at_their_size() -> None:
    axes = Canvas().add_subplot()
    draw_losses(axes, CASES["broken"])
    edge = axes.get_xaxis_transform()
    marks = [np.asarray(line.get_xydata())[0] for line in axes.get_lines() if line.get_transform() == edge]
    assert sorted(round(float(x), 3) for x, _ in marks) == [2.5, 2.5, 3.0, 4.0]
    assert min(y for _, y in marks) > 0.9
    assert "↑ broken" in [text.get_text() for text in axes.texts]


def test_ratios_divide_by_the_best_baseline_of_the_same_budget() -> None:
    comparison = CASES["two baselines"]
    higgs = comparison.lines[-1]
    ratios = [comparison.ratio(point) for point in higgs.points]
    assert ratios == pytest.approx([0.6 / 0.7, 0.3 / 0.4, 0.05 / 0.1], rel=1e-15)
    assert [comparison.ratio_se(point) for point in higgs.points] == pytest.approx([0.01 / 0.7, 0.01 / 0.4, 0.1])
    assert comparison.mean_ratio(higgs) == pytest.approx(exp(sum(log(ratio or 0) for ratio in ratios) / 3), rel=1e-12)


def test_ratios_are_drawn_in_the_group_of_their_budget() -> None:
    comparison = make_comparison(UNIFORM, HIGGS, make_line("hawq", (0.7, inf, 0.2)))
    spots = {(line.name, point.budget): x for line, point, x in ratio_spots(comparison)}
    assert {key: round(x) for key, x in spots.items()} == {
        (name, budget): place for name in ("higgs", "hawq") for place, budget in enumerate(BUDGETS)
    }
    assert spots["higgs", "2.5"] < spots["hawq", "2.5"]  # best first
    axes = Canvas().add_subplot()
    draw_ratios(axes, comparison)
    assert [label.get_text() for label in axes.get_xticklabels()] == list(BUDGETS)
    drawn = {
        tuple(np.asarray(line.get_xydata())[0]) for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == 1
    }
    for budget, loss, uniform in zip(BUDGETS, (0.6, 0.3, 0.05), (0.8, 0.4, 0.1), strict=True):
        assert (spots["higgs", budget], loss / uniform) in drawn


def test_the_best_comes_first_and_the_broken_last() -> None:
    comparison = make_comparison(
        make_line("worse", (0.9, 0.5, 0.2)), make_line("broken", (inf, 0.01, 0.01)), HIGGS, UNIFORM
    )
    assert [line.name for line in comparison.ranked] == ["uniform", "higgs", "worse", "broken"]


def test_each_of_many_lines_has_looks_of_its_own() -> None:
    marks = marks_of(make_comparison(UNIFORM, *many_lines(60)))
    assert len(set(marks.values())) == 61
    assert marks["uniform"].color is None


def test_a_method_keeps_its_looks_whatever_its_rank() -> None:
    first, second = many_lines(2)
    swapped = replace(second, points=first.points)
    assert marks_of(make_comparison(UNIFORM, first, second)) == marks_of(make_comparison(UNIFORM, first, swapped))


def test_the_first_sentence_names_the_best_of_each_budget() -> None:
    comparison = make_comparison(UNIFORM, HIGGS, make_line("hawq", (0.2, 0.5)))
    assert comparison.lead == (
        "Lowest loss at 2.5: hawq (0.25 × uniform); at 3.0: higgs (0.75 × uniform); at 4.0: higgs (0.5 × uniform)."
    )
    assert "at 2.5: none, all broken" in make_comparison(make_line("a", (inf, 0.3))).lead


def test_budgets_stand_in_the_order_of_their_sizes() -> None:
    line = Line(name="a", points=(make_point("10", 0.1), make_point("9", 0.2), make_point("2.5", 0.3)))
    assert make_comparison(line).budgets == ("2.5", "9", "10")


def test_without_a_baseline_the_foot_says_why_there_are_no_ratios() -> None:
    assert "no baseline has a finite loss" in foot_note(CASES["no baseline"])
    assert "2 standard errors" in foot_note(CASES["broken"])


def test_the_csv_holds_every_answer_to_the_last_digit() -> None:
    comparison = make_comparison(UNIFORM, HIGGS, make_line("a,b", (inf, 1 / 3), note="lost\nit"))
    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison))))
    assert [(row["method"], row["budget"]) for row in rows][-3:] == [("higgs", "4.0"), ("a,b", "2.5"), ("a,b", "3.0")]
    assert float(rows[6]["loss"]) == inf
    assert float(rows[7]["loss"]) == 1 / 3
    assert (rows[6]["ratio_to_uniform"], rows[6]["tokens"], rows[6]["note"]) == ("", "", "lost\nit")
    assert rows[3] == {
        "method": "higgs", "budget": "2.5", "size_bytes": "2500000", "bits_per_weight": "2.7",
        "nominal_bits_per_weight": "2.5", "loss": "0.6", "se": "0.01", "ratio_to_uniform": str(0.6 / 0.8),
        "difference_to_uniform": "-0.1", "difference_se": "0.01", "tokens": "1048576", "configuration": "c2.5",
        "note": "",
    }  # fmt: skip


def test_all_broken_is_refused() -> None:
    with pytest.raises(InputError, match="got none among 2"):
        make_comparison(make_line("a", (inf, nan)))


def test_two_answers_of_one_method_for_one_budget_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"got two of higgs for 2\.5"):
        make_comparison(HIGGS, make_line("higgs", (0.5,)))


@pytest.mark.parametrize(
    ("text", "columns", "end", "start"),
    [
        ("short", 5, "short", "short"),
        ("longer", 5, "long…", "…nger"),
        ("模型模型", 5, "模型…", "…模型"),
        ("ab c", 3, "ab…", "… c"),
    ],
)
def test_texts_are_cut_to_columns(text: str, columns: int, end: str, start: str) -> None:
    assert (clip_end(text, columns), clip_start(text, columns)) == (end, start)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("one two", ["one two"]),
        ("one two three", ["one two", "three"]),
        ("a 123456789", ["a", "1234567", "89"]),
        ("模型模型模型", ["模型模", "型模型"]),
    ],
)
def test_lines_break_between_words_and_only_then_inside(text: str, lines: list[str]) -> None:
    assert wrap(text, 7) == lines


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (999_999, "1 M"), (1_048_576, "1.05 M"), (3 * 10**9, "3 G")],
)
def test_counts_have_three_digits_and_a_prefix(count: int, shown: str) -> None:
    assert show_count(count) == shown
