"""Memory of a job's process and of the API's over 100,000 evaluations, sampled on the way."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import httpx2
import psutil

from benchmarks.bench import Bench
from benchmarks.databases import SQLITE, open_databases
from benchmarks.document import table
from benchmarks.watched_job import JobOrder, Sample
from service.api.settings import API_PATH
from spaces.errors import JobError
from store.records import NewJob
from store.store import Store

MB = 10**6
PATIENCE_S = 120.0  # with the API on a busy machine
PAGE = 200

Process = subprocess.Popen[str]


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of what is driven."""

    num_evaluations: int
    num_in_part: int  # between two samples
    num_in_round: int  # of the strategy
    num_visits: int  # to the API between two samples


FULL = Size(num_evaluations=100_000, num_in_part=10_000, num_in_round=500, num_visits=100)
SMALL = Size(num_evaluations=60, num_in_part=20, num_in_round=10, num_visits=2)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The memory of both processes after some evaluations."""

    num_evaluations: int
    job_bytes: int
    api_bytes: int
    job_seconds: float


def measure_service_memory(bench: Bench) -> str:
    """A table of samples, and how steep they are."""
    size = SMALL if bench.is_small else FULL
    moments = []
    for moment in watch(bench, size):
        moments.append(moment)
        job_mb, api_mb = moment.job_bytes / MB, moment.api_bytes / MB
        bench.say(f"service_memory: {moment.num_evaluations:,} evaluations, job {job_mb:,.0f} MB, API {api_mb:,.0f} MB")
    return f"{_describe(size, moments)}\n\n{show(moments)}"


def watch(bench: Bench, size: Size) -> Iterator[Moment]:
    """Run the job part by part, and visit the API after each."""
    with ExitStack() as stack:
        url = stack.enter_context(stack.enter_context(open_databases()).empty(SQLITE))
        store = stack.enter_context(Store.open(url))
        spec = bench.spec([]).model_dump(mode="json")
        job, _ = store.add_job(NewJob(name="watched", spec=spec, origin="local", workers=8))
        api, visitor = stack.enter_context(_served(url, job.id, bench))
        for sample in stack.enter_context(_worked(url, job.id, bench, size)):
            visitor.visit(size.num_visits)
            api_bytes = psutil.Process(api.pid).memory_info().rss
            yield Moment(
                num_evaluations=sample.num_evaluations,
                job_bytes=sample.rss_bytes,
                api_bytes=api_bytes,
                job_seconds=sample.seconds,
            )


class Visitor:
    """Reads of a job what a dashboard does: the job, its front, what is new, and the best."""

    def __init__(self, client: httpx2.Client, job_id: str) -> None:
        self._client = client
        self._job = f"/jobs/{job_id}"
        self._last_event = self._last_candidate = 0

    def visit(self, times: int) -> None:
        for _ in range(times):
            self._read(self._job)
            self._read(f"{self._job}/front")
            self._read(f"{self._job}/candidates", order="loss", limit=PAGE)
            new = self._read(f"{self._job}/candidates", after_seq=self._last_candidate, limit=PAGE)["items"]
            self._last_candidate = new[-1]["seq"] if new else 0  # from the first again
            self._last_event = self._read(f"{self._job}/events", after=self._last_event, limit=PAGE)["next_after"]

    def listen(self) -> int:
        """Follow the stream of events until the service ends; how many lines there were."""
        num_lines = 0
        try:
            with self._client.stream(
                "GET", f"{self._job}/events", headers={"Accept": "text/event-stream"}, timeout=None
            ) as stream:
                for _ in stream.iter_lines():
                    num_lines += 1
        except httpx2.TransportError:
            return num_lines
        return num_lines

    def _read(self, path: str, **query: str | int) -> Any:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def _served(url: str, job_id: str, bench: Bench) -> Iterator[tuple[Process, Visitor]]:
    """The API's process and who visits it; another client listens all the time."""
    with _process("benchmarks.watched_api", {"url": url, "home": str(bench.home)}) as api:
        base = f"http://127.0.0.1:{_heard(api)}{API_PATH}"
        with httpx2.Client(base_url=base, timeout=PATIENCE_S, trust_env=False) as client:
            visitor = Visitor(client, job_id)
            with ThreadPoolExecutor(1) as thread:
                thread.submit(visitor.listen)
                yield api, visitor
                api.terminate()


@contextmanager
def _worked(url: str, job_id: str, bench: Bench, size: Size) -> Iterator[Iterator[Sample]]:
    """The job's process, which goes on to its next part when the next sample is asked for."""
    order = JobOrder(
        url=url,
        job_id=job_id,
        home=str(bench.home),
        num_evaluations=size.num_evaluations,
        num_in_part=size.num_in_part,
        num_in_round=size.num_in_round,
        is_small=bench.is_small,
    )
    with _process("benchmarks.watched_job", asdict(order)) as job:

        def samples() -> Iterator[Sample]:
            sample = None
            while sample is None or sample.num_evaluations < size.num_evaluations:
                sample = Sample(**json.loads(_heard(job)))
                yield sample
                _tell(job, "go on")

        yield samples()


@contextmanager
def _process(module: str, told: dict[str, object]) -> Iterator[Process]:
    """One of the processes watched; it is ended with the block."""
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        _tell(process, json.dumps(told))
        yield process
    finally:
        process.kill()
        process.communicate()


def _tell(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _heard(process: Process) -> str:
    """Its next line.

    Raises:
        JobError: it ended instead.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise JobError("a process that was watched ended early; see what it says above")
    return line.strip()


def show(moments: Sequence[Moment]) -> str:
    """Both processes' memory after each part, and its slope from the first part on."""
    rows = [
        (f"{each.num_evaluations:,}", f"{each.job_bytes / MB:,.1f}", f"{each.api_bytes / MB:,.1f}") for each in moments
    ]
    settled = moments[1:]  # what is loaded by the first evaluation grows no more
    job = slope([(each.num_evaluations, each.job_bytes) for each in settled])
    api = slope([(each.num_evaluations, each.api_bytes) for each in settled])
    rows.append(("MB per 10,000 evaluations", f"{job * 10_000 / MB:+z,.2f}", f"{api * 10_000 / MB:+z,.2f}"))
    return table(("evaluations", "the job's process, MB", "the API's process, MB"), rows)


def slope(points: Sequence[tuple[int, int]]) -> float:
    """Of the straight line through (evaluations, bytes) by least squares; 0 for a single one."""
    if len(points) < 2:
        return 0.0
    evaluations, sizes = zip(*points, strict=True)
    return statistics.linear_regression(evaluations, sizes).slope


def _describe(size: Size, moments: Sequence[Moment]) -> str:
    rate = moments[-1].num_evaluations / moments[-1].job_seconds
    return (
        f"One job of {size.num_evaluations:,} different candidates on the demo's space, in rounds of "
        f"{size.num_in_round}, and one API process, on SQLite. The job's process is the service's own from its plan on "
        f"(session, keys, leases, store, front, a report every second); only its workers are missing: each task is "
        f"answered at once with made-up losses, which gave {rate:,.0f} evaluations per second. After every "
        f"{size.num_in_part:,} evaluations the API answers {size.num_visits} times for the job, its front, its best "
        f"{PAGE} candidates, the next {PAGE} and the next {PAGE} events, while another client follows the stream of "
        f"events. Resident memory; the slopes leave the first line out."
    )
