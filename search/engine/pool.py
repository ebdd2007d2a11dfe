"""A pool of workers that grows and shrinks: gives tasks to the idle, retries what the dead held, heeds wishes."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from search.engine.crew import Crew, Member, last_line
from search.engine.steering import Halt, Halted, Steering
from search.engine.worker import Worker, WorkerSetup
from spaces.errors import JobError, LayerpressError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 2  # a task that killed two workers is not given to a third
PATIENT_ATTEMPTS = 5  # for a task that all else needs, and that no candidate is to blame for
MAX_LOSSES = 8  # nodes that a task may lose, which is not its fault; then it is
TICK_S = 0.5  # how often the engine hears of nothing, to renew leases and redraw


@dataclass(frozen=True, kw_only=True)
class Task:
    """One call of a worker's method."""

    method: str
    arguments: tuple[Any, ...]
    is_divisible: bool = (
        False  # whoever asks will try its parts where it fails: that it killed its workers ends nothing
    )
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A task's result; ``error`` says why there is none: every worker that tried it died."""

    index: int
    value: Any = None
    error: str | None = None
    is_last: bool = True  # of those that came at once: whoever keeps them may do that together


class _Queue:
    """The tasks of one run."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.waiting = deque(range(len(tasks)))
        self.attempts = [0] * len(tasks)
        self.losses = [0] * len(tasks)
        self.remaining = len(tasks)


class Pool:
    """Starts Ray and its workers when the first task comes; a job that is all cached never starts them."""

    def __init__(
        self,
        setup: WorkerSetup,
        num_workers: int,
        worker: type[Worker] = Worker,
        steering: Steering | None = None,
    ) -> None:
        self.setup = setup
        self.is_stoppable = False  # whether the wish to stop ends what runs now
        self._asked = num_workers
        self._steering = steering or Steering()
        self._crew = Crew(setup, worker)
        self._has_worked = False  # a worker finished something: then a death is the task's fault, not the machine's
        self._reported_at = 0.0

    @property
    def num_workers(self) -> int:
        """How many may work now."""
        return self._asked if self._steering.num_workers is None else max(0, self._steering.num_workers())

    def run(self, tasks: Sequence[Task], *, waits: bool = True) -> Iterator[Finished | None]:
        """Yield each task's result as it comes, and None at least every half second.

        Leaving the iteration early drops what is queued; what runs is waited for by nobody. Where no worker may work
        it waits until one may, or, unless it ``waits``, ends with tasks undone once what is in flight has finished.

        Raises:
            Halted: somebody wished it; for all wishes but to cancel what was in flight was yielded before.
            LayerpressError: a task raised one, in the words that it was raised with.
            JobError: a task failed in an unforeseen way, workers die at once, or Ray did not start.
        """
        queue = _Queue(tasks)
        try:
            while queue.remaining:
                halt = self._halt()
                if halt == "cancel" or (halt is not None and not self._crew.is_busy):
                    raise Halted(halt)
                if not waits and not self.num_workers and not self._crew.is_busy:
                    return
                if halt is None:
                    self._assign(queue)
                came = [self._collect(member, queue) for member in self._crew.wait(TICK_S)]
                if came and self._halt() is None:
                    self._assign(queue)  # before anyone looks at the results: no worker waits for that
                self._report()
                finished = [each for each in came if each is not None]
                queue.remaining -= len(finished)
                yield from [replace(each, is_last=False) for each in finished[:-1]]
                yield finished[-1] if finished else None
        finally:
            if self._crew.is_busy:
                self._crew.dismiss()

    def check_wish(self) -> None:
        """Raise ``Halted`` where the job is to pause or to be cancelled, whatever it is at."""
        halt = self._halt()
        if halt in ("pause", "cancel"):
            raise Halted(halt)

    def rest(self, seconds: float) -> None:
        """Wait for others; raises ``Halted`` as ``run`` does."""
        halt = self._halt()
        if halt is not None:
            raise Halted(halt)
        self._crew.fit(self.num_workers, 0)
        self._report()
        Event().wait(seconds)

    def close(self) -> None:
        """End the workers, and Ray if this pool started it."""
        self._crew.close()
        self._steering.workers([])

    def _halt(self) -> Halt | None:
        wish = self._steering.wish()
        return None if wish == "run" or (wish == "stop" and not self.is_stoppable) else wish

    def _assign(self, queue: _Queue) -> None:
        """Fit the crew to what it may be, and give the idle something to do."""
        self._crew.fit(self.num_workers, len(queue.waiting))
        for member in self._crew.idle():
            if not queue.waiting:
                return
            index = queue.waiting.popleft()
            task = queue.tasks[index]
            self._crew.give(member, index, task.method, task.arguments)

    def _collect(self, member: Member, queue: _Queue) -> Finished | None:
        """What a worker brings; None when it died and its task goes back in the queue."""
        import ray
        from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayError, RayTaskError

        index = member.index
        try:
            value = ray.get(member.reference)
        except RayTaskError as error:
            self._crew.free(member)
            if isinstance(error.cause, LayerpressError):
                raise type(error.cause)(*error.cause.args) from error
            raise JobError(f"a worker failed in an unforeseen way: {error}") from error
        except (ActorDiedError, ActorUnavailableError, OutOfMemoryError) as error:
            return self._died(member, index, error, queue)
        except RayError as error:
            raise JobError(f"the Ray cluster failed: {last_line(error)}; what was finished is kept") from error
        self._crew.free(member)
        self._has_worked = True
        return Finished(index=index, value=value)

    def _died(self, member: Member, index: int, error: Exception, queue: _Queue) -> Finished | None:
        """A worker died over a task: it goes to another, unless it seems to be what kills them."""
        task, reason = queue.tasks[index], last_line(error)
        is_lost = self._crew.lose(member, error) and queue.losses[index] < MAX_LOSSES
        queue.losses[index] += is_lost
        queue.attempts[index] += not is_lost
        if not is_lost and task.is_divisible:
            return Finished(index=index, error=f"a worker died on it: {reason}")
        if queue.attempts[index] >= task.max_attempts:
            if not self._has_worked:
                raise JobError(f"workers die before they finish anything: {reason}") from error
            return Finished(index=index, error=f"{queue.attempts[index]} workers died on it; the last: {reason}")
        logger.warning("a worker died, its task is given to another: %s", reason)
        if self._has_worked:
            queue.waiting.appendleft(index)
        else:
            queue.waiting.append(index)  # others first: whether they die as well tells whose fault it is
        return None

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported_at >= TICK_S:
            self._reported_at = now
            self._steering.workers(self._crew.states())
