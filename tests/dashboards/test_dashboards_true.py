"""What a page shows is what is so: after an outage that is over, behind the first page, and when the service forgot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from dashboard_candidates import quantized
from dashboard_jobs import MODEL, SPEC, add_job, running_job
from dashboard_site import Site
from dashboard_visit import AWAY, Visit
from playwright.sync_api import Route, expect

from store.records import NewJob
from store.store import Store

pytestmark = pytest.mark.browser

NewSite = Callable[..., Site]
VisitAs = Callable[..., Visit]


def ended_jobs(store: Store, number: int, word: str) -> list[str]:
    found = []
    for index in range(number):
        job, _ = store.add_job(NewJob(name=f"{word} {index}", spec=SPEC, origin="local", model=MODEL))
        store.move_job(job.id, 1, "succeeded")
        found.append(job.id)
    return found


def test_a_job_on_a_model_begins_with_that_model(visit: Visit) -> None:
    visit.allow("status of 422")  # there is more to a job than its model
    text = visit.page.get_by_label("The job as YAML")
    visit.open("/submit")
    text.fill("model: /srv/models/another\nseed: 3\n")
    visit.open(f"/submit?model={MODEL}")
    expect(text).to_have_value(f"model: {MODEL}\n")
    visit.page.get_by_role("button", name=re.compile("Put back")).click()
    expect(text).to_have_value("model: /srv/models/another\nseed: 3\n")


def test_older_jobs_come_to_rest_and_none_is_lost_between_the_pages(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site()
    oldest = running_job(site.store, "oldest", quantized(5))
    known = [oldest, *ended_jobs(site.store, 60, "job")]
    visit = visit_as(site)
    visit.open("/jobs")
    rows = visit.page.locator("[data-job]")
    expect(rows).to_have_count(50)
    visit.button("Show older jobs").click()
    expect(rows).to_have_count(len(known))
    old = visit.page.locator(f"[data-job='{oldest}']")
    expect(old).to_contain_text("running")
    site.store.move_job(oldest, 1, "succeeded")
    expect(old).to_contain_text("succeeded")
    known += ended_jobs(site.store, 10, "newer")
    expect(visit.page.locator(f"[data-job='{known[-1]}']")).to_be_visible()
    expect(rows).to_have_count(len(known))


def test_a_problem_that_is_over_is_taken_away_though_nothing_is_new(visit: Visit, site: Site) -> None:
    job_id = add_job(site.store, "nothing yet", ends=None)
    visit.allow("ERR_FAILED")
    asked = re.compile(rf"/jobs/{job_id}/candidates\?")
    cut: list[str] = []

    def fail(route: Route) -> None:
        cut.append(route.request.url)
        route.abort()

    visit.page.route(asked, fail, times=1)
    with visit.page.expect_response(lambda answer: len(cut) == 1 and asked.search(answer.url) is not None):
        visit.open(f"/jobs/{job_id}")
    expect(visit.page.get_by_role("alert")).to_have_count(0)


def test_events_that_are_refused_ask_for_a_token(new_site: NewSite, visit_as: VisitAs) -> None:
    site = new_site(requires_token=True)
    job_id = running_job(site.store, "guarded", quantized(20))
    token, secret = site.store.add_token("ann", "admin")
    visit = visit_as(site)
    visit.allow("status of 401")
    visit.allow(AWAY)
    visit.open(f"/jobs/{job_id}")
    dialog = visit.page.get_by_role("dialog", name="Sign in with a token")
    dialog.get_by_label("Token").fill(secret)
    dialog.get_by_label("Token").press("Enter")
    expect(visit.page.locator(".job-connection")).to_have_text("live")
    site.kill()
    site.store.revoke_token(token.id)
    site.start()
    expect(dialog).to_contain_text("The service no longer takes this tab's token")
    dialog.get_by_label("Token").fill(site.store.add_token("ann again", "admin")[1])
    dialog.get_by_label("Token").press("Enter")
    expect(visit.page.locator(".job-connection")).to_have_text("live")


def test_an_export_that_the_service_lost_says_so(visit: Visit, job: str) -> None:
    visit.allow("status of 404")
    writing: dict[str, object] = {
        "name": "a",
        "state": "writing",
        "phase": "tensors",
        "done": 3,
        "total": 7,
        "error": "",
        "size_bytes": None,
    }
    lost: list[str] = []

    def looked(route: Route) -> None:
        if not lost:
            route.fulfill(status=404, json={"code": "unknown", "detail": "nobody asked for it"})
        else:
            begun = route.request.method == "POST" or len(lost) < 3
            answer = writing if begun else {"code": "unknown", "detail": "nobody asked for it"}
            route.fulfill(status=200 if begun else 404, body=json.dumps(answer), content_type="application/json")
        if lost or route.request.method == "POST":
            lost.append(route.request.url)

    def begun(route: Route) -> None:
        lost.append(route.request.url)
        route.fulfill(status=202, json=writing)

    visit.page.route(re.compile(r"/exports/dense$"), looked)
    visit.page.route(re.compile(r":export$"), begun)
    visit.open(f"/jobs/{job}?candidate=1")
    visit.button("Export").click()
    visit.page.locator("[name='export-format'][value='dense']").check()
    visit.button("Write this checkpoint").click()
    expect(visit.page.locator(".export-checkpoint")).to_contain_text("this export was lost; write it again")
    expect(visit.button("Write this checkpoint")).to_be_visible()


def test_the_comparison_says_what_is_on_the_front_now(visit: Visit, site: Site) -> None:
    job_id = running_job(site.store, "compared", quantized(6))
    best = max(site.store.front(job_id), key=lambda each: each.size_bytes)
    visit.open(f"/compare?jobs={job_id}&candidates={job_id}:{best.seq}")
    row = visit.page.get_by_role("row", name=re.compile("^On the front"))
    expect(row).to_contain_text("yes")
    (other,) = quantized(1, first=90)
    better = replace(other, size_bytes=best.size_bytes - 1, loss=(best.loss or 0.0) / 2)
    site.store.add_candidates(job_id, 1, [better])
    assert best.seq not in {each.seq for each in site.store.front(job_id)}
    expect(row).to_contain_text("no")
