"""``layerpress watch`` in a process of its own: it shows, ends as the job ends, and leaves it alone on Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from running_service import RunningService
from shown_job import finished_job, running_job

from store.records import JobRecord
from store.store import Store

ROOT = Path(__file__).parents[2]
END_S = 60.0  # for a process to end, on a busy machine
SEARCHING = {
    "phase": "search",
    "label": "round 3 of 8",
    "done": 3,
    "total": 8,
    "unit": "rounds",
    "best": 0.25,
    "uniform": 0.5,
}


class Watching:
    """A ``layerpress watch`` that runs."""

    def __init__(self, url: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "service.cli", "watch", *arguments]
        environment = {**os.environ, "LAYERPRESS_URL": url, "COLUMNS": "200"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        self.shown: list[str] = []
        self.limit = Timer(END_S, self.process.kill)  # reading would wait for ever
        self.limit.start()

    def read_until(self, text: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.shown.append(line)
            if text in line:
                return
        pytest.fail(f"it ended without {text!r}: {self.shown}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate()
        self.limit.cancel()
        return self.process.returncode, out, "".join(self.shown) + err


@pytest.fixture
def job(store: Store) -> JobRecord:
    """A job that searches."""
    running = running_job(store)
    store.note_progress(running.id, 1, SEARCHING)
    return running


@pytest.fixture
def watching(job: JobRecord, service: RunningService) -> Iterator[Watching]:
    started = Watching(service.url, job.id)
    yield started
    started.process.kill()
    started.end()


def test_ctrl_c_detaches_and_the_job_goes_on(watching: Watching, job: JobRecord, store: Store) -> None:
    watching.read_until("search: round 3 of 8 3/8 rounds, best 0.25000, uniform 0.50000")
    watching.process.send_signal(signal.SIGINT)
    code, out, err = watching.end()
    assert (code, out) == (130, "")
    assert f"detached: job {job.id} goes on; `layerpress watch {job.id}` comes back to it" in err
    assert (store.job(job.id).state, store.job(job.id).wish) == ("running", "run")


def test_it_shows_what_happens_and_ends_with_the_verdict(watching: Watching, job: JobRecord, store: Store) -> None:
    watching.read_until("search: round 3 of 8")
    store.add_event(job.id, "phase", {"phase": "validation"}, attempt=1)
    store.add_event(job.id, "progress", {**SEARCHING, "phase": "validation", "label": "unseen text"}, attempt=1)
    watching.read_until("validate: unseen text 3/8 rounds")
    store.move_job(job.id, 1, "succeeded", message="done", report={"verdict": "12 % better than the plain choice"})
    code, out, err = watching.end()
    assert (code, out) == (0, "succeeded: 12 % better than the plain choice\n")
    assert f"layerpress front {job.id}" in err


def test_a_job_that_fails_is_exit_code_1_and_why(watching: Watching, job: JobRecord, store: Store) -> None:
    watching.read_until("search: round 3 of 8")
    store.move_job(job.id, 1, "failed", reason="job_error", message="the model does not fit into memory")
    code, out, _ = watching.end()
    assert (code, out) == (1, "failed: the model does not fit into memory\n")


def test_it_outlives_a_restart_of_the_service(
    watching: Watching, job: JobRecord, store: Store, service: RunningService
) -> None:
    watching.read_until("search: round 3 of 8")
    service.stop()
    watching.read_until("the service does not answer: trying again")
    store.move_job(job.id, 1, "succeeded", message="done in the dark")
    service.start()
    code, out, _ = watching.end()
    assert (code, out) == (0, "succeeded: done in the dark\n")


def test_a_job_that_has_ended_is_told_at_once_as_json_too(store: Store, service: RunningService) -> None:
    ended = finished_job(store)
    code, out, err = Watching(service.url, ended.id, "--output", "json").end()
    assert (code, err) == (0, "")
    assert json.loads(out)["report"]["verdict"] == "better than the plain choice"
