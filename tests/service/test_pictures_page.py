"""``front.html``: one file, safely filled, that runs in a browser without a network."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from offline_pages import HOSTILE, Reader, driven, needs_browser, rendered, table_of

from service.pictures.figure import Figure, Layer, Point
from service.pictures.page import ECHARTS, draw_page, embed, page_data

VENDOR = Path(str(ECHARTS)).parent
MODULES = ("self_attn.q_proj", "mlp.up_proj", "mlp.down_proj")


def make_figure(*, label: str = "evolution") -> Figure:
    """Ten points over four blocks and a head: 4 on the front, 2 baselines, the last the answer."""
    inside = tuple(
        Layer(name=f"layers.{block}.{module}", block=block, module=module, num_weights=4096)
        for block in range(4)
        for module in MODULES
    )
    layers = (*inside, Layer(name="lm_head", block=None, module="lm_head", num_weights=9))
    points = tuple(
        Point(
            configuration_id=f"c{number}",
            label=f"{label} {number}",
            size_bytes=1_000_000 + 100_000 * number,
            bits_per_weight=2.1 + number / 2,
            nominal_bits_per_weight=2 + number / 2,
            objective=5.0 / 2**number if number % 3 == 0 else 6.0,
            objective_se=0.01,
            is_front=number % 3 == 0,
            is_baseline=number in (1, 2),
            is_answer=number == 9,
            options=None if number == 8 else (f"gptq-int{2 + number % 7}-g128-asym",) * 12 + ("keep",),
        )
        for number in range(10)
    )
    return Figure(
        title="a model",
        subtitle="evolution, seed 0",
        objective_name="perplexity",
        points=points,
        layers=layers,
        budget_label="2 MB",
        budget_size_bytes=2_000_000,
        verdict="Better than uniform.",
    )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    draw_page(make_figure(), tmp_path / "front.html")
    return tmp_path / "front.html"


def test_vendored_files_are_those_of_the_lock() -> None:
    lock = json.loads((VENDOR / "lock.json").read_text())
    found = {
        file.relative_to(VENDOR).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in VENDOR.rglob("*")
        if file.is_file() and file.name != "lock.json"
    }
    assert found == lock["sha256"]
    assert {"echarts.min.js", "LICENSE", "NOTICE"} <= set(found)


def test_a_page_refers_to_nothing_outside_itself(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    reader = Reader(text)
    assert reader.references == []
    own = text.replace(ECHARTS.read_text(encoding="utf-8"), "")
    assert re.findall(r"https?:|//[a-z]+\.|@import|url\(", own) == []
    assert "default-src 'none'" in own


def test_data_comes_back_from_a_page_as_it_went_in(page: Path) -> None:
    figure = make_figure()
    data = Reader(page.read_text(encoding="utf-8")).data
    assert data == json.loads(json.dumps(page_data(figure)))
    assert data["shown"] == 9
    slugs, points = data["slugs"], data["points"]
    for point, written in zip(figure.points, points, strict=True):  # type: ignore[call-overload]
        numbers = written["options"]
        assert point.options == (None if numbers is None else tuple(slugs[n] for n in numbers))  # type: ignore[index]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    figure = replace(make_figure(label=HOSTILE), title=HOSTILE, subtitle=HOSTILE, verdict=HOSTILE)
    draw_page(figure, tmp_path / "front.html")
    reader = Reader((tmp_path / "front.html").read_text(encoding="utf-8"))
    assert [kind for kind, _ in reader.scripts] == ["application/json", None, None]
    assert reader.data["points"][0]["label"] == f"{HOSTILE} 0"  # type: ignore[index]


def test_embedded_json_has_nothing_that_ends_a_script_or_a_line() -> None:
    text = embed({"text": HOSTILE})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"text": HOSTILE}


def test_what_is_not_finite_becomes_null(tmp_path: Path) -> None:
    figure = make_figure()
    broken = replace(figure.points[0], objective=float("inf"), objective_se=float("nan"))
    draw_page(replace(figure, points=(broken, *figure.points[1:])), tmp_path / "front.html")
    first = Reader((tmp_path / "front.html").read_text(encoding="utf-8")).data["points"][0]  # type: ignore[index]
    assert (first["objective"], first["se"]) == (None, None)


def test_a_page_replaces_the_one_before_and_leaves_nothing_beside(page: Path) -> None:
    draw_page(replace(make_figure(), title="another"), page)
    assert "<title>another</title>" in page.read_text(encoding="utf-8")
    assert [file.name for file in page.parent.iterdir()] == ["front.html"]


def rows_of(document: str) -> list[list[str]]:
    """The texts of the cells of each row in the table of points."""
    return table_of(document, "points")


class TestInABrowser:
    """The page as Chromium renders it, under its own content security policy unless driven."""

    pytestmark = needs_browser

    def test_the_table_lists_front_answer_and_baselines_by_size(self, page: Path, tmp_path: Path) -> None:
        document = rendered(page, tmp_path / "profile")
        assert '<p id="error" role="alert" hidden="">' in document
        assert [row[-1] for row in rows_of(document)] == ["c0", "c1", "c2", "c3", "c6", "c9"]
        assert rows_of(document)[5][:3] == ["evolution 9", "answer, on the front", "1.900 MB"]
        assert "<canvas" in document

    def test_the_strip_shows_every_layer_of_the_answer(self, page: Path, tmp_path: Path) -> None:
        cells = re.findall(r'title="([^"]*)"[^>]*data-layer="', rendered(page, tmp_path / "profile"))
        assert len(cells) == 13
        assert cells[0] == "layers.0.self_attn.q_proj: gptq-int4-g128-asym (4,096 weights)"
        assert cells[-1] == "lm_head: keep (9 weights)"

    def test_each_of_several_answers_names_its_budget(self, tmp_path: Path) -> None:
        figure = make_figure()
        points = tuple(
            replace(each, is_answer=number in (3, 6, 9), budget=f"{number} bits" if number in (3, 6, 9) else "")
            for number, each in enumerate(figure.points)
        )
        draw_page(replace(figure, points=points), tmp_path / "front.html")
        program = (
            "const all = echarts.getInstanceByDom(document.getElementById('chart')).getOption();"
            "const stars = all.series.find((one) => one.id === 'answer');"
            "document.body.dataset.seen = stars.data.map((spot) => stars.label.formatter({data: spot})).join('|');"
        )
        document = rendered(driven(tmp_path / "front.html", program), tmp_path / "profile")
        assert 'data-seen="3 bits|6 bits|9 bits"' in document
        roles = [row[1] for row in rows_of(document)]
        assert [role for role in roles if "answer" in role] == [f"answer at {n} bits, on the front" for n in (3, 6, 9)]

    def test_a_row_chosen_by_click_or_key_shows_its_layers(self, page: Path, tmp_path: Path) -> None:
        copy = driven(
            page,
            "document.querySelectorAll('#points tbody tr')[3].click();"
            "document.querySelectorAll('#points tbody tr')[3].dispatchEvent("
            "  new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}));",
        )
        document = rendered(copy, tmp_path / "profile")
        assert '<h2 id="chosen">evolution 6</h2>' in document
        assert "layers.3.mlp.down_proj: gptq-int8-g128-asym" in document
        assert len(re.findall(r'<tr [^>]*aria-current="true"', document)) == 1

    def test_the_table_sorts_both_ways(self, page: Path, tmp_path: Path) -> None:
        twice = "for (let i = 0; i < 2; i += 1) document.querySelectorAll('#points thead button')[5].click();"
        document = rendered(driven(page, twice), tmp_path / "profile")
        objectives = [float(row[5].split(" ±")[0]) for row in rows_of(document)]
        assert objectives == sorted(objectives, reverse=True)
        assert document.count('aria-sort="descending"') == 1

    def test_controls_redraw_without_an_error(self, page: Path, tmp_path: Path) -> None:
        program = (
            "const controls = document.getElementById('controls');"
            "for (const axis of ['nominal', 'bits', 'size']) for (const name of ['log', 'dominated']) {"
            "  document.getElementById('axis').value = axis; document.getElementById(name).click();"
            "  controls.dispatchEvent(new Event('change')); }"
            "const all = echarts.getInstanceByDom(document.getElementById('chart')).getOption();"
            "document.body.dataset.seen = all.xAxis[0].name + '|' + all.yAxis[0].type + '|'"
            "  + all.series.find((one) => one.id === 'dominated').data.length;"
        )
        document = rendered(driven(page, program), tmp_path / "profile")
        assert 'data-seen="size, MB|value|0"' in document
        assert '<p id="error" role="alert" hidden="">' in document

    def test_a_failing_script_says_so_on_the_page(self, page: Path, tmp_path: Path) -> None:
        document = rendered(driven(page, "throw new Error('on purpose');"), tmp_path / "profile")
        assert "This page failed: Uncaught Error: on purpose" in document
