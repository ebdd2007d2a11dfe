"""``python -m service.runner loop``: claims jobs, shares the workers out, and keeps a process at work for each job."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from threading import Event

from search.engine.leases import release_the_dead
from service.runner.exits import END_SIGNAL
from service.runner.gauge import Gauge, Nodes
from service.runner.held import SERVICE_STOPPED, Held, claimant
from service.runner.logs import log_to_stderr
from service.runner.process import end_processes
from service.runner.settings import RunnerSettings
from service.runner.shares import Room, Shares, share_out
from spaces.errors import ConflictError, JobError, LeaseLostError, UnknownError
from store.holders import is_dead, name_owner, place_of
from store.records import JobRecord, JobState
from store.store import Store

logger = logging.getLogger(__name__)

TURN_S = 1.0
PAGE = 500
LONGEST_DELAY_S = 30.0
LOOK_AGAIN_S = 30.0  # for processes that are no more
STEADY_S = 60.0  # a process that lived so long did not die of what it started with
UNFINISHED: tuple[JobState, ...] = ("queued", "validating", "running", "stopping", "cancelling")
WAITING = "waiting_for_workers"
NO_CLUSTER = "waiting for the Ray cluster to answer"
GONE = (LeaseLostError, ConflictError, UnknownError)  # somebody else was faster: the next turn sees what they did


class Runner:
    """One for each service. Several may share a database; each claims jobs of its own.

    ``nodes`` says what the cluster has, None while that is unknown.
    """

    def __init__(self, settings: RunnerSettings, store: Store, nodes: Callable[[], Nodes | None]) -> None:
        self.holder = name_owner()
        self._settings = settings
        self._store = store
        self._nodes = nodes
        self._held: dict[str, Held] = {}
        self._failures: dict[str, tuple[int, str]] = {}  # a job's processes that ended soon, and how the last one did
        self._renewed_s = 0.0
        self._trouble = ""

    def run(self, stop: Event) -> None:
        """Take a turn a second until ``stop``; then end the processes in order and give their jobs back."""
        self._quietly(self._release_the_dead)
        looked_s = time.monotonic()
        while not stop.is_set():
            self._quietly(self.turn)
            if time.monotonic() - looked_s >= LOOK_AGAIN_S:
                self._quietly(self._release_the_dead)
                looked_s = time.monotonic()
            stop.wait(TURN_S)
        self._end()

    def turn(self) -> None:
        """Look after what is in hand, and see what else may begin."""
        self._reap()
        self._renew()
        jobs = {record.id: record for record in self._unfinished() if record.origin == "service"}
        self._heed(jobs)
        waiting = {name: job for name, job in jobs.items() if name not in self._held and is_free(job)}
        room = self._room()
        if room is None:
            self._tell(waiting, Shares(granted={}, waiting=dict.fromkeys(waiting, NO_CLUSTER)))
            return
        in_hand = [job for name, job in jobs.items() if name in self._held]
        shares = share_out((claimant(job, room.gpus > 0) for job in [*in_hand, *waiting.values()]), room)
        self._claim(sum(shares.granted[name] > 0 for name in waiting))
        self._grant(shares)
        self._start(shares)
        self._tell(waiting, shares)

    def _quietly(self, step: Callable[[], object]) -> None:
        """A database that is away costs a turn, not the processes; it is said once."""
        try:
            step()
            self._trouble = ""
        except (JobError, UnknownError) as error:
            if str(error) != self._trouble:
                logger.warning("%s", error)
            self._trouble = str(error)

    def _release_the_dead(self) -> None:
        """What processes of this machine held that are no more need not wait for its lease to end.

        Among them are those that ran a job in a terminal; elsewhere such a job ends with its lease.
        """
        for holder in filter(is_dead, self._store.job_holders()):
            count = self._store.release_holder(holder)
            logger.info("%d jobs of a process that is no more (%s) are given back", count, place_of(holder))
        release_the_dead(self._store)
        self._store.release_expired()

    def _reap(self) -> None:
        """Give back the jobs whose processes ended; one that finished is left as it is."""
        for name, held in list(self._held.items()):
            if held.has_ended and held.process is not None:
                reason, message = held.why_ended()
                now = self._give_back(held, reason, message)
                logger.info("job %s: process %d ended, the job is %s", name, held.process.pid, now)
                count, _ = self._failures.pop(name, (0, ""))
                if now == "queued" and held.process.returncode != 0 and reason != SERVICE_STOPPED[0]:
                    is_early = time.monotonic() - held.started_s < STEADY_S
                    self._failures[name] = (count + 1 if is_early else 1, message)

    def _give_back(self, held: Held, reason: str, message: str) -> str:
        """Let go of a job; the state that it is in then."""
        try:
            state: str = self._store.release_job(held.record.id, held.record.attempt, reason, message).state
        except (LeaseLostError, UnknownError):
            state = "another's"
        del self._held[held.record.id]
        return state

    def _renew(self) -> None:
        if not self._held or time.monotonic() - self._renewed_s < self._settings.lease_s / 3:
            return
        kept = self._store.renew_jobs(list(self._held), self.holder, self._settings.lease_s)
        self._renewed_s = time.monotonic()
        for name in set(self._held) - kept:
            self._held[name].outlive()

    def _unfinished(self) -> Iterator[JobRecord]:
        after: str | None = None
        while page := self._store.jobs(states=UNFINISHED, limit=PAGE, after=after):
            yield from page
            after = page[-1].id
            if len(page) < PAGE:
                return

    def _heed(self, jobs: dict[str, JobRecord]) -> None:
        """What owners wish of jobs that no process hears."""
        for name, held in list(self._held.items()):
            record = jobs.get(name)
            if record is None or record.attempt != held.record.attempt:
                held.outlive()
                continue
            held.record = record
            if record.wish in ("pause", "cancel") and held.process is None:
                self._give_back(held, "", "")
            elif record.wish == "cancel":
                held.outlive()

    def _room(self) -> Room | None:
        nodes, settings = self._nodes(), self._settings
        if nodes is None:
            return None
        room = Room.of(nodes, workers=settings.max_workers, jobs=settings.max_jobs)
        return room.within(settings.max_cpus, settings.max_gpus)

    def _claim(self, number: int) -> None:
        """Take so many in hand; what the database holds for the next may be another than we do, and waits with us."""
        for _ in range(number):
            record = self._store.claim_job(self.holder, self._settings.lease_s)
            if record is None:
                return
            logger.info("job %s (%s): claimed, attempt %d", record.id, record.name, record.attempt)
            count, message = self._failures.get(record.id, (0, ""))
            delay_s = min(LONGEST_DELAY_S, 2.0**count) if count else 0.0
            self._held[record.id] = Held(record=record, due_s=time.monotonic() + delay_s)
            if count:
                self._say(record, "backing_off", f"{message}; it is started again in {delay_s:.0f} s")

    def _grant(self, shares: Shares) -> None:
        granted = {name: shares.granted.get(name, 0) for name in self._held}
        changed = {name: number for name, number in granted.items() if number != self._held[name].record.granted}
        if changed:
            self._store.grant_workers(changed)

    def _start(self, shares: Shares) -> None:
        """Those that have a worker to use, and are due."""
        for name, held in self._held.items():
            if held.process is None and shares.granted.get(name) and time.monotonic() >= held.due_s:
                process = held.start(self._settings)
                logger.info("job %s: process %d, attempt %d", name, process.pid, held.record.attempt)

    def _tell(self, waiting: Mapping[str, JobRecord], shares: Shares) -> None:
        """Say of each job that has no worker what it waits for, and no longer so of one that has."""
        for name, job in waiting.items():
            sentence = shares.waiting.get(name)
            if sentence and name not in self._held and sentence != job.message:
                self._store.set_waiting(name, WAITING, sentence)
        for name, held in self._held.items():
            sentence, job = shares.waiting.get(name, ""), held.record
            if sentence != (job.message if job.reason == WAITING else ""):
                self._say(job, WAITING if sentence else "", sentence)

    def _say(self, job: JobRecord, reason: str, sentence: str) -> None:
        try:
            self._store.move_job(job.id, job.attempt, job.state, reason=reason, message=sentence)
        except GONE:
            logger.debug("job %s moved on by itself", job.id)

    def _end(self) -> None:
        """What is in flight may finish for a moment; the jobs are queued for the next service."""
        processes = [held.process for held in self._held.values() if held.process is not None]
        end_processes(processes, self._settings.finish_s, END_SIGNAL)
        for held in list(self._held.values()):
            self._quietly(partial(self._give_back, held, *SERVICE_STOPPED))
        logger.info("the runner stopped; %d jobs were at work", len(processes))


def is_free(job: JobRecord) -> bool:
    """Whether the job can be claimed: it is queued, or its holder let the lease run out (the claim makes sure)."""
    return job.state == "queued" or (job.lease_until is not None and job.lease_until < datetime.now(UTC))


def main() -> int:
    """Run until SIGTERM."""
    settings = RunnerSettings.read(sys.stdin.read())
    log_to_stderr()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    gauge = None if settings.ray is None else Gauge(settings.ray)
    try:
        with Store.open(settings.store_url, upgrade=False) as store:
            Runner(settings, store, this_machine if gauge is None else gauge.read).run(stop)
    except JobError as error:
        logger.warning("%s", error)
        return 1
    finally:
        if gauge is not None:
            gauge.close()
    return 0


def this_machine() -> Nodes:
    """Where each job starts a Ray of its own."""
    return ((float(os.cpu_count() or 1), 0.0),)
