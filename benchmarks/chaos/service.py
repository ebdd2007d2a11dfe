"""A real ``layerpress serve`` as processes that can be found, killed and started again at the same address."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.chaos.jobs import ROOT, TEXT
from service.client import Address, Client, Patience
from service.runner.process import LEASH
from service.supervisor import free_port
from store.store import Store

CPUS = 3  # what the cluster says it has, whatever this machine has: so many workers at once
PATIENCE_S = 120.0
CLIENT_PATIENCE = Patience(attempts=60, longest_s=2.0)
LAST_WORDS = 20_000
Processes = list[psutil.Process]

logger = logging.getLogger(__name__)


class Service:
    """One service and its users; it ends with the process that made it."""

    def __init__(self, *, home: Path, store_url: str, model: Path, users: Sequence[str]) -> None:
        self.home = home
        self.log = home / "serve.log"
        self._port = free_port()
        self._store_url = store_url
        self._model = model
        with Store.open(store_url) as store:
            secrets = {user: store.add_token(user, "submit", None)[1] for user in users}
        self.users = {user: self._client(secret) for user, secret in secrets.items()}
        self._process = self._start()

    def _client(self, secret: str) -> Client:
        address = Address(url=f"http://127.0.0.1:{self._port}", token=secret)
        return Client(address, patience=CLIENT_PATIENCE)

    def _start(self) -> subprocess.Popen[str]:
        """As a person would, but that it is killed when this process dies."""
        leash = [sys.executable, "-m", LEASH, str(os.getpid())]
        command = [sys.executable, "-m", "service.cli", "serve", "--port", str(self._port), "--store", self._store_url]
        command += ["--require-token", "--cpus", str(CPUS), "--root", str(self._model), "--root", str(TEXT)]
        environment = {**os.environ, "LAYERPRESS_HOME": str(self.home), "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
        with self.log.open("a") as lines:
            return subprocess.Popen(
                [*leash, *command],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                text=True,
                env=environment,
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-LAST_WORDS:]

    def family(self) -> Processes:
        """The supervisor and all that it started."""
        try:
            supervisor = psutil.Process(self._process.pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def parts(self, role: str) -> Processes:
        """The processes of a role: loop, web, head, gauge or job."""
        return [process for process in self.family() if command_of(process)[1:4] == ["-m", "service.runner", role]]

    def jobs(self) -> dict[str, psutil.Process]:
        """The process of each job that has one."""
        return {command_of(process)[4]: process for process in self.parts("job") if len(command_of(process)) > 4}

    def kill(self) -> None:
        """The supervisor, with SIGKILL; returns when everything that it started is gone as well."""
        family = self.family()
        self._process.kill()
        self._process.wait()
        leftover = psutil.wait_procs(family, timeout=PATIENCE_S)[1]
        assert not leftover, f"still alive: {leftover}"

    def start_again(self) -> None:
        """At the same address, as a machine's own supervisor does with a service that ended."""
        assert not self.is_alive
        self._process = self._start()

    def close(self) -> None:
        """End it in order."""
        for client in self.users.values():
            client.close()
        if self.is_alive:
            self._process.terminate()
            self._process.wait(PATIENCE_S)


def command_of(process: psutil.Process) -> list[str]:
    """The command line, nothing of a process that is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def serving(*, home: Path, store_url: str, model: Path, users: Sequence[str]) -> Iterator[Service]:
    """A service that is gone at the end; what it said last is told where the block fails."""
    service = Service(home=home, store_url=store_url, model=model, users=users)
    try:
        yield service
    except BaseException:
        logger.error("the service said last:\n%s", service.said)
        raise
    finally:
        service.close()
