"""Whatever the store holds, a page shows it: nothing blank, nothing broken, nothing run that was only a name."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from dashboard_jobs import HOSTILE, LONG, ODD
from dashboard_site import Site
from dashboard_visit import PHONE, Visit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TABS = ("Front", "History", "Events & log", "Spec", "Savings", "Files")
CONTENT = "h3, table, canvas, pre, ul, .empty-state, .event-list"  # of a section, beside its unseen heading
NO_FAULT = "this page failed"


@pytest.mark.parametrize("name", ODD)
def test_every_section_of_an_odd_job_is_shown(visit: Visit, odd_jobs: dict[str, str], name: str) -> None:
    visit.open(f"/jobs/{odd_jobs[name]}")
    for tab in TABS:
        visit.page.get_by_role("tab", name=tab).click()
        panel = visit.page.get_by_role("tabpanel")
        expect(panel).to_have_attribute("aria-labelledby", f"tab-{tab.lower().split()[0]}")
        expect(panel.locator(CONTENT).first).to_be_visible()
        expect(visit.page.locator("main")).not_to_contain_text(NO_FAULT)
        assert not visit.page.get_by_text("NaN", exact=False).or_(visit.page.get_by_text("undefined")).count()


@pytest.mark.parametrize("name", [name for name in ODD if name not in ("no candidates", "queued", "infeasible")])
def test_a_candidate_of_an_odd_job_is_shown_layer_by_layer(visit: Visit, odd_jobs: dict[str, str], name: str) -> None:
    visit.open(f"/jobs/{odd_jobs[name]}?candidate=1")
    expect(visit.page.get_by_role("heading", name="Candidate 1", exact=True)).to_be_visible()
    expect(visit.page.locator(".block-grid td[data-cell]").first).to_be_visible()
    expect(visit.page.locator("main")).not_to_contain_text(NO_FAULT)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no candidates", "No candidate was measured yet"),
        ("queued", "No candidate was measured yet"),
        ("infeasible", "must be at least 2.125 for this space, got 1"),
        ("all failed", "No candidate so far has a finite loss"),
        ("some failed", "14 failed"),
        ("one candidate", "1 candidates on the front"),
        ("several budgets", "At all 3 budgets."),
        ("perplexity", "perplexity"),
        ("three objectives", "This front weighs KL, size and FLOPs per token."),
    ],
)
def test_what_is_odd_is_said(visit: Visit, odd_jobs: dict[str, str], name: str, words: str) -> None:
    visit.open(f"/jobs/{odd_jobs[name]}")
    expect(visit.page.locator("main")).to_contain_text(words)


def test_the_list_shows_every_odd_job(visit: Visit, odd_jobs: dict[str, str]) -> None:
    visit.open("/jobs")
    for job_id in odd_jobs.values():
        expect(visit.page.locator(f"[data-job='{job_id}']")).to_be_visible()
    visit.page.get_by_role("searchbox").fill("extremes")
    expect(visit.page.locator("[data-job]")).to_have_count(1)


def test_a_name_is_never_more_than_words(visit: Visit, odd_jobs: dict[str, str], job: str) -> None:
    """Wherever it is shown: title, list, filters, tooltip, table, events, comparison, models, start of a new job."""
    hostile = odd_jobs["hostile names"]
    visit.open("/jobs")
    expect(visit.page.get_by_role("link", name=HOSTILE, exact=True)).to_be_visible()
    visit.open(f"/jobs/{hostile}?tab=events&kind=all")
    expect(visit.page.get_by_role("listbox")).to_contain_text("<script>")
    visit.open(f"/jobs/{hostile}")
    expect(visit.rows().first).to_contain_text("<img src=x")
    chart = visit.chart("Pareto front")
    for x in (0.3, 0.5, 0.7):
        for y in (0.3, 0.5, 0.7):
            chart.hover(position={"x": x * 600, "y": y * 300}, force=True)
    visit.open(f"/compare?jobs={hostile},{job}&candidates={hostile}:7,{job}:7")
    expect(visit.page.get_by_role("table").first).to_contain_text("<img src=x")
    for route in ("/models", f"/submit?from={hostile}", "/workers"):
        visit.open(route)
    assert visit.page.locator("img[src='x']").count() == 0


def test_long_names_leave_the_page_as_wide_as_the_screen(
    visit_as: Callable[..., Visit], site: Site, odd_jobs: dict[str, str]
) -> None:
    job_id = odd_jobs["long names"]
    for viewport in (PHONE, {"width": 1280, "height": 900}):
        visit = visit_as(site, viewport=viewport)
        for route in (f"/jobs?search={LONG[:40]}", f"/jobs/{job_id}?candidate=7", f"/compare?jobs={job_id}", "/models"):
            visit.open(route)
            expect(visit.page.locator("main")).to_contain_text(LONG)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], route


def test_who_comes_first_is_told_what_to_do(new_site: Callable[..., Site], visit_as: Callable[..., Visit]) -> None:
    visit = visit_as(new_site())
    visit.open("/jobs")
    expect(visit.page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    for route, words in (
        ("/models", "reference-model"),
        ("/workers", "No workers now"),
        ("/compare", "Nothing to compare yet"),
    ):
        visit.open(route)
        expect(visit.page.locator("main")).to_contain_text(words)
    visit.open("/jobs")
    visit.page.get_by_role("link", name="New job from the demo").click()
    expect(visit.page.get_by_label("The job as YAML")).to_have_value(re.compile("nominal_bits_per_weight"))


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("/nowhere", "There is no such page"),
        ("/jobs/000000000000", "There is no such job"),
        ("/jobs/000000000000/more", "There is no such page"),
        ("/compare?jobs=000000000000", "There is no job 000000000000"),
        ("/models?model=nowhere", "The service knows no model nowhere"),
    ],
)
def test_an_address_of_nothing_says_so(visit: Visit, route: str, words: str) -> None:
    visit.allow(r"status of 404")
    visit.open(route)
    expect(visit.page.locator("main")).to_contain_text(words)


@pytest.mark.parametrize(
    "words", ["candidate=99999", "candidate=x&x=nothing&y=&size=a:b&loss=1:&sort=--&zx=3:1&tab=no"]
)
def test_a_torn_address_shows_the_job_all_the_same(visit: Visit, job: str, words: str) -> None:
    visit.open(f"/jobs/{job}?{words}")
    expect(visit.table()).to_be_visible()
    expect(visit.page.locator("main")).not_to_contain_text(NO_FAULT)


TRESPASSES = {
    "page error: Error: thrown": "setTimeout(() => { throw new Error('thrown'); })",
    "console error: told": "console.error('told')",
    "console warning: warned": "console.warn('warned')",
    "security policy: script-src": "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
    "security policy: style-src": "document.body.setAttribute('style', 'color: red')",
    "security policy: connect-src": "void fetch('http://example.com/').catch(() => {})",
    "security policy: img-src": "new Image().src = 'http://example.com/picture.png'",
    "a request off the host": "location.href = 'http://example.com/'",
}


@pytest.mark.parametrize("trespass", TRESPASSES)
def test_a_tab_complains_of_what_no_page_may_do(visit: Visit, trespass: str) -> None:
    visit.open("/terms")
    assert visit.complaints == []
    visit.page.evaluate(f"() => {{ {TRESPASSES[trespass]}; }}")
    for _ in range(600):
        visit.page.wait_for_timeout(50)  # in which the browser tells what it saw
        if any(trespass in each for each in visit.complaints):
            break
    else:
        pytest.fail(f"nothing of {trespass!r} among {visit.complaints}")
    visit.allow("")  # all of it was asked for
