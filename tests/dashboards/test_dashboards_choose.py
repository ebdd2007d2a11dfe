"""Choosing on a front: brush, sliders, table and chart say the same, and the address keeps all of it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from dashboard_candidates import quantized
from dashboard_jobs import add_job
from dashboard_site import Site
from dashboard_visit import Visit
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

VisitAs = Callable[..., Visit]
PLACE_OF = """([chart, x, y]) => {
  const made = echarts.getInstanceByDom(chart);
  const place = made.convertToPixel({xAxisIndex: 0, yAxisIndex: 0}, [x, y]);
  return place;
}"""
MANY = 10_000


def in_range(text: str, value: float) -> bool:
    low, high = map(float, text.split(":"))
    return low <= value <= high


def choice(visit: Visit, title: str) -> Locator:
    return visit.page.get_by_role("region", name=title)


def test_a_brush_on_the_front_selects_in_table_and_counts(visit: Visit, site: Site, job: str) -> None:
    visit.open(f"/jobs/{job}?tool=brush&x=size_bytes")
    chart = visit.chart("Pareto front")
    visit.drag(chart, (0.2, 0.2), (0.6, 0.9))
    query = visit.wait_for_key("size", "loss")
    inside = [
        each.seq
        for each in site.store.candidates(job)
        if each.loss is not None and in_range(query["size"], each.size_bytes) and in_range(query["loss"], each.loss)
    ]
    assert 0 < len(inside) < 80
    expect(visit.page.locator(".front-selection strong")).to_have_text(f"{len(inside)} of 80 selected")
    numbers = visit.rows().locator("td:first-child")
    expect(numbers).to_have_count(len(inside))
    assert sorted(map(int, numbers.all_inner_texts())) == inside
    visit.button("Clear").click()
    visit.expect_query(size=None, loss=None)
    expect(numbers).to_have_count(80)


def test_a_brush_on_a_parallel_axis_is_the_same_selection(visit: Visit, site: Site, job: str) -> None:
    visit.open(f"/jobs/{job}")
    chart = visit.chart("Candidates in parallel coordinates")
    box = chart.bounding_box()
    assert box is not None
    left = 64 / box["width"]  # the first axis: size
    visit.drag(chart, (left, 0.35), (left, 0.7))
    size = visit.wait_for_key("size")["size"]
    inside = [each.seq for each in site.store.candidates(job) if in_range(size, each.size_bytes)]
    assert 0 < len(inside) < 80
    expect(visit.rows()).to_have_count(len(inside))
    expect(visit.page.locator(".front-selection strong")).to_have_text(f"{len(inside)} of 80 selected")


def test_sliders_find_what_the_service_would_select(visit: Visit, site: Site, job: str) -> None:
    visit.open(f"/jobs/{job}")
    size = choice(visit, "Best under a size")
    size.get_by_label("at most").fill("3.5 MB")
    size.get_by_label("at most").press("Enter")
    visit.expect_query(max_size="3500000")
    best = min(
        (each for each in site.store.front(job) if each.size_bytes <= 3_500_000), key=lambda each: each.loss or 0
    )
    expect(size.get_by_role("row").nth(1)).to_contain_text(best.label)
    asked = len(visit.requests)
    slider = size.get_by_role("slider")
    slider.press("End")
    slider.press("ArrowLeft")
    slider.press("PageDown")
    expect(size.get_by_role("row").nth(1)).to_be_visible()
    loss = choice(visit, "Smallest under a loss")
    loss.get_by_role("slider").press("End")
    smallest = min(site.store.front(job), key=lambda each: each.size_bytes)
    expect(loss.get_by_role("row").nth(1)).to_contain_text(smallest.label)
    # all of it is known already; the job itself is read again when its events end, whenever that is
    about_the_job = f"{site.origin}/api/v1/jobs/{job}"
    assert [url for url in visit.requests[asked:] if "/api/" in url and url != about_the_job] == []
    loss.get_by_role("link", name="Show its layers").click()
    expect(visit.page.get_by_role("heading", name=f"Candidate {smallest.seq}", exact=True)).to_be_visible()


def test_a_click_on_a_point_shows_its_layers(visit: Visit, site: Site, job: str) -> None:
    visit.open(f"/jobs/{job}?log=0&x=size_bytes")
    chart = visit.chart("Pareto front")
    point = site.store.front(job)[3]
    place = visit.page.locator(".front-card .chart-box").evaluate_handle("chart => chart")
    x, y = visit.page.evaluate(PLACE_OF, [place, point.size_bytes, point.loss])
    chart.click(position={"x": x, "y": y})
    visit.expect_query(candidate=str(point.seq))
    expect(visit.page.get_by_role("heading", name=f"Candidate {point.seq}", exact=True)).to_be_visible()
    strip = visit.page.get_by_role("grid", name=f"candidate {point.seq}: the option of every layer")
    expect(strip.locator("td[data-cell]")).to_have_count(28)
    strip.locator("td[data-cell]").first.hover()
    expect(visit.page.locator(".strip-told").first).to_contain_text("block 0")
    expect(visit.page.get_by_role("grid", name="sensitivity of every layer")).to_be_visible()


def test_sorting_filtering_and_choosing_columns(visit: Visit, site: Site, odd_jobs: dict[str, str]) -> None:
    job_id = odd_jobs["some failed"]
    visit.open(f"/jobs/{job_id}")
    visit.button("Sort by KL").click()
    visit.expect_query(sort="loss")
    cells = visit.rows().locator("td:last-child").all_inner_texts()
    numbers = [float(cell.split()[0]) for cell in cells if cell != "failed"]
    assert numbers == sorted(numbers)
    assert cells[len(numbers) :] == ["failed"] * 14  # what has no number comes last
    visit.button("Sort by KL").click()
    visit.expect_query(sort="-loss")
    assert visit.rows().locator("td:last-child").all_inner_texts()[len(numbers) :] == ["failed"] * 14
    visit.page.get_by_role("radio", name="Failed 14").check(force=True)
    expect(visit.rows()).to_have_count(14)
    visit.page.get_by_text("Columns", exact=True).click()
    visit.page.get_by_role("checkbox", name="configuration").check()
    expect(visit.page.get_by_role("columnheader", name="configuration")).to_be_visible()


def test_the_table_is_downloaded_in_full(visit: Visit, odd_jobs: dict[str, str]) -> None:
    visit.open(f"/jobs/{odd_jobs['hostile names']}?show=plain")
    expect(visit.rows()).to_have_count(5)
    with visit.page.expect_download() as download:
        visit.button("Download CSV").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert lines[0].startswith("seq,configuration_id,label")
    assert len(lines) == 6


VIEWS = (
    "tab=history&over=tokens&hlog=0",
    "x=nominal_bits_per_weight&y=loss&log=0&dominated=1&sort=-loss&show=front&candidate=12",
    "size=2600000:3300000&loss=0.0001:1&max_size=3300000&max_loss=0.02&tool=brush",
    "zx=2500000:3000000&zy=0.001:0.05&candidate=7&layers=table&columns=seq.loss.configuration_id",
    "tab=events&kind=phase",
)


@pytest.mark.parametrize("query", VIEWS)
def test_who_is_sent_an_address_sees_the_same(
    visit: Visit, visit_as: VisitAs, site: Site, job: str, query: str
) -> None:
    """The page reads the same in another tab and after a reload, and looking at it changed no word of the address."""
    shown = []
    for each in (visit, visit_as(site)):
        each.open(f"/jobs/{job}?{query}")
        shown.append(text_of(each))
        assert unquote(each.page.evaluate("location.hash")) == f"#/jobs/{job}?{query}"
    visit.page.reload()
    shown.append(text_of(visit))
    assert shown[1:] == shown[:-1]


def text_of(visit: Visit) -> str:
    """All that stands on the page once everything is there, without how long ago it was."""
    expect(visit.page.get_by_role("tab", name="Front")).to_have_text("Front80")
    expect(visit.page.locator("main [aria-busy=true], main .loading")).to_have_count(0)
    visit.page.wait_for_function(
        """() => {
      const text = document.querySelector("main").innerText;
      const isSame = text === window.textBefore;
      window.textBefore = text;
      return isSame;
    }""",
        polling=500,
    )
    controls = visit.page.locator("main select, main input").evaluate_all(
        "all => all.map((each) => [each.type, each.value, each.checked])"
    )
    times = visit.page.locator("main time").all_inner_texts()
    text = visit.page.locator("main").inner_text()
    for time in times:
        text = text.replace(time, "")
    return f"{text}\n{controls}"


def test_back_leaves_the_page_and_not_one_choice_after_the_other(visit: Visit, job: str) -> None:
    visit.open("/jobs")
    visit.page.get_by_role("link", name="usual").first.click()
    expect(visit.rows()).to_have_count(80)
    visit.rows().nth(1).click()
    visit.rows().nth(5).click()
    visit.wait_for_key("candidate")
    visit.page.go_back()
    expect(visit.page.get_by_role("heading", name="Jobs", exact=True)).to_be_attached()
    visit.page.go_forward()
    visit.wait_for_key("candidate")


def test_jobs_and_candidates_are_compared(visit: Visit, site: Site, job: str, odd_jobs: dict[str, str]) -> None:
    other = odd_jobs["several budgets"]
    visit.open("/jobs")
    for job_id in (job, other):
        visit.page.locator(f"[data-job='{job_id}']").get_by_role("checkbox").check()
    visit.page.get_by_role("link", name="Compare").last.click()
    visit.expect_query(jobs=f"{job},{other}")
    expect(visit.page.get_by_role("img").locator("canvas").first).to_be_visible()
    visit.open(f"/compare?jobs={job},{other}&candidates={job}:7,{other}:12")
    expect(visit.page.locator(".block-grid td[data-cell]").first).to_be_visible()
    visit.button("Add a job").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("dropped parts")


def test_ten_thousand_candidates_are_drawn_as_a_few_and_updated_by_what_is_new(visit: Visit, site: Site) -> None:
    job_id = add_job(site.store, "many", ends=None)
    for first in range(0, MANY, 1000):
        site.store.add_candidates(job_id, 1, quantized(1000, first=first))
    visit.open(f"/jobs/{job_id}?dominated=1")
    expect(visit.page.get_by_role("tab", name="Front")).to_have_text(f"Front{MANY:,}")
    expect(visit.page.locator(".candidate-table")).to_contain_text(f"All {MANY}")
    assert visit.number_of_rows() == MANY
    assert visit.page.locator("main *").count() < 3000
    asked = len(visit.requests)
    site.store.add_candidates(job_id, 1, quantized(30, first=MANY))
    expect(visit.page.get_by_role("tab", name="Front")).to_have_text(f"Front{MANY + 30:,}")
    pages = [url for url in visit.requests[asked:] if "/candidates?" in url]
    assert pages
    assert all(f"after_seq={MANY}" in url for url in pages), pages
    visit.table().evaluate("table => { table.parentElement.scrollTop = table.parentElement.scrollHeight / 2; }")
    expect(visit.rows().first).not_to_have_attribute("aria-rowindex", "2")
    visit.drag(visit.chart("Pareto front"), (0.4, 0.4), (0.5, 0.5))  # moves it
    size = choice(visit, "Best under a size")
    size.get_by_label("at most").fill("3 MB")
    size.get_by_label("at most").press("Enter")
    best = min((each for each in site.store.front(job_id) if each.size_bytes <= 3e6), key=lambda each: each.loss or 0)
    expect(size.get_by_role("row").nth(1)).to_contain_text(best.label)
    size.get_by_role("link", name="Show its layers").click()
    expect(visit.page.get_by_role("heading", name=f"Candidate {best.seq}", exact=True)).to_be_visible()
