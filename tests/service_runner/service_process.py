"""A whole service as a test sees it: started, asked through its store, killed in parts, and ended."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import psutil
from small_jobs import ROOT

from service.runner.process import LEASH
from store.records import FINAL_STATES, JobRecord
from store.store import Store

PATIENCE_S = 240.0  # on a busy machine
SERVE = Path(__file__).with_name("serve_process.py")


class Service:
    """Processes of their own, over one SQLite file."""

    def __init__(self, home: Path, **asked: object) -> None:
        self.home = home
        self.log = home / "serve.log"
        self.process = start_serve(home, self.log, {"port": 0, "num_cpus": 2, **asked})
        wait_until(lambda: "serves at" in self.said() or self.process.poll() is not None, self.said)
        assert self.process.poll() is None, self.said()
        self.store = Store.open(f"sqlite:///{home / 'store.db'}", upgrade=False)

    @property
    def address(self) -> str:
        found = re.search(r"serves at (http://\S+)", self.said())
        assert found, self.said()
        return found[1]

    def said(self) -> str:
        """All that was written so far."""
        return self.log.read_text() if self.log.exists() else ""

    def find(self, role: str) -> psutil.Process | None:
        """The process of a role: loop, web, head, gauge or job."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                command = process.cmdline()
            except psutil.NoSuchProcess:
                continue
            if command[1:4] == ["-m", "service.runner", role]:
                return process
        return None

    def wait_for(self, job: JobRecord, condition: Callable[[JobRecord], bool]) -> JobRecord:
        """The job as it is when the condition holds."""
        wait_until(lambda: condition(self.store.job(job.id)), lambda: f"{self.store.job(job.id)}\n{self.said()}")
        return self.store.job(job.id)

    def wait_for_end(self, job: JobRecord) -> JobRecord:
        return self.wait_for(job, lambda now: now.state in FINAL_STATES)

    def done(self) -> dict[str, float]:
        """Finished evaluations, and when they were finished."""
        with closing(sqlite3.connect(f"file:{self.home / 'store.db'}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT key, finished_at FROM evaluation WHERE state = 'done'"))

    def descendants(self) -> list[psutil.Process]:
        """All that the service started, and it itself."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def close(self) -> None:
        """End it in order."""
        self.store.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE_S)


def start_serve(home: Path, log: Path, asked: dict[str, object]) -> subprocess.Popen[str]:
    environment = {**os.environ, "LAYERPRESS_HOME": str(home), "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    with log.open("a") as lines:
        return subprocess.Popen(
            [sys.executable, "-m", LEASH, str(os.getpid()), sys.executable, str(SERVE), json.dumps(asked)],
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            text=True,
            env=environment,
        )


@contextmanager
def serving(home: Path, **asked: object) -> Iterator[Service]:
    """A service that is gone at the end."""
    service = Service(home, **asked)
    try:
        yield service
    finally:
        service.close()


def wait_until(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    """Poll; what takes too long fails the test with what is told."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, told()
        Event().wait(0.1)


def all_end(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that do not."""
    alive: list[psutil.Process] = psutil.wait_procs(processes, timeout=30)[1]
    return alive


def report_of(job: JobRecord) -> dict[str, Any]:
    """Of a job that has one."""
    assert job.report is not None, job
    return dict(job.report)
