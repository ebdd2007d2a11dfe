"""A service with users who keep it busy, and all that a fault needs to find its victim."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np

from benchmarks.chaos.jobs import job
from benchmarks.chaos.service import Service
from benchmarks.chaos.stores import Storage
from benchmarks.chaos.witness import Witness

LOOK_S = 0.1
COPIES = 2  # of one submission, sent at the same moment


@dataclass(kw_only=True)
class Scene:
    """``submitted`` knows the id of each job that was handed in, by its number."""

    service: Service
    storage: Storage
    witness: Witness
    model: Path
    rng: np.random.Generator
    submitted: dict[int, str] = field(default_factory=dict)
    hurt_workers: dict[str, tuple[int, set[tuple[str, str]]]] = field(default_factory=dict)  # see ``faults``

    def submit(self, number: int) -> str:
        """Hand in the job of a number; users take turns."""
        users = sorted(self.service.users)
        client = self.service.users[users[number % len(users)]]
        return client.submit(job(self.model, number), key=f"job-{number}").id

    def submit_twice(self, number: int, meanwhile: Callable[[], None]) -> None:
        """The same submission from several threads; each must be answered with the same job, now and ever."""
        with ThreadPoolExecutor(COPIES) as threads:
            answers = [threads.submit(self.submit, number) for _ in range(COPIES)]
            meanwhile()
            ids = {answer.result() for answer in answers} | {self.submitted.get(number, answers[0].result())}
        if len(ids) > 1:
            self.witness.troubles.append(f"one submission made {len(ids)} jobs: {sorted(ids)}")
        self.submitted[number] = min(ids)

    def supply(self, num_jobs: int) -> None:
        """Hand in new jobs until so many are unfinished."""
        for _ in range(num_jobs - self.witness.num_unfinished_jobs()):
            number = len(self.submitted)
            self.submitted[number] = self.submit(number)

    def chance(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))


def wait_until(condition: Callable[[], bool], patience_s: float) -> bool:
    """Poll; whether it came true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        Event().wait(LOOK_S)
    return True
