"""Processes of a service killed in the middle of a job: it goes on by itself, to the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from service_process import Service, all_end, report_of, serving, wait_until
from small_jobs import TEXT, small_job, submit

from store.records import JobRecord

pytestmark = pytest.mark.slow


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Iterator[Service]:
    """A service of this test's own."""
    with serving(tmp_path, roots=[str(model), str(TEXT)]) as started:
        yield started


def half_done(service: Service, job: JobRecord, calm: dict[str, Any]) -> dict[str, float]:
    """Wait for half of the evaluations; those that are finished."""
    service.wait_for(job, lambda now: len(service.done()) >= calm["evaluations"]["computed"] // 2)
    return service.done()


def check(service: Service, ended: JobRecord, calm: dict[str, Any], before: dict[str, float]) -> None:
    """The answer is the undisturbed one's, and nothing that was finished before was made again."""
    assert ended.state == "succeeded", ended
    for key in ("answer", "front", "verdict"):
        assert report_of(ended)[key] == calm[key]
    after = service.done()
    assert {key: after[key] for key in before} == before
    assert len(after) == calm["evaluations"]["computed"]
    assert report_of(ended)["evaluations"]["computed"] <= len(after) - len(before)


@pytest.mark.parametrize("role", ["job", "loop", "head"])
def test_a_killed_process_costs_what_was_in_flight(own: Service, model: Path, calm: dict[str, Any], role: str) -> None:
    job = submit(own.store, small_job(model))
    before = half_done(own, job, calm)
    killed = own.find(role)
    assert killed is not None
    family = killed.children(recursive=True)
    killed.kill()
    assert all_end(family) == []
    ended = own.wait_for_end(job)
    check(own, ended, calm, before)
    assert ended.attempt == 2
    if role == "job":
        states = [event.payload for event in own.store.events(job.id, kinds=["state"])]
        assert [each["message"] for each in states if each["reason"] == "process_died"] == [
            "its process was killed by SIGKILL; perhaps the machine ran out of memory"
        ]
        assert [each["message"] for each in states if each["reason"] == "backing_off"]


def test_a_killed_api_is_back_at_its_address(own: Service) -> None:
    wait_until(lambda: own.find("web") is not None, own.said)
    killed = own.find("web")
    assert killed is not None
    killed.kill()
    wait_until(lambda: (own.find("web") or killed).pid != killed.pid, own.said)
    assert httpx2.get(f"{own.address}/api/v1/healthz", timeout=60).status_code == 200  # it waits, and is not refused
    assert "the API was killed by SIGKILL; it starts again in 1 s" in own.said()


def test_a_killed_service_leaves_no_process_and_the_next_one_goes_on(
    model: Path, tmp_path: Path, calm: dict[str, Any]
) -> None:
    roots = [str(model), str(TEXT)]
    with serving(tmp_path, roots=roots) as first:
        job = submit(first.store, small_job(model))
        before = half_done(first, job, calm)
        family = first.descendants()
        first.process.kill()
        assert all_end(family) == []
    with serving(tmp_path, roots=roots) as second:
        check(second, second.wait_for_end(job), calm, before)


def test_a_service_that_stops_gives_its_jobs_back(model: Path, tmp_path: Path) -> None:
    with serving(tmp_path, roots=[str(model), str(TEXT)]) as service:
        job = submit(service.store, small_job(model, generations=500))
        service.wait_for(job, lambda now: service.store.num_candidates(now.id) > 0)
        family = service.descendants()
        begun = psutil.Process(service.process.pid)
        service.process.terminate()
        assert begun.wait(timeout=30) in (0, None)
        assert all_end(family) == []
        waiting = service.store.job(job.id)
    assert (waiting.state, waiting.reason, waiting.holder) == ("queued", "service_stopped", None)
    assert service.said().rstrip().endswith("stopped")
