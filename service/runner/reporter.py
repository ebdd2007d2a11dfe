"""What a running job tells the store and hears from it, once a second, on a thread of its own."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from threading import Event, Lock

from search.engine.progress import Progress
from search.engine.steering import Found, WorkerState
from service.runner.exits import EXIT_LOST
from service.runner.pace import Pace
from spaces.errors import JobError, LeaseLostError, UnreachableError
from store.records import JobState, JsonObject, NewCandidate, Weighed, Wish, WorkerRecord
from store.store import Store

logger = logging.getLogger(__name__)

TURN_S = 1.0
PROGRESS_EVENT_S = 2.0
BATCH = 500  # candidates of one transaction
PATIENCE_S = 30.0  # with a database that does not answer, at the end
MAX_LINES = 200  # of the log that wait to be sent: a job that warns of everything says the same again and again
ENGINE = "search.engine."  # warns of nothing but workers that died and candidates that could not be measured
ENDINGS: Mapping[Wish, tuple[JobState, str]] = {  # what the job does about a wish, once it heard it
    "stop": ("stopping", "finishing with the best found so far"),
    "cancel": ("cancelling", "ending what is in flight"),
}


class Reporter:
    """The job's thread leaves its news and reads wish and grant from memory; nothing it calls here ever waits."""

    def __init__(self, store: Store, job_id: str, attempt: int) -> None:
        self.wish: Wish = "run"
        self.granted = 0
        self._store = store
        self._job_id = job_id
        self._attempt = attempt
        self._lock = Lock()  # of the news
        self._turn = Lock()  # one turn at a time
        self._moment = Progress(phase="prepare", label="")
        self._pace = Pace()
        self._num_failed = 0
        self._found: list[NewCandidate] = []
        self._weighed: tuple[Weighed, ...] = ()
        self._events: list[tuple[str, JsonObject]] = []
        self._subjects: set[str] = set()
        self._workers: list[WorkerRecord] | None = None
        self._last_event_s = -math.inf
        self._state: JobState = "validating"
        self._ended = Event()
        self._speaker: Future[None] | None = None

    # what the job calls

    def see(self, moment: Progress) -> None:
        """A moment of the job: each phase is an event, and its progress one every other second."""
        now = time.monotonic()
        with self._lock:
            self._pace.note(moment, now)
            is_new = moment.phase != self._moment.phase
            if is_new:
                self._events.append(("phase", {"phase": moment.phase}))
            elif now - self._last_event_s >= PROGRESS_EVENT_S and moment != self._moment:
                self._last_event_s = now
                self._events.append(("progress", self._told(moment, now)))
            self._moment = moment

    def found(self, found: Sequence[Found]) -> None:
        """Configurations that the job measured."""
        with self._lock:
            self._found += map(_candidate, found)

    def subjects(self, subjects: Collection[str]) -> None:
        """What the store must keep for the job."""
        with self._lock:
            self._subjects.update(subjects)

    def workers(self, workers: Sequence[WorkerState]) -> None:
        """The workers as they are now."""
        now = datetime.now(UTC)  # the store's own clock replaces it
        with self._lock:
            self._workers = [WorkerRecord(**asdict(worker), job_id=self._job_id, updated_at=now) for worker in workers]

    def log(self, line: Mapping[str, object]) -> None:
        """A line of the job's log."""
        with self._lock:
            self._num_failed += str(line.get("logger")).startswith(ENGINE)
            if sum(kind == "log" for kind, _ in self._events) < MAX_LINES:
                self._events.append(("log", dict(line)))

    def check(self) -> None:
        """Raise what ended the thread, if anything did: a job that nobody hears must not go on."""
        if self._speaker is not None and self._speaker.done():
            self._speaker.result()

    @property
    def progress(self) -> JsonObject:
        """The latest moment, as JSON takes it."""
        with self._lock:
            return self._told(self._moment, time.monotonic())

    def _told(self, moment: Progress, now_s: float) -> dict[str, object]:
        """A moment as JSON takes it, with what the last minute says of the pace."""
        return as_json(moment) | {
            "eta_s": self._pace.left_s(moment, now_s),
            "evaluations_per_minute": self._pace.evaluations_per_minute(moment, now_s),
            "num_failed": self._num_failed,
        }

    # what it says

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Take a turn at once, so that wish and grant are known, and one a second while the block lasts."""
        self.turn()
        with ThreadPoolExecutor(1, "reporter") as thread:
            self._speaker = thread.submit(self._speak)
            try:
                yield
            finally:
                self._ended.set()

    def finish(self) -> None:
        """Say everything that is left; no worker is there any more.

        Raises:
            UnreachableError: the database is away for longer than a moment.
            JobError: it refuses what it is told.
        """
        self._ended.set()
        if self._speaker is not None:
            self._speaker.result()
        self.workers([])
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.turn()
            except UnreachableError:
                if time.monotonic() > deadline:
                    raise
            Event().wait(TURN_S)

    def turn(self) -> None:
        """One exchange with the store; what it could not take is said again the next time."""
        with self._turn:
            self.wish, self.granted = self._store.note_progress(self._job_id, self._attempt, self.progress)
            state, message = ENDINGS.get(self.wish, (self._state, ""))
            if state != self._state:
                self._move(state, message)
            self._say_subjects()
            self._say_found()
            self._say_events()
            self._say_workers()

    def begin(self, weighed: tuple[Weighed, ...] = ()) -> None:
        """The job is planned and runs, unless it is to end already; what its front weighs beside loss and size."""
        with self._turn:
            self._weighed = weighed
            if self._state == "validating":
                self._move("running", "")

    def _move(self, state: JobState, message: str) -> None:
        self._store.move_job(self._job_id, self._attempt, state, message=message)
        self._state = state

    def _speak(self) -> None:
        silent = False
        while not self._ended.wait(TURN_S):
            try:
                self.turn()
                silent = False
            except LeaseLostError as error:
                logger.warning("job %s: %s", self._job_id, error)
                os._exit(EXIT_LOST)  # another process has the job: whatever this one still did would be done twice
            except JobError as error:  # the database is away, its disk is full: both pass
                if not silent:
                    logger.warning("job %s cannot report: %s", self._job_id, error)
                silent = True

    def _say_subjects(self) -> None:
        with self._lock:
            subjects = set(self._subjects)
        if subjects:
            self._store.add_subjects(self._job_id, subjects)
            with self._lock:
                self._subjects -= subjects

    def _say_found(self) -> None:
        while True:
            with self._lock:
                batch = self._found[:BATCH]
            if not batch:
                return
            self._store.add_candidates(self._job_id, self._attempt, batch, self._weighed)
            with self._lock:
                del self._found[: len(batch)]

    def _say_events(self) -> None:
        while True:
            with self._lock:
                event = self._events[0] if self._events else None
            if event is None:
                return
            self._store.add_event(self._job_id, *event, attempt=self._attempt)
            with self._lock:
                del self._events[0]

    def _say_workers(self) -> None:
        with self._lock:
            workers, self._workers = self._workers, None
        if workers is not None:
            self._store.report_workers(self._job_id, self._attempt, workers)


def as_json(moment: Progress) -> dict[str, object]:
    """A moment as JSON takes it, which knows no infinity."""
    return {name: None if _is_infinite(value) else value for name, value in asdict(moment).items()}


def _is_infinite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _candidate(found: Found) -> NewCandidate:
    return NewCandidate(
        configuration_id=found.configuration.id,
        levels=tuple(map(int, found.levels)),
        label=found.name,
        kind=found.kind,
        size_bytes=found.size_bytes,
        bits_per_weight=found.bits_per_weight,
        nominal_bits_per_weight=found.nominal_bits_per_weight,
        loss=found.loss,
        loss_se=found.loss_se,
        source="cached" if found.is_cached else "computed",
        flops=found.flops,
        parameters=found.parameters,
        task_errors=found.task_errors,
    )
