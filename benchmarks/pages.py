"""How soon the pages of a job with 100,000 candidates are there, on SQLite and on PostgreSQL, from the real server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from benchmarks.bench import Bench
from benchmarks.databases import open_databases, say_if_alone
from benchmarks.document import table
from benchmarks.page_server import serving
from spaces.errors import JobError
from store.records import NewCandidate, NewJob
from store.store import Store

SEED = 0
NUM_CANDIDATES, SMALL_CANDIDATES = 100_000, 2_000
NUM_UNITS, NUM_OPTIONS = 224, 5  # an 8-billion-parameter Llama's
NUM_PARAMETERS = 8_030_261_248
BATCH = 1_000  # candidates of one transaction
NUM_REQUESTS, SMALL_REQUESTS = 60, 5
WARM_UPS = 3
LIMIT_MS = 200.0
HEADER = ("request", "rows", "kB", "median, ms", "95 %, ms")

Request = Callable[[httpx2.Client], httpx2.Response]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A store with one large job in it."""

    job_id: str
    num: int
    fill_s: float


def measure_pages(bench: Bench) -> str:
    """For each database a sentence and a table."""
    num, requests = (SMALL_CANDIDATES, SMALL_REQUESTS) if bench.is_small else (NUM_CANDIDATES, NUM_REQUESTS)

    def measured(name: str, url: str, home: Path) -> str:
        bench.say(f"pages: {num:,} candidates into {name}")
        filled = fill(url, num)
        bench.say(f"pages: {requests} of each request to {name}")
        with serving(url, home) as client:
            times = {what: _timed(ask, client, requests) for what, ask in asked(filled, client).items()}
        return _described(name, filled, times)

    with tempfile.TemporaryDirectory(prefix="layerpress-pages-") as folder, open_databases() as databases:
        parts = []
        for name in databases.names:
            with databases.empty(name) as url:
                parts.append(measured(name, url, Path(folder)))
    return "\n\n".join(filter(None, [*parts, say_if_alone(databases).strip()]))


def fill(url: str, num: int) -> Filled:
    """A job of so many candidates: losses fall fourfold per bit, up to noise, and one in fifty broke the model."""
    begun = time.perf_counter()
    with Store.open(url) as store:
        job, _ = store.add_job(NewJob(name="large", spec={"objective": "kl"}, origin="local", model="large"))
        rng = np.random.default_rng(SEED)
        for first in range(0, num, BATCH):
            store.add_candidates(job.id, job.attempt, _drawn(rng, first, min(BATCH, num - first)))
    return Filled(job_id=job.id, num=num, fill_s=time.perf_counter() - begun)


def drawn_candidates(first: int, num: int) -> list[NewCandidate]:
    """So many more, for a job that has ``first`` of them."""
    return _drawn(np.random.default_rng([SEED, first]), first, num)


def _drawn(rng: np.random.Generator, first: int, num: int) -> list[NewCandidate]:
    bits = rng.uniform(2.2, 6, num)
    losses = 4.0**-bits * rng.lognormal(0.5, 0.4, num)
    broken = rng.random(num) < 0.02
    levels = rng.integers(NUM_OPTIONS, size=(num, NUM_UNITS))
    return [
        NewCandidate(
            configuration_id=f"{first + number:012x}",
            levels=tuple(levels[number].tolist()),
            label=f"round {first // BATCH}",
            kind="plain" if first + number < NUM_OPTIONS else "candidate",
            size_bytes=int(bits[number] * NUM_PARAMETERS / 8),
            bits_per_weight=float(bits[number]),
            nominal_bits_per_weight=float(bits[number]) - 0.2,
            loss=None if broken[number] else float(losses[number]),
            loss_se=None if broken[number] else float(losses[number]) / 20,
            source="computed",
            flops=2 * NUM_PARAMETERS,
            parameters=NUM_PARAMETERS,
        )
        for number in range(num)
    ]


def asked(filled: Filled, client: httpx2.Client) -> dict[str, Request]:
    """What is timed, by what a person would call it."""
    job = f"/jobs/{filled.job_id}"
    deep = {order: _deep_cursor(client, job, order) for order in ("size_bytes", "loss")}
    middle = int(4 * NUM_PARAMETERS / 8)

    def page(**query: str | int | float | bool) -> Request:
        return lambda client: client.get(f"{job}/candidates", params=query)

    return {
        "front": lambda client: client.get(f"{job}/front"),
        "first page": page(limit=200),
        "deep page": page(limit=200, after_seq=filled.num * 9 // 10),
        "first page by loss": page(limit=200, order="loss"),
        "deep page by loss": page(limit=200, order="loss", cursor=deep["loss"]),
        "deep page by size": page(limit=200, order="size_bytes", cursor=deep["size_bytes"]),
        "page by loss within a size": page(limit=200, order="loss", max_size=middle),
        "one candidate": lambda client: client.get(f"{job}/candidates/{filled.num // 2}"),
        "select within a size": lambda client: client.post(f"{job}:select", json={"max_size": middle}),
        "select within a loss": lambda client: client.post(f"{job}:select", json={"max_loss": 0.01}),
    }


def _deep_cursor(client: httpx2.Client, job: str, order: str) -> str:
    """Behind as many pages as a person would scroll through."""
    cursor: str | None = None
    for _ in range(50):
        query: dict[str, Any] = {"limit": 20, "order": order} | ({} if cursor is None else {"cursor": cursor})
        cursor = client.get(f"{job}/candidates", params=query).raise_for_status().json()["next_cursor"]
        if cursor is None:
            raise JobError(f"the job has too few candidates for a deep page by {order}")
    return str(cursor)


def _timed(ask: Request, client: httpx2.Client, num: int) -> tuple[httpx2.Response, list[float]]:
    """The last answer, and the milliseconds of each request, one after the other, as a browser sees them."""
    times = []
    for _ in range(WARM_UPS + num):
        begun = time.perf_counter()
        answer = ask(client)
        times.append(1000 * (time.perf_counter() - begun))
        answer.raise_for_status()
    return answer, times[WARM_UPS:]


def _described(name: str, filled: Filled, times: Mapping[str, tuple[httpx2.Response, Sequence[float]]]) -> str:
    rows = []
    for what, (answer, taken) in times.items():
        content = answer.json()
        num_rows = len(content["items"]) if "items" in content else 1
        middle, high = np.percentile(taken, [50, 95])
        rows.append((what, f"{num_rows:,}", f"{len(answer.content) / 1000:.1f}", f"{middle:.1f}", f"{high:.1f}"))
    slowest = max(float(np.median(taken)) for _, taken in times.values())
    said = (
        f"**{name}**: a job with {filled.num:,} candidates of {NUM_UNITS} layers, stored in {filled.fill_s:.0f} s by "
        f"{BATCH:,} at a time; {len(next(iter(times.values()))[1])} requests of each kind, one after the other, over "
        f"HTTP on loopback. The slowest median is {slowest:.0f} ms; the aim is {LIMIT_MS:.0f} ms."
    )
    return f"{said}\n\n{table(HEADER, rows)}"
