"""Jobs of one, two and three objectives: what the front weighs, which two are drawn, and what is best in all."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from dashboard_site import Site
from dashboard_visit import Visit
from playwright.sync_api import Locator, expect

from store.records import CandidateRecord

pytestmark = pytest.mark.browser

THREE, WITH_TASK, TASK = "three objectives", "errors on a task", "task:next"
LINES_DRAWN = """() => {
  const box = document.querySelector(".chart-box");
  return box !== null && globalThis.echarts?.getInstanceByDom(box)?.getOption()?.series.length > 0;
}"""
LINES_OF = """box => echarts.getInstanceByDom(box).getOption().series
  .filter((each) => each.id.startsWith("front-")).map((each) => each.data.map((point) => point.value))"""


def on_line(candidates: list[CandidateRecord], across: str, up: str) -> set[int]:
    """The numbers of those that no other is as good as in these two, by comparing every pair."""

    def value(each: CandidateRecord, name: str) -> float:
        found: float = each.task_errors["next"] if name == TASK else getattr(each, name)
        return found

    def values(each: CandidateRecord) -> tuple[float, float]:
        return value(each, across), value(each, up)

    def beats(one: CandidateRecord, other: CandidateRecord) -> bool:
        (x, y), (other_x, other_y) = values(one), values(other)
        is_first = (x, y) != (other_x, other_y) or one.seq < other.seq
        return one.seq != other.seq and x <= other_x and y <= other_y and is_first

    return {each.seq for each in candidates if not any(beats(other, each) for other in candidates)}


def count_of(visit: Visit, mark: str) -> Locator:
    return visit.page.locator(f".front-legend li:has(.mark.{mark}) .number")


def objectives_of(visit: Visit) -> Locator:
    """The words that the job's facts explain as what it minimises."""
    return visit.page.locator(".job-facts div").filter(has_text="Objective").locator("dd .term")


@pytest.mark.parametrize(
    ("job", "pair", "across", "up"),
    [
        (THREE, "KL over size", "size_bytes", "loss"),
        (THREE, "KL over FLOPs per token", "flops", "loss"),
        (THREE, "size over FLOPs per token", "flops", "size_bytes"),
        (WITH_TASK, "KL over error on next", TASK, "loss"),
        (WITH_TASK, "size over error on next", TASK, "size_bytes"),
    ],
)
def test_what_is_best_in_all_three_is_marked_on_any_two(
    visit: Visit, site: Site, odd_jobs: dict[str, str], job: str, pair: str, across: str, up: str
) -> None:
    job_id = odd_jobs[job]
    found = site.store.candidates(job_id)
    line, best = on_line(found, across, up), {each.seq for each in site.store.front(job_id)}
    plain = {each.seq for each in found if each.kind == "plain"}
    visit.open(f"/jobs/{job_id}")
    visit.button(pair).click()
    visit.expect_query(x=across, y=up)
    expect(visit.button(pair)).to_have_attribute("aria-pressed", "true")
    assert len(best - line - plain) > 3
    expect(count_of(visit, "front")).to_have_text(str(len(line)))
    expect(count_of(visit, "beyond")).to_have_text(str(len(best - line - plain)))
    visit.page.get_by_role("checkbox", name="dominated").check()
    expect(count_of(visit, "dominated")).to_have_text(str(len(found) - len(line | best | plain)))
    expect(visit.chart("Pareto front")).to_be_visible()


def test_flops_are_offered_explained_and_written_with_their_unit(
    visit: Visit, site: Site, odd_jobs: dict[str, str]
) -> None:
    visit.open(f"/jobs/{odd_jobs[THREE]}?sort=flops&x=parameters")
    across = visit.page.get_by_label("across")
    expect(across).to_have_value("parameters")
    assert "Weights of the whole model that are kept" in (across.get_attribute("title") or "")
    across.select_option("flops")
    assert "2 for each weight" in (across.get_attribute("title") or "")
    expect(objectives_of(visit)).to_have_text(["KL", "size", "FLOPs per token"])
    head = visit.table().get_by_role("columnheader").filter(has_text="FLOPs/token")
    head.locator(".term").hover()
    expect(visit.page.get_by_role("tooltip").filter(has_text="2 for each weight")).to_be_visible()
    least = min(site.store.candidates(odd_jobs[THREE]), key=lambda each: (each.flops or 0, each.seq))
    assert least.flops is not None
    cell = visit.rows().first.get_by_title(f"{least.flops:,} FLOPs per token")
    expect(cell).to_have_text(f"{least.flops / 1e6:.2f}\u00a0MFLOPs")
    assert 1e6 <= least.flops < 1e7
    expect(visit.page.get_by_role("img", name="Candidates in parallel coordinates")).to_be_visible()


def test_a_candidate_that_only_a_third_objective_saves_says_so(
    visit: Visit, site: Site, odd_jobs: dict[str, str]
) -> None:
    found, front = site.store.candidates(odd_jobs[THREE]), site.store.front(odd_jobs[THREE])
    line = on_line(found, "size_bytes", "loss")
    beyond = next(each for each in front if each.seq not in line)
    beaten = next(each for each in found if not each.is_on_front and each.kind == "candidate")
    visit.open(f"/jobs/{odd_jobs[THREE]}?candidate={beyond.seq}")
    panel = visit.page.locator(".candidate-panel")
    expect(panel).to_contain_text("nothing beats it in KL, size and FLOPs per token together")
    expect(panel.locator(".comparisons .term").filter(has_text="Dominated")).to_have_count(0)
    visit.open(f"/jobs/{odd_jobs[THREE]}?candidate={beaten.seq}")
    dominated = panel.locator(".comparisons li").filter(has_text="Dominated")
    expect(dominated).to_contain_text("FLOPs")


def test_errors_on_a_task_are_shown_explained_compared_and_saved(
    visit: Visit, site: Site, odd_jobs: dict[str, str], tmp_path: Path
) -> None:
    job_id = odd_jobs[WITH_TASK]
    found = site.store.candidates(job_id)
    visit.open(f"/jobs/{job_id}?sort={TASK}&candidate=5")
    expect(objectives_of(visit)).to_have_text(["KL", "size", "error on next"])
    head = visit.table().get_by_role("columnheader").filter(has_text="error on next")
    head.locator(".term").hover()
    expect(visit.page.get_by_role("tooltip").filter(has_text="questions that the compressed model")).to_be_visible()
    panel, error = visit.page.locator(".candidate-panel"), found[4].task_errors["next"]
    expect(panel.locator("dl.figures div").filter(has_text="Error on next").locator("dd")).to_have_attribute(
        "title", str(error).removesuffix(".0")
    )
    with visit.page.expect_download() as download:
        visit.button("Download CSV").click()
    download.value.save_as(tmp_path / "front.csv")
    rows = csv.DictReader((tmp_path / "front.csv").read_text().splitlines())
    told = {int(row["seq"]): float(row["error_next"]) for row in rows}
    assert told == {each.seq: each.task_errors["next"] for each in found}
    visit.open(f"/compare?jobs={job_id}&candidates={job_id}:5,{job_id}:9")
    expect(visit.page.get_by_role("row").filter(has_text="Error on next")).to_contain_text(f"{error:.4g}")


@pytest.mark.parametrize(("name", "words"), [("one objective", ["KL"]), ("two objectives", ["KL", "size"])])
def test_one_and_two_objectives_need_no_words_about_a_third(
    visit: Visit, odd_jobs: dict[str, str], name: str, words: list[str]
) -> None:
    visit.open(f"/jobs/{odd_jobs[name]}")
    expect(objectives_of(visit)).to_have_text(words)
    expect(count_of(visit, "front")).to_be_visible()
    expect(visit.page.locator(".front-wide, .mark.beyond")).to_have_count(0)
    expect(visit.page.get_by_label("across").locator("option[value=flops]")).to_have_count(1)


def test_candidates_of_before_have_a_dash(visit: Visit, odd_jobs: dict[str, str]) -> None:
    visit.open(f"/jobs/{odd_jobs['begun before FLOPs were noted']}?sort=seq&x=flops")
    expect(visit.rows().first.get_by_title("not noted: measured by an earlier release")).to_have_text("–")
    expect(visit.page.locator(".front-notes")).to_contain_text("32 more have no place on these axes")
    visit.open(f"/jobs/{odd_jobs['dropped parts']}?x=flops&candidate=3")  # none of it has a value
    expect(visit.page.get_by_label("across")).to_have_value("size_bytes")
    expect(visit.page.locator(".candidate-panel dl").filter(has_text="FLOPs per token")).to_contain_text("–")


def test_a_comparison_draws_size_and_loss_of_any_front(visit: Visit, odd_jobs: dict[str, str]) -> None:
    three, two = odd_jobs[THREE], odd_jobs["two objectives"]
    visit.open(f"/compare?jobs={three},{two}&candidates={three}:5,{two}:9")
    expect(visit.page.get_by_role("table").first).to_contain_text("minimises loss size flops")
    expect(visit.page.get_by_role("row").filter(has_text="FLOPs per token").first).to_contain_text(",")
    visit.page.wait_for_function(LINES_DRAWN)
    lines = visit.page.locator(".chart-box").first.evaluate(LINES_OF)
    assert [len(line) > 1 for line in lines] == [True, True]
    assert all(before[1] > after[1] for line in lines for before, after in pairwise(line))
