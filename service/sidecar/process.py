"""The process beside the API: ``python -m service.sidecar.process`` does the tasks that it reads, one by one."""

from __future__ import annotations

import json
import os
import sys
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from service.sidecar.keeper import TASKS
from spaces.errors import LayerpressError
from spaces.tables import load


def main() -> None:
    """Read tasks until the input ends, which ends this process at once, in the midst of a task too.

    An error that is none of ours ends it as well: its trace is in the log, and the next request starts another.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        answers.write(_done(requests.get()) + b"\n")
        answers.flush()


def _read(source: BinaryIO, requests: SimpleQueue[bytes]) -> None:
    for line in source:
        requests.put(line)
    os._exit(0)  # whoever would have read the answer is gone


def _done(line: bytes) -> bytes:
    request = json.loads(line)
    try:
        result = load(TASKS, request["task"], "task")(request["content"])
        return json.dumps({"result": result}, allow_nan=False).encode()
    except LayerpressError as error:
        return json.dumps({"error": _kind(error), "message": str(error)}).encode()


def _kind(error: LayerpressError) -> str:
    """The name of the nearest class that the other process knows."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == LayerpressError.__module__)


if __name__ == "__main__":
    main()
