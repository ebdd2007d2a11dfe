"""A second process for what needs torch, kept warm, so that the API's own process never loads it.

Requests and answers are lines of JSON over its standard input and output. It ends when its input does, so it never
outlives the process that started it, however that one ends.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import BoundedSemaphore, Lock
from typing import Any

from spaces import errors
from spaces.errors import JobError, LayerpressError, UnreachableError

TASKS = {  # each takes and returns plain JSON
    "solve": "service.sidecar.solve_task:solve_task",
    "sensitivity": "service.sidecar.sensitivity_task:sensitivity_task",
    "formats": "service.sidecar.export_task:formats_task",
    "recipe": "service.sidecar.export_task:recipe_task",
    "check_export": "service.sidecar.export_task:check_export_task",
    "checkpoint": "service.sidecar.export_task:checkpoint_task",
    "catalogue": "service.sidecar.catalogue:catalogue",
}
PROGRAM = ("-m", "service.sidecar.process")
CHUNK_BYTES = 1 << 16
MOST_WAITING = 8  # threads; more would leave too few for requests that need no task


class TooSlowError(UnreachableError):
    """The second process did not get to a task, or did not end it, in time."""


class Sidecar:
    """Does one task at a time. Threads may share it; a few of them wait for each other, more are sent away."""

    def __init__(self, program: tuple[str, ...] = PROGRAM, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._program = program
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._at_work = Lock()
        self._starting = Lock()
        self._places = BoundedSemaphore(MOST_WAITING)
        self._is_closed = False

    def call(self, task: str, content: Mapping[str, object], *, timeout_s: float) -> Any:
        """What the task answers, within ``timeout_s`` from now, waiting for other tasks included.

        Raises:
            LayerpressError: as the task raised it.
            TooSlowError: the time is over.
            JobError: the process died.
        """
        deadline = self._clock() + timeout_s
        if not self._places.acquire(blocking=False):
            raise TooSlowError(f"{MOST_WAITING} requests wait for {task} already; try again later")
        try:
            if not self._at_work.acquire(timeout=max(0.0, timeout_s)):
                raise TooSlowError(f"other requests kept {task} waiting for {timeout_s:g} s; try again")
            try:
                return _opened(self._asked({"task": task, "content": content}, deadline, timeout_s))
            finally:
                self._at_work.release()
        finally:
            self._places.release()

    def close(self) -> None:
        """End the process, in the midst of a task too; no call after this one is answered."""
        with self._starting:  # or a call that had looked before would start another one now
            self._is_closed = True
            process = self._process
        if process is not None:
            process.kill()  # whoever waits for its answer sees it die, and makes room
        with self._at_work:
            self._end()

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def _asked(self, request: Mapping[str, object], deadline: float, timeout_s: float) -> dict[str, Any]:
        """The answer to a request; a process that fails to give it is ended."""
        task = request["task"]
        try:
            return self._answer(request, deadline)
        except TimeoutError as error:
            self._end()
            raise TooSlowError(f"{task} took longer than {timeout_s:g} s; try again, or run it from a shell") from error
        except (OSError, EOFError) as error:
            self._end()
            raise JobError(f"the process of {task} died; the log says why, and a new one is started") from error

    def _answer(self, request: Mapping[str, object], deadline: float) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - self._clock()))
            if not ready:
                raise TimeoutError
            chunk = os.read(process.stdout.fileno(), CHUNK_BYTES)
            if not chunk:
                raise EOFError
            line += chunk
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._is_closed:
                raise EOFError
            if self._process is not None and self._process.poll() is not None:
                self._end()
            if self._process is None:
                command = [sys.executable, *self._program]
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            return self._process

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # it died with something unread in it
                    pipe.close()


def _opened(answer: Mapping[str, Any]) -> Any:
    """The result, or the error as it was raised over there."""
    if "error" not in answer:
        return answer["result"]
    kind = getattr(errors, answer["error"], JobError)
    is_ours = isinstance(kind, type) and issubclass(kind, LayerpressError)
    raise (kind if is_ours else JobError)(answer["message"])
