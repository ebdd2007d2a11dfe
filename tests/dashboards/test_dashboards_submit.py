"""Handing a job in: form and YAML follow each other, and what cannot work is told at its place before it is queued."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dashboard_site import EXAMPLES, Site
from dashboard_visit import Visit
from playwright.sync_api import Locator, Route, expect

pytestmark = pytest.mark.browser

REFUSED = "status of 422"


def yaml_of(visit: Visit) -> Locator:
    return visit.page.get_by_label("The job as YAML")


def open_demo(visit: Visit) -> None:
    visit.open("/submit?example=demo")
    expect(yaml_of(visit)).to_have_value(re.compile("nominal_bits_per_weight"))


def replace(visit: Visit, before: str, after: str) -> None:
    """In the YAML, as with an editor's search."""
    text = yaml_of(visit).input_value()
    assert before in text
    yaml_of(visit).fill(text.replace(before, after))


def test_the_dry_run_shows_what_would_happen_before_anything_is_queued(visit: Visit, site: Site) -> None:
    known = len(site.store.jobs(limit=200))
    open_demo(visit)
    check = visit.page.locator(".check")
    expect(check.locator(".check-state")).to_contain_text("Ready")
    expect(check.locator(".costs")).to_contain_text("84")
    expect(check.locator(".sizes")).to_contain_text(re.compile(r"smallest 4\.64\sMB"))
    assert len(site.store.jobs(limit=200)) == known


def test_an_example_waits_until_it_is_known_where_its_model_lies(visit: Visit) -> None:
    held: list[Route] = []
    visit.page.route(re.compile(r"/models(\?|$)"), lambda route: held.append(route))
    visit.open("/submit")
    visit.button("Bit-widths", exact=False).click()
    expect(visit.page.get_by_label("Seed")).to_be_visible()  # the rest of the page is there
    expect(yaml_of(visit)).to_have_value("")
    for route in held:
        route.continue_()
    expect(yaml_of(visit)).to_have_value(re.compile(f"model: {re.escape(str(EXAMPLES))}/reference-model"))


def test_an_example_that_waits_does_not_replace_a_file_read_meanwhile(visit: Visit) -> None:
    visit.allow(REFUSED)  # the file's model lies elsewhere
    held: list[Route] = []
    visit.page.route(re.compile(r"/models(\?|$)"), lambda route: held.append(route))
    visit.open("/submit")
    visit.button("Bit-widths", exact=False).click()
    file = EXAMPLES / "jobs" / "drop.yaml"
    visit.page.get_by_label("A job file").set_input_files(file)
    expect(yaml_of(visit)).to_have_value(file.read_text("utf-8"))
    with visit.page.expect_response(re.compile(r"/models(\?|$)")):
        for route in held:
            route.continue_()
    expect(visit.page.get_by_role("group", name="Models in the service's folders")).to_be_visible()
    expect(yaml_of(visit)).to_have_value(file.read_text("utf-8"))


def test_form_and_yaml_follow_each_other(visit: Visit) -> None:
    open_demo(visit)
    bits = visit.page.get_by_label("At most")
    expect(bits).to_have_value("3")
    bits.fill("3.5")
    expect(yaml_of(visit)).to_have_value(re.compile(r"nominal_bits_per_weight: 3\.5"))
    expect(yaml_of(visit)).to_have_value(re.compile("# besides the answer"))  # comments stay
    replace(visit, "nominal_bits_per_weight: 3.5", "nominal_bits_per_weight: 4")
    expect(bits).to_have_value("4")
    replace(visit, "seed: 0", "seed: [0")
    expect(visit.page.get_by_role("alert")).to_contain_text("Line ")
    expect(bits).to_be_disabled()
    visit.button("Back to the YAML that last read").click()
    expect(bits).to_be_enabled()
    expect(bits).to_have_value("4")


def test_a_budget_that_cannot_be_met_is_refused_at_its_field_and_line(visit: Visit, site: Site) -> None:
    visit.allow(REFUSED)
    open_demo(visit)
    replace(visit, "budget: {nominal_bits_per_weight: 3.0}", "budget: {size: 1MB}\nname: too small")
    check = visit.page.locator(".check")
    expect(check.locator(".check-state")).to_contain_text("1 problem")
    expect(check.locator(".faults")).to_contain_text("size must be at least 4.635136 MB")
    expect(visit.page.locator("[id='at-budget.size']")).to_contain_text("feasible: 4.635136 MB to 20.98432 MB")
    expect(visit.page.get_by_label("At most")).to_have_attribute("aria-invalid", "true")
    check.get_by_role("button", name="To the field").click()
    expect(visit.page.get_by_label("At most")).to_be_focused()
    check.get_by_role("button", name="To line").click()
    expect(yaml_of(visit)).to_be_focused()
    visit.button("Queue the job").click()
    expect(check.locator(".faults")).to_be_focused()
    assert site.store.jobs(search="too small") == []
    visit.page.get_by_label("At most").fill("6MB")
    expect(check.locator(".check-state")).to_contain_text("Ready")


@pytest.mark.parametrize(
    ("before", "after", "field", "words"),
    [
        ("tokens: 65536, sequence_length", "tokens: many, sequence_length", "calibration.tokens", "integer"),
        ("seed: 0", "sed: 0", "sed", "sed"),
        ("bits: [2, 3, 4, 5, 6, 8]", "bits: [2, 9]", "space.options.0.bits", "9"),
        ("name: trust-region", "name: luck", "strategy", "luck"),
        ("model: ", "model: /etc/", "model", "/etc/"),
    ],
)
def test_each_fault_stands_at_its_field(visit: Visit, before: str, after: str, field: str, words: str) -> None:
    visit.allow(REFUSED)
    open_demo(visit)
    replace(visit, before, after)
    faults = visit.page.locator(".faults")
    expect(faults).to_contain_text(words)
    expect(faults.get_by_role("button", name=re.compile("To the field|To line")).first).to_be_visible()
    place = visit.page.locator(f"[id='at-{field}']")
    if place.count():
        expect(place.first.locator(".error").first).to_contain_text(words)


def test_a_job_is_handed_in_once_however_often_it_is_pressed(visit: Visit, site: Site) -> None:
    open_demo(visit)
    replace(visit, "seed: 0", "seed: 0\nname: pressed twice")
    expect(visit.page.locator(".check-state")).to_contain_text("Ready")
    visit.page.get_by_label("Priority").fill("7")
    visit.page.get_by_label("Note").fill("please")
    visit.button("Queue the job").dblclick()
    expect(visit.page.get_by_role("heading", name="pressed twice")).to_be_visible()
    found = site.store.jobs(search="pressed twice")
    assert [(each.priority, each.note, each.state) for each in found] == [(7, "please", "queued")]
    visit.open("/submit")
    expect(yaml_of(visit)).to_have_value("")  # what was handed in is no draft any more


def test_a_draft_outlives_a_reload(visit: Visit) -> None:
    open_demo(visit)
    replace(visit, "seed: 0", "seed: 41")
    visit.open("/jobs")
    visit.open("/submit")
    expect(yaml_of(visit)).to_have_value(re.compile("seed: 41"))
    visit.page.reload()
    expect(yaml_of(visit)).to_have_value(re.compile("seed: 41"))


def test_a_job_begins_as_an_earlier_one_or_as_a_file(visit: Visit, job: str, tmp_path: Path) -> None:
    visit.allow(REFUSED)  # the earlier job's model lies elsewhere
    visit.open(f"/submit?from={job}")
    expect(yaml_of(visit)).to_have_value(re.compile(f"# from job {job}: usual(.|\n)*trust-region"))
    text = (EXAMPLES / "jobs" / "drop.yaml").read_text("utf-8")
    (tmp_path / "own.yaml").write_text(text)
    with visit.page.expect_file_chooser() as chooser:
        visit.button("A file …").click()
    chooser.value.set_files(tmp_path / "own.yaml")
    expect(yaml_of(visit)).to_have_value(text)
    visit.button("Put back what stood here before").click()
    expect(yaml_of(visit)).to_have_value(re.compile(f"# from job {job}"))
