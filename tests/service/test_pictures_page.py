"""``front.html``: one file, safely filled, that runs in a browser without a network."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from service.pictures.figure import Figure, Layer, Point
from service.pictures.page import ECHARTS, draw_page, embed, page_data

CHROMIUM = "/usr/bin/chromium"
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


class Reader(HTMLParser):
    """Collects the scripts of a page and everything a browser would fetch for it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self._open: str | bool | None = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.references += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action", "data", "poster") and value
        ]
        if tag == "script":
            self._open = attributes.get("type")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open is not False:
            self.scripts.append((str(self._open) if self._open else None, data))

    @property
    def data(self) -> dict[str, object]:
        (text,) = (text for kind, text in self.scripts if kind == "application/json")
        loaded: dict[str, object] = json.loads(text)
        return loaded


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


HOSTILE = "</script><script>alert(1)</script><!-- \u2028 \u2029 & \"<b>\" '$title'"


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


needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"needs {CHROMIUM}"),
]


def rendered(page: Path, profile: Path) -> str:
    """The document after its scripts ran, as Chromium writes it out."""
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --virtual-time-budget=3000"
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def rows_of(document: str) -> list[list[str]]:
    """The texts of the cells of each row in the table of points."""
    body = re.search(r'<table id="points">.*?<tbody>(.*?)</tbody>', document, re.S)
    assert body is not None
    rows = re.findall(r"<tr.*?</tr>", body[1], re.S)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S) for row in rows]


def driven(page: Path, program: str) -> Path:
    """A copy of ``page`` that also runs ``program``, as a reader's hands would."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    copy = page.with_name("driven.html")
    copy.write_text(f"{text}<script>{program}</script>", encoding="utf-8")
    return copy


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
