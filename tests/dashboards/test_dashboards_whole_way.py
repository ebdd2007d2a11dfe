"""A person, a browser and a whole service: from an empty list to a file that ``layerpress evaluate`` accepts.

With ``LAYERPRESS_SCREENSHOTS=docs/pages`` it goes the same way on the reference model and renews the pictures there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dashboard_site import EXAMPLES, PATIENCE_S
from dashboard_visit import Visit
from playwright.sync_api import ViewportSize, expect

from benchmarks.tiny_model import save_tiny_model
from service.runner.process import LEASH

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = EXAMPLES.parent
PICTURES = os.environ.get("LAYERPRESS_SCREENSHOTS")
JOB_TIMEOUT_MS = 3_600_000.0 if PICTURES else 900_000.0
SCREEN: ViewportSize = {"width": 1280, "height": 860}
VisitAs = Callable[..., Visit]


@dataclass(frozen=True)
class Served:
    """Where ``layerpress serve`` is found, and where it keeps its things."""

    origin: str
    home: Path

    @property
    def pages(self) -> str:
        return f"{self.origin}/ui/"


@contextmanager
def layerpress_serve(home: Path, *roots: Path) -> Iterator[Served]:
    """The command itself, with Ray and all."""
    log = home / "serve.log"
    asked = [word for root in roots for word in ("--root", str(root))]
    command = [sys.executable, "-m", LEASH, str(os.getpid()), sys.executable, "-m", "service.cli", "serve"]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*command, "--port", "0", "--cpus", "2", *asked],
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            env=environment(home),
            cwd=home,
        )
    try:
        yield Served(_address(process, log), home)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "LAYERPRESS_HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "300"}


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = re.search(r"dashboard: (http://\S+)/ui/", log.read_text())
        if found:
            return found[1]
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    models = tmp_path / "models"
    models.mkdir()
    if PICTURES is None:
        save_tiny_model(models / "tiny")
    home = tmp_path / "home"
    home.mkdir()
    with layerpress_serve(home, EXAMPLES, models) as started:
        yield started


def take_picture(visit: Visit, name: str, *, height: int = 860, at: str | None = None) -> None:
    """Of a screen of that height, from an element on; only where somebody asked for new ones."""
    if PICTURES is None:
        return
    folder = ROOT / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    visit.page.set_viewport_size({**SCREEN, "height": height})
    top = "element => scrollTo(0, element.getBoundingClientRect().top + scrollY - 80)"
    visit.page.locator(at or "body").first.evaluate(top)
    visit.page.mouse.move(2, 300)
    expect(visit.page.locator("[role=tooltip]:popover-open")).to_have_count(0)
    visit.page.screenshot(path=folder / f"{name}.png", animations="disabled")
    visit.page.set_viewport_size(SCREEN)


def make_small(visit: Visit) -> str:
    """Edit the demo until it takes seconds, or for pictures minutes: the model in the form, the rest in the YAML."""
    text = visit.page.get_by_label("The job as YAML")
    changes = {
        "tokens: 65536": "tokens: 8192",
        "sequence_length: 512": "sequence_length: 256",
        "rounds: 4": "rounds: 3",
        "front_points: 5": "front_points: 24",
    }
    if PICTURES is None:
        visit.button("tiny", exact=False).click()
        expect(text).to_have_value(re.compile("model: .*/tiny"))
        changes = {
            "tokens: 65536": "tokens: 4096",
            "sequence_length: 512": "sequence_length: 128",
            "group_size: 128": "group_size: 64",
            "[2, 3, 4, 5, 6, 8]": "[2, 3, 4]",
            "rounds: 4": "rounds: 2",
        }
    written = text.input_value()
    for before, after in changes.items():
        assert before in written
        written = written.replace(before, after)
    text.fill(f"{written}name: at 3 bits\n")
    return text.input_value()


def wait_for_end(visit: Visit) -> None:
    """Look on, without a reload, until the job has ended."""
    badge = visit.page.locator(".job-title .badge")
    expect(badge).to_have_text(re.compile("succeeded|failed|cancelled"), timeout=JOB_TIMEOUT_MS)
    expect(badge).to_have_text("succeeded")


def test_from_an_empty_list_to_a_file_that_evaluates(served: Served, visit_as: VisitAs, tmp_path: Path) -> None:
    visit = visit_as(served, viewport=SCREEN)
    visit.allow("status of 422")  # of the dry run, while the job is half edited
    written = submit_the_demo(visit)
    watch(visit, visit_as(served, viewport=SCREEN))
    seq = choose(visit)
    configuration = export(visit, tmp_path)
    submit_another(visit)
    compare(visit)
    look_around(visit)
    evaluate(served, written, configuration, visit, seq)


def submit_the_demo(visit: Visit) -> str:
    visit.open("/jobs")
    visit.page.get_by_role("link", name="New job from the demo").click()
    expect(visit.page.locator(".check-state")).to_contain_text("Ready")
    written = make_small(visit)
    expect(visit.page.locator(".check-state")).to_contain_text("Ready")
    take_picture(visit, "submit", height=1300)
    visit.button("Queue the job").click()
    expect(visit.page.get_by_role("heading", name="at 3 bits")).to_be_visible()
    return written


def watch(visit: Visit, other: Visit) -> None:
    """The job in one tab, who works on it in another."""
    expect(visit.page.locator(".job-connection")).to_have_text("live")
    expect(visit.page.get_by_role("progressbar")).to_be_visible(timeout=JOB_TIMEOUT_MS)
    other.open("/workers")
    expect(other.page.locator("[data-testid='workers-summary']")).to_be_visible(timeout=JOB_TIMEOUT_MS)
    expect(other.page.locator("main")).to_contain_text("at 3 bits")
    expect(visit.page.locator(".front-card canvas")).to_be_visible(timeout=JOB_TIMEOUT_MS)
    take_picture(other, "workers", height=460)
    other.open("/jobs")
    expect(other.page.locator("[data-job]").get_by_role("progressbar")).to_be_visible()
    if PICTURES is not None:  # of a front that is one
        expect(visit.page.locator(".candidate-table tbody tr").nth(2)).to_be_attached(timeout=JOB_TIMEOUT_MS)
    take_picture(visit, "running", height=1200)
    wait_for_end(visit)
    expect(visit.page.locator(".verdict")).to_contain_text("unseen text")
    expect(other.page.locator("[data-job]")).to_contain_text("succeeded")


def choose(visit: Visit) -> int:
    """Brush the front, then the best under a size; its layers."""
    total = visit.number_of_rows()
    visit.page.get_by_role("radio", name="Brush").check(force=True)
    visit.drag(visit.chart("Pareto front"), (0.35, 0.1), (0.97, 0.85))
    visit.wait_for_key("nominal", "loss")
    expect(visit.page.locator(".front-selection strong")).to_contain_text(f"of {total} selected")
    assert 0 < visit.number_of_rows() < total
    visit.button("Clear").click()
    visit.page.get_by_role("radio", name="Move").check(force=True)
    best = visit.page.get_by_role("region", name="Best under a size")
    for key in ("Home", *["PageUp"] * 3):
        best.get_by_role("slider").press(key)
    visit.wait_for_key("max_size")
    take_picture(visit, "job", height=1500)
    best.get_by_role("link", name="Show its layers").click()
    seq = int(visit.wait_for_key("candidate")["candidate"])
    expect(visit.page.get_by_role("heading", name=f"Candidate {seq}", exact=True)).to_be_visible()
    expect(visit.page.get_by_role("grid", name=f"candidate {seq}: the option of every layer")).to_be_visible()
    expect(visit.page.get_by_role("grid", name="sensitivity of every layer")).to_be_visible()
    visit.page.locator(".block-grid td[data-cell]").nth(4).hover()
    take_picture(visit, "layers", height=1200, at=".job-front")
    return seq


def export(visit: Visit, folder: Path) -> Path:
    visit.button("Export").click()
    visit.page.locator("[name='export-format'][value='configuration']").check()
    expect(visit.page.locator(".export-preview pre")).to_contain_text("model.layers.0")
    take_picture(visit, "export")
    with visit.page.expect_download() as download:
        visit.button("Download configuration.json").click()
    saved = folder / "configuration.json"
    download.value.save_as(saved)
    visit.page.keyboard.press("Escape")
    return saved


def submit_another(visit: Visit) -> None:
    """The same at another budget; much of it is known by now."""
    visit.button("Clone").click()
    visit.page.get_by_role("link", name="Change more of it first").click()
    text = visit.page.get_by_label("The job as YAML")
    expect(text).to_have_value(re.compile("name: at 3 bits"))
    text.fill(text.input_value().replace("name: at 3 bits", "name: at 2.5 bits"))
    visit.page.get_by_label("At most").fill("2.5")
    expect(visit.page.locator(".check-state")).to_contain_text("Ready")
    visit.button("Queue the job").click()
    expect(visit.page.get_by_role("heading", name="at 2.5 bits")).to_be_visible()
    wait_for_end(visit)
    visit.page.get_by_role("tab", name="Savings").click()
    expect(visit.page.get_by_role("tabpanel")).to_contain_text("were known already")
    visit.page.get_by_role("tab", name="History").click()
    expect(visit.page.locator("main canvas").first).to_be_visible()
    take_picture(visit, "history", at="[role=tablist]")


def compare(visit: Visit) -> None:
    visit.open("/jobs")
    expect(visit.page.locator("[data-job]")).to_have_count(2)
    for box in visit.page.locator("[data-job]").get_by_role("checkbox").all():
        box.check()
    take_picture(visit, "jobs")
    visit.page.get_by_role("link", name="Compare").last.click()
    ids = visit.wait_for_key("jobs")["jobs"].split(",")
    expect(visit.page.locator("main canvas").first).to_be_visible()
    visit.open(f"/compare?jobs={','.join(ids)}&candidates={ids[0]}:2,{ids[1]}:6")
    expect(visit.page.locator(".block-grid td[data-cell]").first).to_be_visible()
    take_picture(visit, "compare", height=2000)


def look_around(visit: Visit) -> None:
    visit.open("/models")
    model = "tiny" if PICTURES is None else "reference-model"
    visit.page.get_by_role("link", name=model).first.click()
    expect(visit.page.locator("main canvas").first).to_be_visible()
    take_picture(visit, "models", height=1200)
    visit.open("/terms")
    expect(visit.page.locator("dl")).to_contain_text("uniform baseline")


def evaluate(served: Served, written: str, configuration: Path, visit: Visit, seq: int) -> None:
    """The downloaded file, measured by the command line as its job was: what the page showed of it is right."""
    job = configuration.with_name("job.yaml")
    job.write_text(written)
    command = [sys.executable, "-m", "service.cli", "evaluate", str(job), str(configuration), "--output", "json"]
    done = subprocess.run(command, env=environment(served.home), cwd=EXAMPLES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    shown = visit.page.evaluate(
        """async ([base, seq]) => {
          const jobs = await (await fetch(`${base}/jobs?search=at%203%20bits`)).json();
          return (await fetch(`${base}/jobs/${jobs.items[0].id}/candidates/${seq}`)).json();
        }""",
        [f"{served.origin}/api/v1", seq],
    )
    assert measured["configuration_id"] == shown["configuration_id"]
    assert measured["size_bytes"] == shown["size_bytes"]
    assert measured["kl_calibration"] == pytest.approx(shown["loss"], rel=1e-3)
