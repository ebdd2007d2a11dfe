"""The runner's turns on a cluster that has no room, or does not answer: nothing is started, and everybody is told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from socket import gethostname
from threading import Event, Thread

import pytest

from service.runner.gauge import Nodes
from service.runner.loop import NO_CLUSTER, Runner
from service.runner.settings import RunnerSettings
from store.records import NewJob
from store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def runner(store: Store, nodes: Nodes | None, *, max_jobs: int | None = None) -> Runner:
    settings = RunnerSettings(store_url="unused", home=Path("/"), roots=(), lease_s=30.0, max_jobs=max_jobs)
    return Runner(settings, store, lambda: nodes)


def queue(store: Store, **resources: float) -> str:
    return store.add_job(NewJob(name="a", spec={"resources": resources}))[0].id


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (None, NO_CLUSTER),
        ((), "one worker needs 1 CPU and no node has more than 0; add a node, or cancel the job and ask for less"),
    ],
)
def test_a_queued_job_is_told_what_it_waits_for(store: Store, nodes: Nodes | None, message: str) -> None:
    job_id = queue(store)
    turning = runner(store, nodes)
    turning.turn()
    turning.turn()  # says it once
    job = store.job(job_id)
    assert (job.state, job.reason, job.message) == ("queued", "waiting_for_workers", message)
    assert job.last_seq == 2


def test_a_job_beyond_the_limit_is_told_so(store: Store) -> None:
    job_id = queue(store, gpus=1.0)
    runner(store, ((8.0, 1.0),), max_jobs=0).turn()
    assert store.job(job_id).message == "waiting for its turn; 0 jobs may be at work at once"


def test_jobs_of_a_dead_runner_are_free_at_once(store: Store) -> None:
    job_id = queue(store)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    claimed = store.claim_job(f"{gethostname()}:{dead.pid}:0a1b2c3d", 3600.0)
    assert claimed is not None
    stop = Event()
    stop.set()
    runner(store, None).run(stop)
    job = store.job(job_id)
    assert (job.state, job.reason, job.holder) == ("queued", "runner_died", None)


def test_a_run_in_a_terminal_that_is_killed_is_ended_while_the_service_runs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.runner.loop.LOOK_AGAIN_S", 0.0)
    program = (
        "import sys, time; from store.records import NewJob; from store.store import Store\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    print(store.add_job(NewJob(name='a', spec={}, origin='local'))[0].id, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'store.db'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as local:
        assert local.stdout is not None
        job_id = local.stdout.readline().strip()
        stop = Event()
        running = Thread(target=runner(store, None).run, args=(stop,))
        running.start()
        time.sleep(2.5)
        lived = store.job(job_id).state
        local.kill()
        local.wait()
        deadline = time.monotonic() + 60.0
        while store.job(job_id).state == "running" and time.monotonic() < deadline:
            time.sleep(0.1)
        stop.set()
        running.join()
    assert lived == "running"
    job = store.job(job_id)
    assert (job.state, job.message) == ("failed", "its process ended without a word")


def test_jobs_of_another_machine_are_left_alone(store: Store) -> None:
    job_id = queue(store)
    assert store.claim_job("elsewhere:1:0a1b2c3d", 3600.0) is not None
    turning = runner(store, ())
    turning.turn()
    assert store.job(job_id).holder == "elsewhere:1:0a1b2c3d"
