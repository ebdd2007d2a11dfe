"""Keeps the service's processes alive: the head of a Ray cluster, the API and the runner; ends them all together.

None of them outlives this one, however it ends: each is killed when its parent dies.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import gettempdir, mkdtemp
from threading import Event

import psutil

from service.api.settings import ApiSettings
from service.runner import web
from service.runner.process import describe_end, end_processes, has_ended, kill_process, role, start_process
from service.runner.settings import RunnerSettings

logger = logging.getLogger(__name__)

LOOK_S = 0.2
FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 30.0
STEADY_S = 60.0  # a process that lived so long starts again at once when it dies
RUNNER_PATIENCE_S = 3.0  # beside what its jobs get to finish what is in flight
HEAD_PATIENCE_S = 5.0
RAY_HOST = "127.0.0.1"
RAY_FOLDER = "layerpress-ray"


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """The Ray cluster that the service starts where it joins none; None counts what the machine has."""

    num_cpus: int | None = None
    num_gpus: int | None = None


class Part:
    """One process of the service, started again whenever it ends: later each time, unless it lived a while."""

    def __init__(self, name: str, start: Callable[[], subprocess.Popen[str]]) -> None:
        self.name = name
        self.process: subprocess.Popen[str] | None = None
        self._start = start
        self._started_s = 0.0
        self._due_s = 0.0
        self._delay_s = FIRST_DELAY_S

    @property
    def is_alive(self) -> bool:
        return self.process is not None and not has_ended(self.process)

    def tend(self) -> bool:
        """Start it where it is due; whether it ended since the last look."""
        now = time.monotonic()
        if self.is_alive:
            return False
        has_ended, self.process = self.process, None
        if has_ended is not None:
            self._delay_s = FIRST_DELAY_S if now - self._started_s > STEADY_S else self._delay_s
            self._due_s = now + self._delay_s
            ending = describe_end(has_ended.returncode)
            logger.warning("the %s %s; it starts again in %.0f s", self.name, ending, self._delay_s)
            self._delay_s = min(LONGEST_DELAY_S, 2 * self._delay_s)
        elif now >= self._due_s:
            self.process, self._started_s = self._start(), now
            logger.info("the %s is process %d", self.name, self.process.pid)
        return has_ended is not None

    def kill(self) -> None:
        """End it now; it is started again like one that died."""
        if self.process is not None:
            kill_process(self.process)


class Supervisor:
    """``listener`` is the API's socket, open already: a request waits while the API is started again."""

    def __init__(
        self, *, api: ApiSettings, runner: RunnerSettings, listener: socket.socket, head: HeadSettings | None
    ) -> None:
        self._api_settings = api
        self._runner_settings = runner
        self._listener = listener
        self._head_settings = head
        # whoever reaches a cluster can run code on it: ours knows its own processes by a secret of this one's
        self._environment = {} if head is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
        self._folder = make_ray_folder() if head is not None else None
        self._ray = runner.ray
        self.api = Part("API", self._start_api)
        self.head = None if head is None else Part("Ray head", self._start_head)
        self.runner = Part("runner", self._start_runner)

    def run(self, stop: Event) -> None:
        """Look after them until ``stop``, then end them: the runner first, so that its jobs are given back."""
        try:
            while not stop.is_set():
                self._look()
                stop.wait(LOOK_S)
        finally:
            self._end()

    def _look(self) -> None:
        self.api.tend()
        if self.head is not None and self.head.tend():
            self.runner.kill()  # what its jobs had on the cluster is gone
        if self.head is None or self.runner.is_alive or (self.head.is_alive and self._head_answers()):
            self.runner.tend()

    def _head_answers(self) -> bool:
        assert self._ray is not None
        host, _, port = self._ray.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=LOOK_S).close()
        except OSError:
            return False
        return True

    def _start_api(self) -> subprocess.Popen[str]:
        descriptor = self._listener.fileno()
        told = web.dump(self._api_settings, descriptor)
        return start_process(role("web"), stdin=told, descriptors=[descriptor])

    def _start_head(self) -> subprocess.Popen[str]:
        """At a port of its own each time: the one before may still be taken for a while."""
        assert self._head_settings is not None
        port = free_port()
        self._ray = f"{RAY_HOST}:{port}"
        arguments = {
            "host": RAY_HOST,
            "port": port,
            "num_cpus": self._head_settings.num_cpus,
            "num_gpus": self._head_settings.num_gpus,
            "temp_dir": str(self._folder),
        }
        return start_process(
            role("head"), stdin=json.dumps(arguments) + "\n", environment=self._environment, is_guard=True
        )

    def _start_runner(self) -> subprocess.Popen[str]:
        return start_process(
            role("loop"),
            stdin=self._runner_settings.at(self._ray).dump(),
            environment=self._environment,
        )

    def _end(self) -> None:
        patience_s = self._runner_settings.finish_s + RUNNER_PATIENCE_S
        end_processes(alive([self.runner, self.api]), patience_s)
        if self.head is not None:
            end_processes(alive([self.head]), HEAD_PATIENCE_S)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        logger.info("stopped")


def alive(parts: Sequence[Part]) -> list[subprocess.Popen[str]]:
    """Their processes, where they have one."""
    return [part.process for part in parts if part.process is not None]


def make_ray_folder() -> Path:
    """A new folder for Ray's sockets and logs; those of services of this machine that are no more are removed."""
    for folder in Path(gettempdir()).glob(f"{RAY_FOLDER}-*-*"):
        if not psutil.pid_exists(int(folder.name.split("-")[2])):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(mkdtemp(prefix=f"{RAY_FOLDER}-{os.getpid()}-"))


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((RAY_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
