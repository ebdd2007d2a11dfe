"""What the dashboard costs a browser: bytes of the first load, time to a plot and to a strip, and each live update."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, CDPSession, Page

from benchmarks.bench import Bench
from benchmarks.browser import chromium
from benchmarks.dashboard_report import NUM_NEW, Costs, Wire, described
from benchmarks.page_server import serving
from benchmarks.pages import NUM_OPTIONS, NUM_UNITS, drawn_candidates, fill
from service.spaces_view import SPACE_FILE, VERSION
from store.records import Artifact
from store.store import Store

SIZES, SMALL_SIZES = (100, 1_000, 10_000), (100,)
ROUNDS, SMALL_ROUNDS = 5, 1
UPDATES, SMALL_UPDATES = 12, 2
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
WIDTH = 4096
SCREEN = {"width": 1280, "height": 900}
TIMEOUT_MS = 180_000.0
FIRST_LOADS = {  # page: its route, and what is there once it is shown
    "jobs": ("/jobs", "[data-job]"),
    "a job, with its front": ("/jobs/{job}", ".front-card canvas"),
    "submit": ("/submit", ".form-group"),
    "compare, with fronts": ("/compare?jobs={job}", "main canvas"),
    "models": ("/models", ".page-header"),
    "workers": ("/workers", ".page-header"),
}
# the chart's own word that it has drawn points; then the frame in which they are seen
UNTIL_PLOT = """() => new Promise((resolve) => {
  const look = () => {
    const box = document.querySelector(".front-card .chart-box");
    const chart = box && globalThis.echarts?.getInstanceByDom(box);
    const isDrawn = chart?.getOption()?.series?.some((each) => each.data?.length > 0);
    requestAnimationFrame(isDrawn ? () => resolve(performance.now()) : look);
  };
  look();
})"""
UNTIL_STRIP = """(row) => new Promise((resolve) => {
  const number = row.cells[0].textContent.trim();
  const begun = performance.now();
  row.click();
  const look = () => {
    const title = document.querySelector("#candidate-title")?.textContent;
    const isFresh = document.querySelector(".strip-panel:not(.is-stale) .block-grid td[data-cell]");
    const isShown = title === `Candidate ${number}` && isFresh;
    requestAnimationFrame(isShown ? () => resolve(performance.now() - begun) : look);
  };
  look();
})"""
WATCH_TASKS = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
  }).observe({entryTypes: ["longtask"]});
}"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A served store with one running job."""

    browser: Browser
    pages: str  # their address
    store: Store
    job_id: str
    num: int


def measure_dashboard(bench: Bench) -> str:
    """A table of first loads and one of what a job's page costs."""
    sizes = SMALL_SIZES if bench.is_small else SIZES
    rounds, updates = (SMALL_ROUNDS, SMALL_UPDATES) if bench.is_small else (ROUNDS, UPDATES)
    loads: dict[str, Wire] = {}
    costs: dict[int, Costs] = {}
    with chromium() as browser:
        version = browser.version
        for num in sizes:
            bench.say(f"dashboard: a job of {num:,} candidates")
            with staged(browser, num) as scene:
                loads = loads or first_loads(scene)
                costs[num] = measure(scene, rounds, updates)
    return described(version, loads, costs)


@contextmanager
def staged(browser: Browser, num: int) -> Iterator[Scene]:
    """A new store with a running job of so many candidates, served by a process of its own."""
    with tempfile.TemporaryDirectory(prefix="layerpress-dashboard-") as folder:
        url = f"sqlite:///{Path(folder) / 'store.db'}"
        filled = fill(url, num)
        with Store.open(url) as store, serving(url, Path(folder)) as client:
            store.put_artifacts(filled.job_id, 1, [_space()])
            base = urlsplit(str(client.base_url))
            pages = f"{base.scheme}://{base.netloc}/ui/"
            yield Scene(browser=browser, pages=pages, store=store, job_id=filled.job_id, num=num)


def _space() -> Artifact:
    """What the levels of the candidates are: a large Llama's layers."""
    layers: list[dict[str, object]] = [
        {
            "name": f"model.layers.{unit // len(MODULES)}.{MODULES[unit % len(MODULES)]}",
            "block": unit // len(MODULES),
            "module": MODULES[unit % len(MODULES)],
            "part": None,
            "rows": WIDTH,
            "columns": WIDTH,
            "inside": [],
        }
        for unit in range(NUM_UNITS)
    ]
    slugs = [f"gptq-int{bits}-g128-asym" for bits in (2, 3, 4, 6, 8)][:NUM_OPTIONS]
    content = {
        "version": VERSION,
        "ties": "none",
        "dense_bits": 16,
        "num_parameters": NUM_UNITS * WIDTH**2,
        "num_weights": NUM_UNITS * WIDTH**2,
        "num_blocks": NUM_UNITS // len(MODULES),
        "layers": layers,
        "units": [{"layers": [unit], "options": slugs} for unit in range(NUM_UNITS)],
    }
    return Artifact(name=SPACE_FILE, media_type="application/json", content=json.dumps(content).encode())


@contextmanager
def _tab(scene: Scene) -> Iterator[Page]:
    """With nothing in its cache."""
    context = scene.browser.new_context(viewport=SCREEN, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    try:
        yield page
    finally:
        context.close()


def first_loads(scene: Scene) -> dict[str, Wire]:
    """What each page fetches until it is shown, by somebody who was never here."""
    found = {}
    for name, (route, ready) in FIRST_LOADS.items():
        with _tab(scene) as page:
            found[name] = wire = Wire()
            wire.listen(page.context.new_cdp_session(page))
            page.goto(f"{scene.pages}#{route.format(job=scene.job_id)}")
            page.locator(ready).first.wait_for()
    return found


def measure(scene: Scene, rounds: int, updates: int) -> Costs:
    """A job's page, opened afresh in every round; in the last one it is used."""
    costs = Costs()
    for number in range(rounds + 1):  # the first one fills the disk's cache and does not count
        with _tab(scene) as page:
            page.goto(f"{scene.pages}#/jobs/{scene.job_id}?dominated=1", wait_until="commit")
            plot = page.evaluate(UNTIL_PLOT)
            _wait_for(page, scene.num)
            everything = page.evaluate("performance.now()")
            if number == 0:
                continue
            costs.plot.append(plot)
            costs.everything.append(everything)
            if number == rounds:
                costs.strip = _clicks(page)
                costs.update, costs.longest = _updates(page, scene, updates)
    return costs


def _wait_for(page: Page, num: int) -> None:
    script = "text => document.querySelector('#tab-front')?.textContent === text"
    page.wait_for_function(script, arg=f"Front{num:,}")


def _clicks(page: Page) -> list[float]:
    """From each of a few rows of the table to the strip of its candidate."""
    rows = page.get_by_role("grid", name="Candidates").locator("tbody tr:not(.spacer)")
    taken = [rows.nth(number).evaluate(UNTIL_STRIP) for number in range(1, 12)]
    return taken[1:]  # the first one brings the panel itself


def _updates(page: Page, scene: Scene, num: int) -> tuple[list[float], list[float]]:
    """The thread's time of each update, until the page is at rest again, and its longest piece."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.evaluate(WATCH_TASKS)
    costs, longest = [], []
    for turn in range(num):
        known = scene.num + turn * NUM_NEW
        page.evaluate("() => { window.longest = 0; }")
        before = _task_ms(session)
        scene.store.add_candidates(scene.job_id, 1, drawn_candidates(known, NUM_NEW))
        _wait_for(page, known + NUM_NEW)
        page.evaluate("() => new Promise((resolve) => requestIdleCallback(() => setTimeout(resolve, 300)))")
        costs.append(_task_ms(session) - before)
        longest.append(float(page.evaluate("window.longest")))
    return costs, longest


def _task_ms(session: CDPSession) -> float:
    metrics: Sequence[Mapping[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")
