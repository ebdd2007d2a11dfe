"""A page beside a service that goes on: what it shows follows, what a person did to it stays, and outages pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from dashboard_candidates import quantized
from dashboard_jobs import PROGRESS, add_job, running_job, usual_job
from dashboard_site import Site
from dashboard_visit import AWAY, Visit
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.browser

NewSite = Callable[..., Site]
VisitAs = Callable[..., Visit]
ZOOM = "chart => echarts.getInstanceByDom(chart).getOption().dataZoom.map(({start, end}) => [start, end])"
BRUSH = "chart => echarts.getInstanceByDom(chart).getOption().brush.length"


def measure(site: Site, job_id: str, num: int) -> None:
    """As many more candidates as a running job finds in a while, and what it tells of them."""
    known = site.store.num_candidates(job_id)
    site.store.add_candidates(job_id, 1, quantized(num, first=known))
    moment = {**PROGRESS, "done": known, "label": "round 3 of 4"}
    site.store.note_progress(job_id, 1, moment)
    site.store.add_event(job_id, "progress", moment, attempt=1)


@contextmanager
def answering_halves() -> Iterator[str]:
    """The address of a server whose answers stop halfway."""

    class Half(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"items": [')

        def log_message(self, *said: object) -> None:
            """Nothing: the browser tells."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Half) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            serving.join()


def expect_candidates(visit: Visit, num: int) -> None:
    expect(visit.page.get_by_role("tab", name="Front")).to_have_text(f"Front{num:,}")


def looks(visit: Visit) -> dict[str, Any]:
    """What a person arranged: the address, the zoom, and how far page and table are scrolled."""
    scrolled = visit.table().evaluate("table => [table.parentElement.scrollTop, Math.round(scrollY)]")
    return {"query": visit.query(), "zoom": visit.page.locator(".front-card .chart-box").evaluate(ZOOM), "at": scrolled}


def test_updates_leave_zoom_brush_selection_and_scroll_alone(visit: Visit, site: Site) -> None:
    job_id = running_job(site.store, "followed", quantized(60))
    visit.open(f"/jobs/{job_id}?x=size_bytes")
    expect_candidates(visit, 60)
    chart = visit.chart("Pareto front")
    visit.page.get_by_role("radio", name="Brush").check(force=True)
    visit.drag(chart, (0.3, 0.15), (0.95, 0.8))
    visit.wait_for_key("size", "loss")
    chart.hover(position={"x": 500, "y": 200})
    visit.page.mouse.wheel(0, -300)
    visit.wait_for_key("zx", "zy")
    visit.rows().nth(2).click()
    visit.wait_for_key("candidate")
    expect(visit.page.locator("#candidate-title")).to_be_visible()
    visit.table().evaluate("table => { scrollTo(0, 300); table.parentElement.scrollTop = 50; }")
    visit.page.wait_for_function("() => Math.round(scrollY) === 300")
    before, selected = looks(visit), visit.number_of_rows()
    for num in (90, 120):
        measure(site, job_id, 30)
        expect_candidates(visit, num)
    after = looks(visit)
    assert after == before
    assert before["zoom"] != [[0, 100], [0, 100]]
    expect(visit.page.locator(".front-selection strong")).to_contain_text("of 120 selected")
    assert visit.number_of_rows() > selected  # the brush holds for new ones


def test_a_pause_keeps_what_is_seen_until_it_is_over(visit: Visit, visit_as: VisitAs, site: Site) -> None:
    job_id = running_job(site.store, "paused page", quantized(20))
    visit.open(f"/jobs/{job_id}")
    expect_candidates(visit, 20)
    visit.page.get_by_role("switch", name="Live updates").click()
    expect(visit.page.locator(".job-connection")).to_have_text("updates paused")
    measure(site, job_id, 20)
    other = visit_as(site)
    other.open(f"/jobs/{job_id}")
    expect_candidates(other, 40)
    measure(site, job_id, 20)
    expect_candidates(other, 60)
    expect_candidates(visit, 20)
    visit.page.reload()  # the choice is kept; a page that is opened anew shows what there is
    expect(visit.page.get_by_role("switch", name="Live updates")).not_to_be_checked()
    expect_candidates(visit, 60)
    measure(site, job_id, 20)
    expect_candidates(other, 80)
    expect_candidates(visit, 60)
    visit.page.get_by_role("switch", name="Live updates").click()
    expect_candidates(visit, 80)


def test_what_happens_to_a_job_is_shown_without_a_reload(visit: Visit, site: Site) -> None:
    job_id = running_job(site.store, "steered", quantized(20))
    visit.open(f"/jobs/{job_id}")
    visit.button("Pause").click()
    expect(visit.page.locator("main")).to_contain_text("Pausing: what is under way finishes first.")
    assert site.store.job(job_id).wish == "pause"
    visit.button("Resume").click()
    expect(visit.page.locator("main")).not_to_contain_text("Pausing")
    measure(site, job_id, 10)
    expect(visit.page.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "20 of 4,000 tokens")
    visit.button("Stop").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Stop the search").click()
    expect(visit.page.locator("main")).to_contain_text("Stopping")
    site.store.move_job(job_id, 1, "stopping")
    site.store.move_job(job_id, 1, "succeeded", message="Nothing beat the uniform choice.", reason="stopped_by_user")
    expect(visit.page.locator("main")).to_contain_text("Nothing beat the uniform choice.")
    expect(visit.page.locator(".job-connection")).to_have_count(0)
    visit.button("Delete").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Delete the job").click()
    expect(visit.page.get_by_role("heading", name="Jobs", exact=True)).to_be_attached()
    expect(visit.page.locator(f"[data-job='{job_id}']")).to_have_count(0)


def test_the_list_follows_and_steers(visit: Visit, site: Site) -> None:
    visit.open("/jobs?state=active")
    job_id = running_job(site.store, "listed", quantized(20))
    row = visit.page.locator(f"[data-job='{job_id}']")
    expect(row).to_contain_text("round 2 of 4")
    expect(row).to_contain_text("about 1 min 15 s left")
    visit.button("Pause listed").click()
    expect(row).to_contain_text("Pausing")
    visit.button("Actions for listed").click()
    visit.page.get_by_role("menuitem", name="Cancel").click()
    visit.page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(row).to_contain_text("Cancelling")
    site.store.move_job(job_id, 1, "cancelling")
    site.store.move_job(job_id, 1, "cancelled")
    expect(row).to_have_count(0)


def test_a_killed_service_is_waited_for_and_nothing_is_shown_twice(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site()
    job_id = running_job(site.store, "survivor", quantized(40))
    visit = visit_as(site)
    visit.allow(AWAY)
    visit.open(f"/jobs/{job_id}?tab=events&kind=all")
    connection = visit.page.locator(".job-connection")
    expect(connection).to_have_text("live")
    for num in (60, 80):
        site.kill()
        expect(connection).to_contain_text("reconnecting")
        expect(visit.page.get_by_role("banner")).to_contain_text("Service away, trying again")
        measure(site, job_id, 20)
        site.start()
        expect(connection).to_have_text("live")
        expect(visit.page.get_by_role("banner")).not_to_contain_text("Service away")
        expect_candidates(visit, num)
        last = site.store.job(job_id).last_seq
        expect(visit.page.locator("main")).to_contain_text(f"{last} of {last} events")
    visit.page.get_by_role("tab", name="Front").click()
    numbers = visit.rows().locator("td:first-child").all_inner_texts()
    assert sorted(map(int, numbers)) == list(range(1, 81))


@pytest.mark.parametrize("path", ["", "/candidates", "/front"])
def test_an_answer_that_stops_halfway_is_asked_for_again(visit: Visit, job: str, path: str) -> None:
    """As when the service is killed while it answers."""
    visit.allow("CONTENT_LENGTH_MISMATCH")
    asked = re.compile(rf"/jobs/{job}{path}(\?|$)")
    cut: list[str] = []

    def halve(route: Route) -> None:
        cut.append(route.request.url)
        route.continue_(url=halves)

    with answering_halves() as halves:
        visit.page.route(asked, halve, times=2)
        with visit.page.expect_request(lambda request: len(cut) == 2 and asked.search(request.url) is not None):
            visit.open(f"/jobs/{job}")
    expect_candidates(visit, 80)
    expect(visit.rows().first).to_be_visible()
    expect(visit.page.get_by_role("banner")).not_to_contain_text("Service away")
    expect(visit.page.get_by_role("alert")).to_have_count(0)


def test_a_page_that_finds_no_service_shows_the_job_once_there_is_one(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site()
    job_id = usual_job(site.store)
    visit = visit_as(site)
    visit.allow(AWAY)
    visit.open("/terms")
    site.kill()
    visit.page.get_by_role("link", name="Jobs", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_be_visible()
    site.start()
    expect(visit.page.locator(f"[data-job='{job_id}']")).to_be_visible()


def test_a_part_asked_for_while_the_service_is_away_comes_with_it(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site()
    job_id = usual_job(site.store)
    visit = visit_as(site)
    visit.allow(AWAY)
    visit.open(f"/jobs/{job_id}")
    expect(visit.rows().first).to_be_visible()
    site.kill()
    visit.page.get_by_role("tab", name="Spec").click()
    problem = visit.page.get_by_role("alert").filter(has_text="this part could not be loaded")
    expect(problem).to_contain_text("Trying again by itself.")
    site.start()
    expect(problem).to_have_count(0)
    expect(visit.page.get_by_role("tabpanel")).to_contain_text("nominal_bits_per_weight")


def test_a_part_that_is_broken_loads_the_page_anew_but_once(new_site: NewSite, visit_as: VisitAs) -> None:
    """Which is what browsers need that never fetch a module again; the rest of the page stays usable."""
    site = new_site()
    job_id = usual_job(site.store)
    visit = visit_as(site)
    visit.allow("status (of )?500")
    visit.page.route("**/job/spec-panel.js", lambda route: route.fulfill(status=500))
    visit.open(f"/jobs/{job_id}")
    loads: list[str] = []
    visit.page.on("load", lambda page: loads.append(page.url))
    visit.page.get_by_role("tab", name="Spec").click()
    problem = visit.page.get_by_role("alert").filter(has_text="this part could not be loaded")
    with visit.page.expect_event("load"):
        expect(problem).to_be_visible()
    for _ in range(3):
        with visit.page.expect_request("**/live/module.js"):  # the service is asked whether it is there
            expect(problem).to_be_visible()
    assert len(loads) == 1
    visit.page.get_by_role("tab", name="Front").click()
    expect(visit.rows().first).to_be_visible()


def test_a_token_is_asked_for_and_again_when_it_is_no_longer_taken(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site(requires_token=True)
    job_id = running_job(site.store, "guarded", quantized(40))
    first, secret = site.store.add_token("ann", "admin")
    _, old_secret = site.store.add_token("old", "admin", datetime.now(UTC) - timedelta(hours=1))
    visit = visit_as(site)
    visit.allow("status of 401")
    visit.open(f"/jobs/{job_id}?sort=-loss")
    dialog = visit.page.get_by_role("dialog", name="Sign in with a token")
    dialog.get_by_label("Token").fill(old_secret)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("has expired or was revoked")
    sign_in(visit, secret)
    expect_candidates(visit, 40)
    visit.rows().nth(3).click()
    query = visit.wait_for_key("candidate")

    def revoke(route: Route) -> None:  # after the click: what the page asks by itself would open the dialog before it
        site.store.revoke_token(first.id)
        route.continue_()

    visit.page.route("**/*:pause", revoke, times=1)
    visit.button("Pause").click()
    expect(dialog).to_contain_text("The service no longer takes this tab's token")
    sign_in(visit, site.store.add_token("ann again", "admin")[1])
    expect(visit.page.locator("main")).to_contain_text("Pausing")  # what was asked before went on
    measure(site, job_id, 20)
    expect_candidates(visit, 60)
    assert visit.query() == query
    assert not [url for url in visit.requests if secret in url or old_secret in url]
    visit.page.reload()
    expect_candidates(visit, 60)  # the tab knows it still


def sign_in(visit: Visit, secret: str) -> None:
    dialog = visit.page.get_by_role("dialog", name="Sign in with a token")
    dialog.get_by_label("Token").fill(secret)
    dialog.get_by_label("Token").press("Enter")
    expect(dialog).to_have_count(0)


def test_who_gives_no_token_can_do_so_later(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site(requires_token=True)
    visit = visit_as(site)
    visit.allow("status of 40[13]")
    visit.open("/jobs")
    visit.button("Not now").click()
    expect(visit.page.get_by_role("status").filter(has_text="You are not signed in.")).to_be_visible()
    visit.button("Give a token").last.click()
    sign_in(visit, site.store.add_token("reader", "read")[1])
    expect(visit.page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    job_id = add_job(site.store, "not mine", quantized(5), ends=None)
    visit.open(f"/jobs/{job_id}")
    visit.button("Pause").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("This token may not do that")


def test_everything_works_below_a_base_path(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site(base_path="/layerpress")
    job_id = usual_job(site.store)
    visit = visit_as(site)
    visit.page.goto(f"{site.origin}/layerpress/")
    visit.page.get_by_role("link", name="usual").click()
    expect_candidates(visit, 80)
    visit.rows().nth(3).click()
    expect(visit.page.locator(".block-grid td[data-cell]").first).to_be_visible()
    visit.button("Export").click()
    visit.page.locator("[name='export-format'][value='configuration']").check()
    with visit.page.expect_download() as download:
        visit.button("Download configuration.json").click()
    assert download.value.suggested_filename.startswith(f"configuration-{job_id}-")
    visit.open("/submit?example=demo")
    expect(visit.page.locator(".check-state")).to_contain_text("Ready")
    visit.page.goto(f"{site.origin}/layerpress/api/v1/docs")
    expect(
        visit.page.get_by_text("/layerpress/api/v1/openapi.json").or_(visit.page.locator(".opblock")).first
    ).to_be_visible()
    own = f"{site.origin}/layerpress/"
    assert [url for url in visit.requests if not url.startswith((own, "blob:", "data:"))] == []
