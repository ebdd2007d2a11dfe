"""A job's process whose memory is watched, ``python -m benchmarks.watched_job``: told by a line of JSON what to do.

It is a real one from its plan on: session, strategy's questions, store, front and reports to the service. Only its
workers are not: a pool answers each task at once, with made-up numbers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.bench import Bench
from evaluators.evaluator import Measurement
from search.engine.plan import Plan
from search.engine.pool import Finished, Pool, Task
from search.engine.run import Run
from search.engine.session import Session
from search.engine.steering import Steering
from search.strategy import Ask
from service.runner.reporter import Reporter
from store.store import Store

CHANGES = ("strategy=uniform", "front_points=0")
MAX_LEVEL = 3  # of the smallest options, so that about half of the candidates meet the demo's budget


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """What the job process does: so many evaluations, with a pause for whoever watches after each part of them."""

    url: str
    job_id: str
    home: str
    num_evaluations: int
    num_in_part: int
    num_in_round: int  # of the strategy
    is_small: bool


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the job process says of itself before it waits for a line."""

    num_evaluations: int
    rss_bytes: int
    seconds: float  # since the first evaluation, pauses left out


class InstantPool(Pool):
    """Answers every task in this process; the first candidates are the best, as in a search that converges."""

    def run(self, tasks: Sequence[Task], *, waits: bool = True) -> Iterator[Finished | None]:
        rng = np.random.default_rng(len(tasks))
        for index, task in enumerate(tasks):
            *_, candidates, start, stop = task.arguments
            measured = [_made_up(rng, stop - start) for _ in candidates]
            yield Finished(index=index, value=(measured, 0.0))


def _made_up(rng: np.random.Generator, num_sequences: int) -> Measurement:
    kl = rng.gamma(4.0, 0.01, num_sequences)
    return Measurement(kl=kl, nll=kl + 3.0)


class WatchedJob:
    """Asks as a strategy does, and says after each part how much memory that took."""

    def __init__(self, order: JobOrder, plan: Plan, store: Store) -> None:
        self._order = order
        self._plan = plan
        reporter = Reporter(store, order.job_id, 1)
        self.reporter = reporter
        steering = Steering(
            wish=lambda: reporter.wish,
            num_workers=lambda: reporter.granted,
            found=reporter.found,
            workers=reporter.workers,
            subjects=reporter.subjects,
        )
        pool = InstantPool(plan.worker_setup(), plan.spec.workers, steering=steering)
        self._run = Run(Session(plan, store, pool, reporter.see, steering))
        self._rng = np.random.default_rng(0)

    def samples(self) -> Iterator[Sample]:
        """One before the first evaluation, and one after each part."""
        yield self._sample(0, 0.0)
        seconds, done = 0.0, 0
        while done < self._order.num_evaluations:
            begun = time.perf_counter()
            for _ in range(self._order.num_in_part // self._order.num_in_round):
                self._run.answer(self._ask())
                done += self._order.num_in_round
            seconds += time.perf_counter() - begun
            yield self._sample(done, seconds)

    def _ask(self) -> Ask:
        units, count = len(self._plan.problem.space.units), self._order.num_in_round
        levels = self._rng.integers(0, MAX_LEVEL, (count, units)).tolist()
        tokens = self._run.fidelity * self._plan.streams["calibration"].length
        return Ask(candidates=tuple(map(tuple, levels)), tokens=tokens, label="a round")

    def _sample(self, done: int, seconds: float) -> Sample:
        return Sample(num_evaluations=done, rss_bytes=psutil.Process().memory_info().rss, seconds=seconds)


def run_job(order: JobOrder) -> None:
    """The job process."""
    with Store.open(order.url, upgrade=False) as store:
        bench = Bench(home=Path(order.home), store=store, is_small=order.is_small, say=lambda text: None)
        job = WatchedJob(order, bench.plan(CHANGES), store)
        with job.reporter.speaking():
            for sample in job.samples():
                _say(json.dumps(asdict(sample)))
                if not sys.stdin.readline():
                    return
            job.reporter.finish()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    run_job(JobOrder(**json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
