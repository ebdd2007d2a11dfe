"""``python -m service.runner gauge``: joins a cluster and writes its nodes, a line of JSON every few seconds.

A process of its own, for Ray ends a process whose cluster is lost, and the runner has jobs to keep alive.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from threading import Event, Thread

from search.engine.cluster import connect, nodes
from service.runner.process import has_ended, kill_process, role, start_process
from spaces.errors import JobError

logger = logging.getLogger(__name__)

EVERY_S = 2.0
RESTART_S = 5.0
Nodes = tuple[tuple[float, float], ...]  # CPUs and GPUs of each


class Gauge:
    """What the cluster has, as far as it is known; None before it answered, or when it answers no more."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._process: subprocess.Popen[str] | None = None
        self._started_s = 0.0
        self._nodes: Nodes | None = None

    def read(self) -> Nodes | None:
        """The latest; a process that has ended is started again, in the thread that calls this."""
        if self._process is None or has_ended(self._process):
            self._nodes = None
            if self._process is None or time.monotonic() - self._started_s > RESTART_S:
                self._start()
        return self._nodes

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            kill_process(self._process)

    def _start(self) -> None:
        self._started_s = time.monotonic()
        self._process = start_process(role("gauge"), stdin=self._address, is_heard=True)
        Thread(target=self._listen, args=[self._process], daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._nodes = tuple((cpus, gpus) for cpus, gpus in json.loads(line))


def main() -> int:
    """Write what there is until nobody reads it or the cluster is lost."""
    try:
        connect(sys.stdin.read().strip())
        while True:
            sys.stdout.write(json.dumps([(node.cpus, node.gpus) for node in nodes()]) + "\n")
            sys.stdout.flush()
            Event().wait(EVERY_S)
    except JobError as error:
        logger.warning("%s", error)
        return 1
