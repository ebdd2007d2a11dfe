"""For everybody: by keyboard alone, on a small screen, in light and dark, and as a screen reader is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from dashboard_site import Site
from dashboard_visit import PHONE, Visit
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

VisitAs = Callable[..., Visit]
Go = Callable[[Visit, str], None]
MOST_TABS = 400
AXE_OPTIONS = {"resultTypes": ["violations"], "preload": False}  # it looks for imported style sheets in the wrong place
OUT_OF_REACH = """() => {
  const width = document.documentElement.clientWidth;
  const isIn = (element) => {
    for (let box = element.parentElement; box; box = box.parentElement)
      if (box.scrollWidth > box.clientWidth && /auto|scroll/.test(getComputedStyle(box).overflowX)) return true;
    const {left, right} = element.getBoundingClientRect();
    return left >= -1 && right <= width + 1;
  };
  const controls = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=tab]")];
  const names = controls.filter((each) => each.checkVisibility({visibilityProperty: true})
    && each.getBoundingClientRect().width > 1 && !isIn(each) && !each.closest(".skip-link"));
  return names.map((each) => each.outerHTML.slice(0, 200));
}"""


def _open(route: str, ready: str) -> Go:
    def go(visit: Visit, job: str) -> None:
        visit.open(route.format(job=job))
        expect(visit.page.locator(ready).first).to_be_visible()

    return go


def _open_dialog(visit: Visit, job: str) -> None:
    visit.open(f"/jobs/{job}?candidate=7")
    visit.button("Export").click()
    visit.page.locator("[name='export-format'][value='configuration']").check()
    expect(visit.page.locator(".export-preview pre")).to_be_visible()


def _open_menu(visit: Visit, job: str) -> None:
    visit.open("/jobs")
    visit.page.locator(f"[data-job='{job}']").get_by_role("button", name="Actions for").click()
    expect(visit.page.get_by_role("menu")).to_be_visible()


def _open_term(visit: Visit, job: str) -> None:
    visit.open(f"/jobs/{job}")
    visit.page.locator("main .term").first.hover()
    expect(visit.page.get_by_role("tooltip")).to_be_visible()


PAGES: dict[str, Go] = {
    "jobs": _open("/jobs", "[data-job]"),
    "a job": _open("/jobs/{job}?candidate=7&dominated=1&max_size=3000000", ".block-grid td[data-cell]"),
    "layers as a table": _open("/jobs/{job}?candidate=7&layers=table", ".strip-panel table"),
    "history": _open("/jobs/{job}?tab=history", "canvas"),
    "events": _open("/jobs/{job}?tab=events&kind=all", ".event-row"),
    "spec": _open("/jobs/{job}?tab=spec", "pre, code"),
    "savings": _open("/jobs/{job}?tab=savings", ".share"),
    "files": _open("/jobs/{job}?tab=files", "table, ul"),
    "submit, empty": _open("/submit", ".example"),
    "submit": _open("/submit?example=demo", ".sizes"),
    "compare": _open("/compare?jobs={job}&candidates={job}:7,{job}:12", ".block-grid td[data-cell]"),
    "compare, empty": _open("/compare", ".empty-state"),
    "models": _open("/models", "table, ul"),
    "workers": _open("/workers", ".empty-state"),
    "words": _open("/terms", "dl"),
    "nothing": _open("/nowhere", ".empty-state"),
    "export": _open_dialog,
    "menu": _open_menu,
    "term": _open_term,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_scan_finds_nothing_serious(
    visit_as: VisitAs, site: Site, job: str, odd_jobs: dict[str, str], scheme: str
) -> None:
    """Of WCAG 2.2 AA, contrast included, by axe."""
    visit = visit_as(site, color_scheme=scheme, bypass_csp=True)  # for axe's own script
    findings = {name: scan(visit, go, job) for name, go in PAGES.items()}
    assert {name: found for name, found in findings.items() if found} == {}


def scan(visit: Visit, go: Go, job: str) -> list[str]:
    go(visit, job)
    violations: list[dict[str, Any]] = Axe().run(visit.page, options=AXE_OPTIONS).response["violations"]
    return [
        f"{each['impact']}: {each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for each in violations
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:4]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_shows_all_of_a_page(visit_as: VisitAs, site: Site, job: str, name: str) -> None:
    """It scrolls down and not sideways, and no control lies beyond its edge."""
    visit = visit_as(site, viewport=PHONE, has_touch=True, is_mobile=True)
    PAGES[name](visit, job)
    widths = "[document.documentElement.scrollWidth, innerWidth, document.documentElement.clientWidth]"
    assert visit.page.evaluate(widths) == [PHONE["width"]] * 3
    assert visit.page.evaluate(OUT_OF_REACH) == []


def test_a_finger_chooses_on_a_phone(visit_as: VisitAs, site: Site, job: str) -> None:
    visit = visit_as(site, viewport=PHONE, has_touch=True, is_mobile=True)
    visit.open("/jobs")
    for place in ("Models", "Workers", "Compare", "Jobs"):
        visit.page.get_by_role("navigation", name="Pages").get_by_role("link", name=place).tap()
        expect(visit.page.get_by_role("heading", name=place, exact=True).first).to_be_attached()
    visit.page.get_by_role("link", name="usual").first.tap()
    visit.rows().nth(2).tap()
    visit.wait_for_key("candidate")
    visit.page.evaluate("scrollTo(0, 0)")
    visit.page.locator(".job-peek").get_by_role("button", name="Show").tap()
    expect(visit.page.locator(".block-grid td[data-cell]").first).to_be_in_viewport()
    visit.page.locator(".block-grid td[data-cell]").first.tap()
    expect(visit.page.locator(".strip-told").first).to_contain_text("block 0")


def tab_to(visit: Visit, target: Locator, key: str = "Tab") -> None:
    """Press a key until the focus is there; it must show where it is all the way."""
    for _ in range(MOST_TABS):
        visit.page.keyboard.press(key)
        if target.evaluate("element => element === document.activeElement"):
            break
    expect(target).to_be_focused()
    look = """element => {
      const isMarked = (box) => {
        const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(box);
        return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
      };
      return isMarked(element) || isMarked(element.closest(":is(.yaml-box, .segmented label, label)") ?? element);
    }"""
    assert target.evaluate(look), target


def test_keys_alone_lead_through_list_menu_and_question(visit: Visit, job: str) -> None:
    visit.open("/jobs")
    row = visit.page.locator(f"[data-job='{job}']")
    expect(row).to_be_visible()
    skip = visit.page.get_by_role("link", name="Skip to the page")
    tab_to(visit, skip)
    expect(skip).to_be_in_viewport()
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("main")).to_be_focused()
    actions = row.get_by_role("button", name="Actions for usual")
    tab_to(visit, actions)
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("menuitem").first).to_be_focused()
    visit.page.keyboard.press("End")
    expect(visit.page.get_by_role("menuitem", name="Delete")).to_be_focused()
    visit.page.keyboard.press("Enter")
    dialog = visit.page.get_by_role("dialog", name="Delete usual?")
    expect(dialog).to_be_visible()
    for _ in range(8):
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    visit.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(actions).to_be_focused()
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Escape")
    expect(actions).to_be_focused()
    tab_to(visit, row.get_by_role("link", name="usual"), "Shift+Tab")
    visit.page.keyboard.press("Enter")
    expect(visit.rows().first).to_be_visible()


def test_keys_alone_choose_a_candidate_and_export_it(visit: Visit, job: str) -> None:
    visit.open(f"/jobs/{job}")
    expect(visit.rows()).to_have_count(80)
    scroller = visit.page.locator(".candidate-table .table-scroller")
    tab_to(visit, visit.page.get_by_role("region", name="Best under a size").get_by_role("slider"))
    visit.page.keyboard.press("Home")
    visit.wait_for_key("max_size")
    tab_to(visit, scroller)
    for _ in range(3):
        visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("Enter")
    expect(visit.rows().nth(2)).to_have_attribute("aria-selected", "true")
    visit.page.keyboard.press("End")
    visit.page.keyboard.press("Enter")
    expect(visit.rows().nth(79)).to_have_attribute("aria-selected", "true")
    expect(visit.rows().nth(79)).to_be_in_viewport()
    export = visit.button("Export")
    tab_to(visit, export)
    visit.page.keyboard.press("Enter")
    formats = visit.page.get_by_role("dialog").get_by_role("radio")
    expect(formats.first).to_be_visible()
    tab_to(visit, visit.page.locator("input[name='export-format']:checked"))
    for _ in range(formats.count()):
        visit.page.keyboard.press("ArrowDown")
        if visit.page.locator("[value='layers.csv']").is_checked():
            break
    expect(visit.page.locator(".export-preview pre")).to_contain_text("model.layers.0")
    tab_to(visit, visit.button("Download layers.csv"))
    with visit.page.expect_download() as download:
        visit.page.keyboard.press("Enter")
    assert download.value.suggested_filename.startswith("layers-")
    visit.page.keyboard.press("Escape")
    expect(export).to_be_focused()
    cell = visit.page.locator(".block-grid td[data-cell][tabindex='0']").first
    tab_to(visit, cell)
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("ArrowDown")
    expect(visit.page.locator(".strip-told").first).to_contain_text("block 1, ")


def test_keys_alone_move_between_sections_and_through_events(visit: Visit, job: str) -> None:
    visit.open(f"/jobs/{job}")
    tab_to(visit, visit.page.get_by_role("tab", name="Front"))
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("ArrowRight")
    expect(visit.page.get_by_role("tab", name="Events & log")).to_be_focused()
    tab_to(visit, visit.page.get_by_role("listbox", name="Events"))
    visit.page.keyboard.press("Home")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_label("event 1", exact=True)).to_be_visible()
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_label("event 1", exact=True)).to_have_count(0)


def test_keys_alone_submit_a_job(visit: Visit, site: Site) -> None:
    visit.open("/jobs")
    tab_to(visit, visit.page.get_by_role("link", name="New job").first)
    visit.page.keyboard.press("Enter")
    tab_to(visit, visit.button("Bit-widths", exact=False))
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator(".check-state")).to_contain_text("Ready")
    text = visit.page.get_by_label("The job as YAML")
    tab_to(visit, text)
    visit.page.keyboard.press("Control+Home")
    visit.page.keyboard.type("name: by keyboard\n")
    visit.page.keyboard.press("Escape")
    tab_to(visit, visit.button("Queue the job"))
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", name="by keyboard")).to_be_visible()
    assert [each.state for each in site.store.jobs(search="by keyboard")] == ["queued"]


def test_what_changes_is_told(visit: Visit, job: str) -> None:
    """Landmarks, one first heading, a title for each page, and live regions."""
    for route, title in (("/jobs", "Jobs"), (f"/jobs/{job}", "usual"), ("/submit", "New job"), ("/models", "Models")):
        visit.open(route)
        expect(visit.page).to_have_title(f"{title} · Layerpress")
        expect(visit.page.locator("main h1")).to_have_count(1)
        for landmark in ("banner", "navigation", "main", "contentinfo"):
            expect(visit.page.get_by_role(landmark).first).to_be_attached()
    visit.open(f"/jobs/{job}")
    expect(visit.page.locator(".front-selection")).to_have_attribute("aria-live", "polite")
    expect(visit.page.locator("main canvas").first).to_be_visible()
    for chart in visit.page.locator(".chart-box").all():
        assert chart.get_attribute("aria-label")
        summary = visit.page.locator(f"[id='{chart.get_attribute('aria-describedby')}']")
        assert "table below" in summary.inner_text()


def test_colours_are_chosen_and_kept(visit: Visit, job: str) -> None:
    visit.open(f"/jobs/{job}")
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = [visit.page.evaluate(paper)]
    for scheme in ("light", "dark"):
        visit.page.get_by_role("button", name="Colours:").click()
        expect(visit.button(f"Colours: {scheme}")).to_be_visible()
        seen.append(visit.page.evaluate(paper))
    assert seen[0] == seen[1] != seen[2]
    visit.page.reload()
    expect(visit.button("Colours: dark")).to_be_visible()
    assert visit.page.evaluate(paper) == seen[2]
