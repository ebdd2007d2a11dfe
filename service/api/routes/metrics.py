"""Numbers for Prometheus, computed from the store when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.api.access import reader
from service.api.problems import documented
from service.api.state import StoreOf
from store.records import FINAL_STATES, JobRecord, JobState
from store.store import Store

router = APIRouter(tags=["meta"], dependencies=[Depends(reader)])

ACTIVE_STATES: tuple[JobState, ...] = ("queued", "validating", "running", "paused", "stopping", "cancelling")
JOB_STATES = (*ACTIVE_STATES, *FINAL_STATES)
WORK_STATES = ("done", "in_flight", "failed", "released")
MOST_JOBS = 1000  # that numbers of their own are given for
EXAMPLE = '# TYPE layerpress_jobs gauge\nlayerpress_jobs{state="running"} 1.0\n'


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **documented(),
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}}},
    },
    summary="Numbers for Prometheus",
)
def get_metrics(store: StoreOf) -> Response:
    """Jobs, evaluations and workers by state, the jobs that have not ended one by one, and this process."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(store))
    ProcessCollector(registry=registry)
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class StoreCollector(Collector):
    """What a store holds, as metrics."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        statistics = self._store.statistics()
        yield _by_state("layerpress_jobs", "Jobs by state.", statistics.jobs, JOB_STATES)
        yield _by_state("layerpress_evaluations", "Evaluations by state.", statistics.evaluations, WORK_STATES)
        yield _by_state("layerpress_samples", "Samples of statistics by state.", statistics.samples, WORK_STATES)
        sizes = {"evaluations": statistics.evaluation_bytes, "samples": statistics.sample_bytes}
        yield _family("layerpress_stored_bytes", "Bytes of stored values.", ("kind",), _single(sizes))
        workers = Counter((worker.state, worker.device) for worker in self._store.workers())
        yield _family("layerpress_workers", "Workers by state and device.", ("state", "device"), workers.items())
        yield from _active(self._store.jobs(limit=MOST_JOBS, states=ACTIVE_STATES))


def _active(jobs: list[JobRecord]) -> Iterator[Metric]:
    """Numbers of each job that has not ended."""
    asked = {(job.id, source): _asked(job, source) for job in jobs for source in ("computed", "cached")}
    yield _family(
        "layerpress_job_evaluations",
        "Evaluations that an active job asked for, by where the answer came from.",
        ("job", "source"),
        asked.items(),
    )
    workers = {(job.id, kind): number for job in jobs for kind, number in _workers(job)}
    yield _family(
        "layerpress_job_workers", "Workers of an active job, wanted and granted.", ("job", "kind"), workers.items()
    )
    shares = {job.id: share for job in jobs if (share := _cached_share(job)) is not None}
    yield _family(
        "layerpress_job_cached_share",
        "Share of a job's evaluations that the store answered.",
        ("job",),
        _single(shares),
    )
    events = {job.id: job.last_seq for job in jobs}
    yield _family("layerpress_job_events", "The number of an active job's latest event.", ("job",), _single(events))


def _asked(job: JobRecord, source: str) -> float:
    value = (job.progress or {}).get(source, 0)
    return value if isinstance(value, int | float) else 0


def _cached_share(job: JobRecord) -> float | None:
    computed, cached = _asked(job, "computed"), _asked(job, "cached")
    return cached / (computed + cached) if computed + cached else None


def _workers(job: JobRecord) -> tuple[tuple[str, int], ...]:
    return ("wanted", job.workers), ("granted", job.granted)


def _by_state(name: str, text: str, counts: Mapping[str, int], states: Iterable[str]) -> Metric:
    """Zero for a state that nothing is in, so that a series neither begins nor ends."""
    return _family(name, text, ("state",), _single({**dict.fromkeys(states, 0), **counts}))


def _single(numbers: Mapping[str, float]) -> list[tuple[tuple[str], float]]:
    return [((name,), number) for name, number in numbers.items()]


def _family(
    name: str, text: str, labels: tuple[str, ...], numbers: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in numbers:
        family.add_metric(values, number)
    return family
