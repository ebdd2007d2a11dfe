"""``comparison.html``: one offline file whose charts, legend and table say the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from offline_pages import HOSTILE, NO_ERROR, Reader, driven, needs_browser, rendered, table_of

from service.pictures.comparison import Comparison, ComparisonPoint, Line
from service.pictures.comparison_marks import METHOD_COLORS
from service.pictures.comparison_page import comparison_data, draw_comparison_page
from service.pictures.offline_page import ECHARTS, STATIC

LOSSES = {"uniform": (0.8, 0.4), "higgs": (0.6, 0.3), "hawq": (inf, 0.2)}


def make_comparison(*, prefix: str = "", baselines: tuple[str, ...] = ("uniform",)) -> Comparison:
    """Uniform and two methods at two budgets; hawq breaks at the smaller one."""
    lines = tuple(
        Line(
            name=f"{prefix}{name}",
            is_baseline=name in baselines,
            points=tuple(
                ComparisonPoint(
                    budget=budget,
                    configuration_id=f"{name}-{budget}",
                    size_bytes=int(1e6 * float(budget)),
                    bits_per_weight=float(budget) + 0.2,
                    nominal_bits_per_weight=float(budget),
                    loss=loss,
                    loss_se=None if loss == inf else 0.01,
                    difference=None if name == "uniform" or loss == inf else -0.1,
                    difference_se=None if name == "uniform" or loss == inf else 0.02,
                    tokens=None if name == "uniform" else 1_048_576,
                    note="all tokens alike" if loss == inf else "",
                )
                for budget, loss in zip(("2.5", "3.0"), losses, strict=True)
            ),
        )
        for name, losses in LOSSES.items()
    )
    return Comparison(title="a model", subtitle="methods", objective_name="KL divergence", lines=lines)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    draw_comparison_page(make_comparison(), tmp_path / "comparison.html")
    return tmp_path / "comparison.html"


def test_a_page_refers_to_nothing_outside_itself(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert Reader(text).references == []
    own = text.replace(ECHARTS.read_text(encoding="utf-8"), "")
    outside = own.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing fetches
    assert re.findall(r"https?:|//[a-z]+\.|@import|url\(", outside) == []
    assert "default-src 'none'" in own


def test_data_comes_back_from_a_page_as_it_went_in(page: Path) -> None:
    data = Reader(page.read_text(encoding="utf-8")).data
    assert data == json.loads(json.dumps(comparison_data(make_comparison())))
    names = [line["name"] for line in data["lines"]]  # type: ignore[attr-defined]
    assert names == ["uniform", "higgs", "hawq"]
    broken = data["lines"][2]["points"][0]  # type: ignore[index]
    assert (broken["loss"], broken["ratio"], broken["note"]) == (None, None, "all tokens alike")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    comparison = replace(make_comparison(prefix=HOSTILE), title=HOSTILE, subtitle=HOSTILE, objective_name=HOSTILE)
    draw_comparison_page(comparison, tmp_path / "comparison.html")
    reader = Reader((tmp_path / "comparison.html").read_text(encoding="utf-8"))
    assert [kind for kind, _ in reader.scripts] == ["application/json", None, None]
    assert reader.data["lines"][0]["name"] == f"{HOSTILE}uniform"  # type: ignore[index]


def test_page_and_picture_give_a_method_the_same_colour() -> None:
    style = STATIC.joinpath("comparison", "page.css").read_text(encoding="utf-8")
    light = style[: style.index("@media")]
    assert re.findall(r"--m\d: (#\w{6});", light) == list(METHOD_COLORS)


SERIES = (
    "const seen = (id) => echarts.getInstanceByDom(document.getElementById(id)).getOption().series;"
    "const opacity = (number) => seen('chart').find((one) => one.id === `line-${number}`).itemStyle.opacity;"
)


class TestInABrowser:
    """The page as Chromium renders it, under its own content security policy unless driven."""

    pytestmark = needs_browser

    def test_the_table_tells_losses_differences_and_what_broke(self, page: Path, tmp_path: Path) -> None:
        document = rendered(page, tmp_path / "profile")
        assert NO_ERROR in document
        rows = table_of(document, "answers")
        assert [(row[0], row[1]) for row in rows] == [
            (name, budget) for budget in ("2.5", "3.0") for name in ("uniform", "higgs", "hawq")
        ]
        assert rows[1][2:8] == ["2.500 MB", "2.500", "0.600 ± 0.010", "0.750", "-0.100 ± 0.020", "1,048,576"]
        assert rows[2][4:] == ["broken", "–", "–", "1,048,576", "hawq-2.5", "all tokens alike"]

    def test_the_legend_is_ranked_and_both_charts_are_drawn(self, page: Path, tmp_path: Path) -> None:
        document = rendered(page, tmp_path / "profile")
        assert re.findall(r'<span class="name">(\w+)', document) == ["uniform", "higgs", "hawq"]
        assert '<span class="broken">broken at 2.5</span>' in document
        assert document.count("<canvas") == 2
        assert "Bars reach 2 standard errors" in document

    def test_a_legend_entry_mutes_its_line_and_all_come_back(self, page: Path, tmp_path: Path) -> None:
        program = SERIES + (
            "document.querySelectorAll('#legend button')[1].click();"
            "const muted = opacity(1);"
            "document.body.dataset.pressed = document.querySelectorAll('#legend button')[1].ariaPressed;"
            "document.getElementById('all').click();"
            "document.body.dataset.seen = [muted < 0.1, opacity(0), opacity(1)].join('|');"
        )
        document = rendered(driven(page, program), tmp_path / "profile")
        assert 'data-pressed="false"' in document
        assert 'data-seen="true|1|1"' in document
        assert NO_ERROR in document

    def test_a_row_brings_its_line_out_and_escape_lets_it_go(self, page: Path, tmp_path: Path) -> None:
        program = SERIES + (
            "const press = (target, key) => target.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));"
            "const rows = document.querySelectorAll('#answers tbody tr');"
            "rows[0].click(); press(rows[0], 'ArrowDown');"
            "document.body.dataset.seen = [opacity(0) < 0.5, opacity(1)].join('|');"
            "document.body.dataset.current = [...rows].map((row) => row.ariaCurrent).join('|');"
            "press(document.body, 'Escape');"
            "document.body.dataset.after = [opacity(0), opacity(1)].join('|');"
        )
        document = rendered(driven(page, program), tmp_path / "profile")
        assert 'data-seen="true|1"' in document
        assert 'data-current="false|true|false|false|false|false"' in document
        assert 'data-after="1|1"' in document

    def test_the_axis_changes_and_broken_sorts_last(self, page: Path, tmp_path: Path) -> None:
        program = SERIES + (
            "document.getElementById('axis').value = 'nominal';"
            "document.getElementById('controls').dispatchEvent(new Event('change'));"
            "document.querySelectorAll('#answers thead button')[4].click();"
            "document.body.dataset.seen = JSON.stringify("
            "  seen('chart').find((one) => one.id === 'line-1').data.map((spot) => spot.value));"
        )
        document = rendered(driven(page, program), tmp_path / "profile")
        assert 'data-seen="[[2.5,0.6],[3,0.3]]"' in document
        losses = [row[4] for row in table_of(document, "answers")]
        assert [loss.split(" ±")[0] for loss in losses] == ["0.200", "0.300", "0.400", "0.600", "0.800", "broken"]

    def test_without_a_baseline_there_is_no_second_chart(self, tmp_path: Path) -> None:
        draw_comparison_page(make_comparison(baselines=()), tmp_path / "comparison.html")
        document = rendered(tmp_path / "comparison.html", tmp_path / "profile")
        assert NO_ERROR in document
        assert '<div id="ratios-frame" hidden="">' in document
        assert "no baseline has a finite loss" in document
