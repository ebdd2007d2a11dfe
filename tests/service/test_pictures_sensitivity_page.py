"""``sensitivity.html``: one offline file whose grids, chosen layer and table say the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from offline_pages import HOSTILE, NO_ERROR, Reader, driven, needs_browser, rendered, table_of

from service.pictures.figure import Layer
from service.pictures.heatmap import Heatmap
from service.pictures.heatmap_page import draw_heatmap_page, heatmap_data
from service.pictures.offline_page import ECHARTS

OPTIONS = ("gptq-int2-g128-asym", "gptq-int4-g128-asym", "keep")


def make_heatmap(*, name: str = "layers") -> Heatmap:
    """Two blocks of two modules and a head; layer n costs n + 1 at two bits, a tenth of it at four."""
    inside = tuple(
        Layer(name=f"{name}.{block}.{module}", block=block, module=module, num_weights=4096)
        for block in range(2)
        for module in ("attn.q_proj", "mlp.up_proj")
    )
    layers = (*inside, Layer(name="lm_head", block=None, module="lm_head", num_weights=9))
    costs = tuple((number + 1.0, (number + 1) / 10, 0.0) for number in range(5))
    return Heatmap(
        title="a model",
        subtitle="sensitivity",
        score_name="fisher",
        layers=layers,
        options=OPTIONS,
        costs=(*costs[:3], (inf, None, 0.0), (5.0, -0.1, 0.0)),
        errors=((0.1, 0.01, None),) * 5,
        bits=((8192, 16384, 65536),) * 5,
        unit="predicted KL, nats per token",
        tokens="1.05 M tokens",
    )


@pytest.fixture
def page(tmp_path: Path) -> Path:
    draw_heatmap_page(make_heatmap(), tmp_path / "sensitivity.html")
    return tmp_path / "sensitivity.html"


def test_a_page_refers_to_nothing_outside_itself(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert Reader(text).references == []
    own = text.replace(ECHARTS.read_text(encoding="utf-8"), "")
    outside = own.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing fetches
    assert re.findall(r"https?:|//[a-z]+\.|@import|url\(", outside) == []
    assert "default-src 'none'" in own


def test_data_comes_back_from_a_page_as_it_went_in(page: Path) -> None:
    data = Reader(page.read_text(encoding="utf-8")).data
    assert data == json.loads(json.dumps(heatmap_data(make_heatmap())))
    assert data["costs"][3] == ["closed", None, 0.0]  # type: ignore[index]
    assert (data["drawn"], data["chosen"]) == ([0, 1], 4)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    heatmap = replace(make_heatmap(name=HOSTILE), title=HOSTILE, subtitle=HOSTILE, unit=HOSTILE)
    draw_heatmap_page(heatmap, tmp_path / "sensitivity.html")
    reader = Reader((tmp_path / "sensitivity.html").read_text(encoding="utf-8"))
    assert [kind for kind, _ in reader.scripts] == ["application/json", None, None]
    assert reader.data["layers"][0]["name"] == f"{HOSTILE}.0.attn.q_proj"  # type: ignore[index]


def facts_of(document: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", document))


class TestInABrowser:
    """The page as Chromium renders it, under its own content security policy unless driven."""

    pytestmark = needs_browser

    def test_every_option_has_a_grid_and_the_costliest_layer_is_chosen(self, page: Path, tmp_path: Path) -> None:
        document = rendered(page, tmp_path / "profile")
        assert NO_ERROR in document
        captions = re.findall(r"<figcaption>(.*?)<span>(.*?)</span>", document)
        assert captions == [(OPTIONS[0], "most 5: lm_head"), (OPTIONS[1], "most 0.3: 1 q_proj")]
        assert document.count("<canvas") == 2
        assert facts_of(document) == {OPTIONS[0]: "5.00 ± 0.10", OPTIONS[1]: "-0.100 ± 0.010", OPTIONS[2]: "0"}

    def test_the_table_ranks_the_layers_and_names_what_is_closed(self, page: Path, tmp_path: Path) -> None:
        rows = table_of(rendered(page, tmp_path / "profile"), "costs")
        names = [row[0] for row in rows]
        assert names == [
            "layers.1.mlp.up_proj",
            "lm_head",
            "layers.1.attn.q_proj",
            "layers.0.mlp.up_proj",
            "layers.0.attn.q_proj",
        ]
        assert rows[0][1:] == ["4,096", "closed", "–"]

    def test_only_marks_that_occur_are_explained(self, page: Path, tmp_path: Path) -> None:
        document = rendered(page, tmp_path / "profile")
        legend = re.search(r'<ul id="legend">(.*?)</ul>', document, re.S)
        assert legend is not None
        assert re.findall(r"</svg>(.*?)</li>", legend[1]) == [
            "zero or negative",
            "not open to the layer",
            "closed by the score (infinite)",
        ]

    def test_arrow_keys_follow_the_cells_and_rows_follow_the_keys(self, page: Path, tmp_path: Path) -> None:
        press = (
            "const press = (target, key) => target.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));"
            "const grid = document.querySelector('#grids figure');"
            "for (const key of ['ArrowUp', 'ArrowRight', 'ArrowUp']) press(grid, key);"
        )
        document = rendered(driven(page, press), tmp_path / "profile")
        heading = re.search(r'<h2 id="chosen">(.*?)</h2>', document)
        assert heading is not None
        assert heading[1].replace("<wbr>", "") == "layers.0.mlp.up_proj"
        assert re.findall(r'data-layer="(\d)"[^>]*aria-current="true"', document) == ["1"]
        row = "press(document.querySelector('#costs tr[data-layer=\"1\"]'), 'ArrowDown');"
        document = rendered(driven(page, press + row), tmp_path / "profile")
        assert re.findall(r'data-layer="(\d)"[^>]*aria-current="true"', document) == ["0"]

    def test_own_colours_give_each_option_the_whole_scale(self, page: Path, tmp_path: Path) -> None:
        costliest = 'style="background: rgb(69, 22, 61)'  # the last stop of the colours
        assert rendered(page, tmp_path / "profile").count(costliest) == 1
        click = "document.getElementById('own').click();"
        assert rendered(driven(page, click), tmp_path / "profile").count(costliest) == 2

    @pytest.mark.parametrize("cost", [None, inf, -1.0])
    def test_a_score_without_a_positive_cost_is_still_shown(self, cost: float | None, tmp_path: Path) -> None:
        heatmap = replace(make_heatmap(), costs=((cost,) * 3,) * 5)
        draw_heatmap_page(heatmap, tmp_path / "sensitivity.html")
        document = rendered(tmp_path / "sensitivity.html", tmp_path / "profile")
        assert NO_ERROR in document
        assert "no cost is above zero" in document
