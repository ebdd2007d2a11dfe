"""A pool of Ray actors: gives tasks to idle workers, replaces the dead, and retries what they held."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from search.engine.worker import Worker, WorkerSetup
from spaces.errors import JobError, LayerpressError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 2  # a task that killed two workers is not given to a third
TICK_S = 0.5  # how often the engine hears of nothing, to renew leases and redraw
# glibc gives large blocks back to the system at once, and every forward pass would have its logits' pages zeroed anew:
# a worker that keeps them runs a forward pass about a tenth faster on a CPU
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str((2 << 30) - 1)}
OBJECT_STORE_BYTES = 256 << 20  # results are small: a candidate's per-sequence losses


@dataclass(frozen=True, kw_only=True)
class Task:
    """One call of a worker's method."""

    method: str
    arguments: tuple[Any, ...]
    is_divisible: bool = (
        False  # whoever asks will try its parts where it fails: that it killed its workers ends nothing
    )


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A task's result; ``error`` says why there is none: every worker that tried it died."""

    index: int
    value: Any = None
    error: str | None = None


class Pool:
    """Starts Ray and its workers when the first task comes; a job that is all cached never starts them."""

    def __init__(self, setup: WorkerSetup, num_workers: int, worker: type[Worker] = Worker) -> None:
        self.setup = setup
        self.worker = worker
        self.num_workers = num_workers
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, int]] = {}  # Ray's reference -> (actor, task index)
        self._started_ray = False
        self._has_worked = False  # a worker finished something: then a death is the task's fault, not the machine's

    def run(self, tasks: Sequence[Task]) -> Iterator[Finished | None]:
        """Yield each task's result as it comes, and None at least every half second.

        Leaving the iteration early drops what is queued; what runs is waited for by nobody.

        Raises:
            LayerpressError: a task raised one, in the words that it was raised with.
            JobError: a task failed in an unforeseen way, workers die at once, or Ray did not start.
        """
        import ray

        if not tasks:
            return
        self._start(len(tasks))
        waiting = deque(range(len(tasks)))
        attempts = [0] * len(tasks)
        remaining = len(tasks)
        try:
            self._assign(waiting, tasks)
            while remaining:
                done, _ = ray.wait(list(self._busy), num_returns=1, timeout=TICK_S)
                finished = [self._collect(reference, tasks, attempts, waiting) for reference in done]
                self._assign(waiting, tasks)  # before anyone looks at the results: no worker waits for that
                remaining -= sum(each is not None for each in finished)
                yield from finished or [None]
        finally:
            if self._busy:
                self._discard_workers()

    def close(self) -> None:
        """End the workers, and Ray if this pool started it."""
        if not self._started_ray and not self._idle and not self._busy:
            return
        import ray

        self._discard_workers()
        if self._started_ray:
            ray.shutdown()
            self._started_ray = False

    def _start(self, num_tasks: int) -> None:
        self._started_ray = start_ray(self.num_workers) or self._started_ray
        for _ in range(min(self.num_workers, num_tasks) - len(self._idle) - len(self._busy)):
            self._idle.append(self._new_worker())

    def _new_worker(self) -> Any:
        import ray

        gpus = 1 if self.setup.device == "cuda" else 0
        options = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": 0, "runtime_env": {"env_vars": KEEP_MEMORY}}
        return ray.remote(self.worker).options(**options).remote(self.setup)

    def _assign(self, waiting: deque[int], tasks: Sequence[Task]) -> None:
        while waiting and self._idle:
            index = waiting.popleft()
            worker = self._idle.pop()
            task = tasks[index]
            self._busy[getattr(worker, task.method).remote(*task.arguments)] = (worker, index)

    def _collect(
        self, reference: Any, tasks: Sequence[Task], attempts: list[int], waiting: deque[int]
    ) -> Finished | None:
        """The result behind a reference; None when its worker died and the task goes back in the queue."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        worker, index = self._busy.pop(reference)
        try:
            value = ray.get(reference)
        except RayActorError as error:
            self._idle.append(self._new_worker())
            attempts[index] += 1
            if tasks[index].is_divisible:
                return Finished(index=index, error=f"a worker died on it: {_last_line(error)}")
            if attempts[index] >= MAX_ATTEMPTS and not self._has_worked:
                raise JobError(f"workers die before they finish anything: {_last_line(error)}") from error
            if attempts[index] >= MAX_ATTEMPTS:
                return Finished(
                    index=index, error=f"{attempts[index]} workers died on it; the last: {_last_line(error)}"
                )
            logger.warning("a worker died, its task is given to another: %s", _last_line(error))
            waiting.appendleft(index)
            return None
        except RayTaskError as error:
            self._idle.append(worker)
            cause = error.cause
            if isinstance(cause, LayerpressError):
                raise type(cause)(*cause.args) from error
            raise JobError(f"a worker failed in an unforeseen way: {error}") from error
        self._idle.append(worker)
        self._has_worked = True
        return Finished(index=index, value=value)

    def _discard_workers(self) -> None:
        """End every worker: what they compute is wanted no more."""
        import ray

        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            ray.kill(worker)
        self._idle, self._busy = [], {}


def start_ray(num_cpus: int) -> bool:
    """Start Ray on this machine unless it runs already; whether it was started here.

    Raises:
        JobError: it did not start.
    """
    import ray

    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default: the work itself would yield to all else
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray 2.60 asks for in a warning
    try:
        ray.init(
            num_cpus=max(num_cpus, os.cpu_count() or 1),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise JobError(f"Ray did not start: {error}; see `layerpress doctor`") from error
    return True


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
